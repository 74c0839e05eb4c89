"""DirectAU: alignment of positive pairs and uniformity on the sphere, without negatives."""

import math

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_positive
from recbole_dsl.losses.base import RowLoss
from recbole_dsl.losses.checks import check_like


def uniformity(vectors: torch.Tensor) -> torch.Tensor:
    r"""How evenly vectors spread over the sphere: the lower, the more evenly.

    .. math:: \log \frac{2}{B(B-1)} \sum_{a < b} \exp(-2 \|x_a - x_b\|^2)

    Args:
        vectors: (B, D) float, of unit length. Repeated vectors count as often as they are there.
    Returns:
        () float, in nats, in [-8, 0]; 0, without gradient, for B = 1, where there is no pair.
    Raises:
        ValueError: vectors is not (B, D).
    Source: Wang and Isola, ICML 2020, with their t = 2.
    Example:
        >>> uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
        tensor(-8.)
    """
    if vectors.dim() != 2:
        raise ValueError(f"vectors must be (B, D), got {tuple(vectors.shape)}")
    (vectors,) = in_float32(vectors)
    n = len(vectors)
    if n < 2:
        return vectors.new_zeros(())
    # In half precision, differences of products are too coarse for near pairs, which matter most.
    with torch.autocast(device_type=vectors.device.type, enabled=False):
        product = vectors @ vectors.T
    square = product.diagonal()
    distance = square.unsqueeze(1) + square.unsqueeze(0) - 2 * product  # (B, B), squared
    itself = torch.eye(n, dtype=torch.bool, device=vectors.device)
    # Every pair is counted twice, which does not change the mean.
    logits = (-2 * distance).masked_fill(itself, -math.inf)
    return torch.logsumexp(logits.flatten(), dim=0) - math.log(n * (n - 1))


def direct_au_loss(
    user_vectors: torch.Tensor, item_vectors: torch.Tensor, *, gamma: float
) -> torch.Tensor:
    r"""DirectAU: positive pairs close together, users and items each spread over the sphere.

    .. math::
        \frac1B \sum_b \|u_b - i_b\|^2 +
        \frac{\gamma}{2} \bigl(\mathrm{uniformity}(u) + \mathrm{uniformity}(i)\bigr)

    Args:
        user_vectors: (B, D) float. Vector :math:`u_b` of each row's user, of unit length, which is
            not checked: that would stall a GPU in every step.
        item_vectors: (B, D) float. Vector :math:`i_b` of each row's positive item, likewise.
        gamma: weight of uniformity, > 0. Larger for data whose users need to be told apart more.
    Returns:
        () float, in [-8 gamma, 4]: uniformity is one number for the whole batch, so there is no
        value per row. B = 1 is the alignment alone.
    Raises:
        ValueError: gamma <= 0; shapes are not (B, D) twice.
    Source: Wang, Yu, Ma, Zhang, Chen, Liu, Ma, "Towards Representation Alignment and Uniformity in
        Collaborative Filtering", KDD 2022. As there, a user or item that is in several rows counts
        in each of them.
    Differs from source: nothing but the value for B = 1.
    Conventions: no denominator and no negatives; mean over rows and over pairs; no tau, the
        kernel's 2 is fixed.
    Limits: gamma < 1/2 can let all vectors fall together: close to that point, with s the mean
        squared deviation of users and of items and c their covariance over positive pairs, the loss
        is (s_u + s_i)(1 - 2 gamma) - 2 c, which falls only where pairs are correlated enough.
    Example:
        >>> user, item = torch.eye(2), torch.eye(2)
        >>> direct_au_loss(user, item, gamma=1.0)
        tensor(-4.)
    """
    check_positive("gamma", gamma)
    check_like("item_vectors", item_vectors, "user_vectors", user_vectors)
    user_vectors, item_vectors = in_float32(user_vectors, item_vectors)
    spread = (uniformity(user_vectors) + uniformity(item_vectors)) / 2
    alignment = (user_vectors - item_vectors).square().sum(dim=1).mean()
    return alignment + gamma * spread


class DirectAULoss(RowLoss):
    """:func:`direct_au_loss` of a batch.

    The authors' code ranks test items by inner products of vectors that are not normalised, hence
    ``test_score: dot`` in DirectAU's property file; the loss sees vectors of unit length.
    """

    paper = "Wang et al., KDD 2022"
    inputs = ("user_vectors", "item_vectors")
    scores = ("cosine",)

    def __init__(self, *, gamma: float = 0.5) -> None:
        check_positive("gamma", gamma)
        super().__init__(gamma=gamma)

    def forward(self, user_vectors: torch.Tensor, item_vectors: torch.Tensor) -> torch.Tensor:
        return direct_au_loss(user_vectors, item_vectors, **self.options)
