"""A vector for a user whom the model was not trained on, from the vectors of some items.

Nothing of the model changes, and nothing is trained but this one vector:

* ``mean``: the mean of the items' vectors.
* ``softmax``: from there some steps of gradient descent of the softmax loss over all items, the
  user's as positives, on the sphere. It is that of the SL loss, whatever the model's own loss is.

Neither is what training would give. For 200 users of ml-100k who were kept out of training, NDCG@10
(Recall@10) of a tenth of their items, with 80 % of them given, default settings, one seed
(``python tests/performance/fold_in.py``)::

                     MF_SL            LightGCN_SL      MF_BPR
    trained on       0.3435 (0.2853)  0.3397 (0.2781)  0.2537 (0.2169)
    softmax          0.3124 (0.2630)  0.3133 (0.2699)  0.2590 (0.2217)
    mean             0.2785 (0.2397)  0.2804 (0.2393)  0.2336 (0.1971)
    popularity       0.1450 (0.1208)

The same for 1,000 users of amazon2014-electronic (13,455 users, 8,360 items) and MF_SL, where
1,024 rows share their negatives (``fold_in.py MF_SL --data=FOLDER/amazon2014-electronic
--users=1000 --block=1024``)::

    trained on       0.0368 (0.0581)
    softmax          0.0362 (0.0578)
    mean             0.0292 (0.0462)
    popularity       0.0279 (0.0417)

"Trained on" is the vector of the same users, given the same items, where they are among the
training users. TAU, STEPS and STEP_SIZE are out of 12 combinations, tried with MF_SL on these very
users, where they differed by up to 0.07 in NDCG@10; the other two models were not looked at.
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
