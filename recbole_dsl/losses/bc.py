"""BC: softmax loss with an angular margin per positive, small where popularity explains it."""

import torch
from torch.nn.functional import embedding, normalize

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_count, check_positive
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_sum_exp, with_zero

# Smallest squared sine whose root is differentiated: bounds the slope of the root at 1000.
_LEAST_SQUARED_SINE = 1e-6


def add_margin(cosine: torch.Tensor, margin: torch.Tensor) -> torch.Tensor:
    r"""cos(theta + margin), theta the angle of the cosine, theta + margin held at pi.

    Args:
        cosine: (B,) float32 or float64, in [-1, 1].
        margin: (B,) float, in [0, pi]. Angle to be added, in radians.
    Returns:
        (B,), at most cosine; the cosine itself where the margin is 0. The gradient is finite
        everywhere: the exact one, sin(theta + margin) / sin(theta), grows without bound as the
        cosine nears 1, and is held at about 1000; it is 0 where theta + margin reaches pi.
    """
    # The addition formula, since arccos loses half of its digits near 1. 1 - f^2 as a product
    # keeps them.
    sine = ((1 - cosine) * (1 + cosine)).clamp(min=_LEAST_SQUARED_SINE).sqrt()
    moved = cosine * margin.cos() - sine * margin.sin()
    return torch.where(cosine < -margin.cos(), -1.0, moved)


def bc_loss(
    pos: torch.Tensor, neg: torch.Tensor, margin: torch.Tensor, *, tau: float
) -> torch.Tensor:
    r"""BC: a positive must beat the negatives by an angle of its own.

    .. math::
        \ell_b = -\log \frac{e^{\cos(\theta_b + M_b)/\tau}}
            {e^{\cos(\theta_b + M_b)/\tau} + \sum_{j=1}^M e^{\cos(\theta_{bj})/\tau}}, \qquad
        M_b = \min(\xi_b, \pi - \theta_b)

    Args:
        pos: (B,) float. Cosine :math:`\cos\theta_b` of each row's positive, in [-1, 1].
        neg: (B, M) float. Cosines :math:`\cos\theta_{bj}` of the same row's negatives, same dtype
            and device.
        margin: (B,) float. :math:`\xi_b`, in [0, pi], in radians, without gradient. Small for a
            pair that popularity alone explains.
        tau: temperature, > 0, in score units.
    Returns:
        (B,) float, in nats, > 0; log(M + 1) where all scores, the margin applied, are the same.
    Raises:
        ValueError: tau <= 0; M == 0; margin not of pos's shape.
    Source: Zhang, Ma, Wang, Chua, "Incorporating Bias-aware Margins into Contrastive Loss for
        Collaborative Filtering", NeurIPS 2022.
    Differs from source: the slope of cos(theta + M) is bounded near theta = 0, see
        :func:`add_margin`.
    Conventions: the positive is in the denominator, with its margin as in the numerator; sum
        over negatives; not multiplied by tau; one tau.
    Limits: margin 0 is SL with the positive in the denominator, plus log(M + 1). theta + xi >= pi:
        the positive has no gradient (its cosine with the margin is at its lowest), the negatives
        have one.
    Example:
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.5]])
        >>> bc_loss(pos, neg, torch.tensor([0.0]), tau=0.1)
        tensor([0.6931])
    """
    check_positive("tau", tau)
    check_scores(pos, neg)
    check_like("margin", margin, "pos", pos)
    pos, neg = in_float32(pos, neg)
    pos = add_margin(pos, margin.to(pos.dtype))
    return with_zero(log_sum_exp(neg, pos, scale=1 / tau))


