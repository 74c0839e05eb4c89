"""A vector for a user whom the model was not trained on, from the vectors of some items.

Nothing of the model changes, and nothing is trained but this one vector:

* ``mean``: the mean of the items' vectors.
* ``softmax``: from there some steps of gradient descent of the softmax loss over all items, the
  user's as positives, on the sphere. It is that of the SL loss, whatever the model's own loss is.

Neither is what training would give.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
METHODS = ("softmax", "mean")
TAU, STEPS, STEP_SIZE = 0.2, 20, 0.5  # of softmax


def unit(vectors: Array) -> Array:
    """Each row divided by its length; rows of length 0 stay as they are. (N, D) -> (N, D)."""
    lengths = np.sqrt(np.einsum("nd,nd->n", vectors, vectors))[:, None]
    divided: Array = vectors / np.where(lengths > 0, lengths, 1).astype(vectors.dtype)
    return divided


def user_vector(items: Array, given: npt.NDArray[np.int64], method: str, *, cosine: bool) -> Array:
    r"""The vector of a user with some items.

    .. math:: \ell(u) = -\frac{1}{n} \sum_{i \in given} \log \frac{\exp(u \cdot v_i / \tau s)}
              {\sum_j \exp(u \cdot v_j / \tau s)}, \quad |u| = 1

    where s is the root mean square of the items' lengths, 1 for cosines.

    Args:
        items: (I, D). given: (n,), n >= 1. Positions of the user's items.
        method: one of :data:`METHODS`.
        cosine: whether scores are cosines: the vector is then of unit length.
    Returns:
        (D,), of the items' type.
    """
    mean: Array = items[given].mean(axis=0)
    if method == "softmax":
        scale = np.sqrt(np.einsum("nd,nd->", items, items, dtype=np.float64) / len(items)) or 1.0
        factor = items.dtype.type(1 / (TAU * scale))
        vector = unit(mean[None])[0]
        for _ in range(STEPS):
            logits = items @ vector * factor
            weights = np.exp(logits - logits.max())
            expected = weights @ items / weights.sum()
            step = (mean - expected) * items.dtype.type(STEP_SIZE / scale)
            vector = unit((vector + step)[None])[0]
        mean = vector
    return unit(mean[None])[0] if cosine else mean
