import sys
import time
from pathlib import Path

import numpy as np


def _digits(numbers, width):
    """Decimal digits as ASCII codes, (N, width) uint8."""
    out = np.empty((len(numbers), width), dtype=np.uint8)
    rest = numbers.astype(np.int64)
    for column in range(width - 1, -1, -1):
        rest, digit = np.divmod(rest, 10)
        out[:, column] = digit + ord("0")
    return out


def write_dataset(folder, name, rows, n_users, n_items, seed=2020):
    rng = np.random.default_rng(seed)
    items = np.cumsum((np.arange(n_items) + 10.0) ** -0.8)
    users = np.cumsum(rng.lognormal(sigma=1.0, size=n_users))
    renamed = rng.permutation(n_items)
    home = Path(folder) / name
    home.mkdir(parents=True, exist_ok=True)
    with open(home / f"{name}.inter", "wb") as file:
        file.write(b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n")
        for start in range(0, rows, 1 << 20):
            size = min(1 << 20, rows - start)
            user = np.searchsorted(users, rng.random(size) * users[-1]).clip(max=n_users - 1)
            item = np.searchsorted(items, rng.random(size) * items[-1]).clip(max=n_items - 1)
            text = np.empty((size, 30), dtype=np.uint8)
            text[:, [7, 14, 18]] = ord("\t")
            text[:, 29] = ord("\n")
            text[:, :7] = _digits(user + 1_000_000, 7)
            text[:, 8:14] = _digits(renamed[item] + 100_000, 6)
            text[:, 15:18] = np.frombuffer(b".0", np.uint8)[[0, 0, 1]]
            text[:, 15] = rng.integers(1, 6, size) + ord("0")
            text[:, 19:29] = _digits(rng.integers(10**9, 15 * 10**8, size), 10)
            file.write(text.tobytes())


if __name__ == "__main__":
    t = time.time()
    write_dataset(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
    print(time.time() - t)