class PopularityBias(torch.nn.Module):
    """The popularity bias extractor: how well two counts of interactions alone explain a pair.

    A user is represented by its number of training interactions, an item likewise; each distinct
    count has a vector, and a pair's score is the cosine of its two vectors.

    Both tables start close to one direction. A softmax over cosines does not notice a constant
    added to them all: it would leave the angles of a random start around pi/2, where a margin
    nearly takes a positive to pi and training all but stops. From a common direction, pairs that
    popularity explains stay at small angles and the others move away.

    Args:
        data: a :class:`recbole_dsl.losses.TrainingRows`.
        size: width of the vectors, >= 1.
    """

    user: torch.nn.Embedding
    item: torch.nn.Embedding
    user_level: torch.Tensor
    item_level: torch.Tensor

    def __init__(self, data: TrainingRows, size: int) -> None:
        super().__init__()
        for name, ids, n in (
            ("user", data.users, data.n_users),
            ("item", data.items, data.n_items),
        ):
            levels, level = torch.unique(torch.bincount(ids, minlength=n), return_inverse=True)
            self.register_buffer(f"{name}_level", level, persistent=False)
            vectors = torch.nn.Embedding(len(levels), size)
            torch.nn.init.normal_(vectors.weight, mean=1.0, std=0.25)
            setattr(self, name, vectors)

    def forward(
        self, users: torch.Tensor, items: torch.Tensor, negatives: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B,), (B,), (B, M) ids -> cosines of positives (B,) and negatives (B, M), in float32."""
        # Angles near 0 need all the digits of a cosine. Levels are few: one product scores all
        # pairs of them and the batch's are gathered, so (B, M, D) is never built.
        with torch.autocast(device_type=users.device.type, enabled=False):
            levels = normalize(self.user.weight, dim=1) @ normalize(self.item.weight, dim=1).T
        scores = embedding(self.user_level[users], levels)  # (B, levels of items)
        pos = scores.gather(1, self.item_level[items].unsqueeze(1)).squeeze(1)
        return pos, scores.gather(1, self.item_level[negatives])


class BCLoss(RowLoss):
    """Mean of :func:`bc_loss` over the rows of a batch, plus the mean loss of the bias extractor.

    The margin is the angle of the row's user and item in :class:`PopularityBias`, which learns from
    the same rows and negatives by a softmax loss of its own (:func:`bc_loss` with margin 0, under
    ``bias_tau``). No gradient passes between the two, and they share no parameter. The extractor
    learns in the first ``bias_epochs`` epochs, together with the model and by the same optimiser;
    then it is frozen, its loss is left out of the value, and the margins no longer change.
    That schedule and where the extractor starts are ours. While it learns, the value is the sum of
    both losses.
    """

    paper = "Zhang et al., NeurIPS 2022"
    inputs = ("pos", "neg", "users", "items", "negatives")
    scores = ("cosine",)
    bias: PopularityBias  # from prepare on

    def __init__(
        self, *, tau: float, bias_tau: float, bias_epochs: int, bias_embedding_size: int
    ) -> None:
        check_positive("tau", tau)
        check_positive("bias_tau", bias_tau)
        check_count("bias_epochs", bias_epochs)
        check_count("bias_embedding_size", bias_embedding_size)
        super().__init__(
            tau=tau,
            bias_tau=bias_tau,
            bias_epochs=bias_epochs,
            bias_embedding_size=bias_embedding_size,
        )
        self.bias_learns = True

    def prepare(self, data: TrainingRows) -> None:
        self.bias = PopularityBias(data, self.options["bias_embedding_size"])

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        # Without a gradient the optimiser does not change a parameter, not even by momentum.
        self.bias_learns = epoch < self.options["bias_epochs"]
        self.bias.requires_grad_(self.bias_learns)

    def forward(
        self,
        pos: torch.Tensor,
        neg: torch.Tensor,
        users: torch.Tensor,
        items: torch.Tensor,
        negatives: torch.Tensor,
    ) -> torch.Tensor:
        bias_pos, bias_neg = self.bias(users, items, negatives)
        margin = torch.arccos(bias_pos.detach().clamp(-1, 1))
        loss = bc_loss(pos, neg, margin, tau=self.tau).mean()
        if not self.bias_learns:
            return loss
        no_margin = torch.zeros_like(margin)
        bias = bc_loss(bias_pos, bias_neg, no_margin, tau=self.options["bias_tau"])
        return loss + bias.mean()

    def robust_view(
        self,
        pos: torch.Tensor,
        neg: torch.Tensor,
        users: torch.Tensor,
        items: torch.Tensor,
        negatives: torch.Tensor,
    ) -> RobustView:
        return RobustView(neg, torch.full_like(pos, self.tau))
