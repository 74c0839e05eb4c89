"""A small trained model as serving has it, and its checkpoint."""

import numpy as np

from recbole_dsl.serving.section import Section, append, item_lists
from recbole_dsl.training import sealed_file

META = {"recbole_dsl": "1", "model": "MF_SL", "dataset": "toy", "epoch": 3, "score": "dot"}


def section(users=7, items=30, dimensions=4, dtype=np.float32, score="dot"):
    """Whole numbers as vectors, so that scores are exact and many are equal."""
    rng = np.random.default_rng(0)
    vectors = [rng.integers(-2, 3, (n, dimensions)).astype(dtype) for n in (users, items)]
    ids = [np.array([f"{kind}{n}" for n in range(size)], object) for kind, size in
           (("u", users), ("é ", items))]  # fmt: skip
    seen = {
        part: item_lists(rng.integers(0, users, n), rng.integers(0, items, n), users, items)
        for part, n in (("train", 60), ("valid", 9), ("test", 0))
    }
    return Section({**META, "score": score}, *ids, *vectors, seen)


def write(path, content):
    """A checkpoint with this section."""
    sealed_file.write(path, {"weights": np.arange(3).tolist()})
    append(path, content)
    return path
