"""A dataset whose ids and numbers a careless writer would change."""

import numpy as np

HEADER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"


def write_shop(folder):
    """Write dataset/shop: 600 rows with odd ids and numbers, and a table of items.

    Returns:
        The lines of its .inter file, without the header.
    """
    rng = np.random.default_rng(0)
    home = folder / "dataset" / "shop"
    home.mkdir(parents=True)
    lines = [
        f"00{rng.integers(20)}\té {rng.integers(1, 9) ** 2}\t{rating}.50\t{9 * 10**8 + row}.25\n"
        for row, rating in enumerate(rng.integers(1, 6, 600))
    ]
    (home / "shop.inter").write_text(HEADER + "".join(lines), encoding="utf-8")
    (home / "shop.item").write_text("item_id:token\tcolour:token\né 4\tred\n", encoding="utf-8")
    return lines
