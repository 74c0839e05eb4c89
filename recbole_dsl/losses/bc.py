"""BC: softmax loss with an angular margin per positive, small where popularity explains it."""

import torch
from torch.nn.functional import embedding, normalize

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_choice, check_count, check_positive
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_sum_exp, with_zero
from recbole_dsl.losses.sl import softmax_loss_with_positive

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
        :func:`add_margin`. The authors' code multiplies the loss by 1 - lambda = 1/2, which is left
        out: it is a factor of the whole, so their weight decay counts twice as much beside it. It
        does not hold theta + xi at pi, as this and the paper's equation do: with a margin below 1
        rad that matters for positives at more than 122 degrees.
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
    r"""The popularity bias extractor: how well two counts of interactions alone explain a pair.

    A user is represented by its number of training interactions, an item likewise; each distinct
    count has a vector, :math:`p_u` and :math:`q_i`. They learn by SL with the positive in the
    denominator over their cosines. The margin of a pair is one of

    .. math:: \xi_{ui} = 1 - \sigma(\langle p_u, q_i \rangle), \qquad
        \xi_{ui} = \arccos \cos(p_u, q_i)

    ``sigmoid``, the form of the authors' code, in (0, 1), and ``angle``, that of the paper's
    equation, in [0, pi], both in radians. Only the former depends on the vectors' lengths, about
    which the loss says nothing: they grow with every step of Adam, so more steps, or a larger
    learning rate, move the margins further apart. Small data has few steps: with BC's defaults, 98
    in 100 margins lie between 0.45 and 0.55 on amazon2014-health (37,784 training rows).

    ``sigmoid`` starts from Xavier's normal distribution, as in the authors' code. ``angle`` starts
    close to one direction, which is ours: a softmax over cosines does not notice a constant added
    to them all, and would leave the angles of a random start around pi/2, where a margin nearly
    takes a positive to pi and training all but stops. From a common direction, pairs that
    popularity explains stay at small angles and the others move away.

    Args:
        data: a :class:`recbole_dsl.losses.TrainingRows`.
        size: width of the vectors, >= 1.
        margin: sigmoid or angle.
    """

    user: torch.nn.Embedding
    item: torch.nn.Embedding
    user_level: torch.Tensor
    item_level: torch.Tensor

    def __init__(self, data: TrainingRows, size: int, margin: str) -> None:
        super().__init__()
        self.form = margin
        for name, ids, n in (
            ("user", data.users, data.n_users),
            ("item", data.items, data.n_items),
        ):
            levels, level = torch.unique(torch.bincount(ids, minlength=n), return_inverse=True)
            self.register_buffer(f"{name}_level", level, persistent=False)
            vectors = torch.nn.Embedding(len(levels), size)
            if margin == "angle":
                torch.nn.init.normal_(vectors.weight, mean=1.0, std=0.25)
            else:
                torch.nn.init.xavier_normal_(vectors.weight)
            setattr(self, name, vectors)

    def forward(
        self, users: torch.Tensor, items: torch.Tensor, negatives: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(B,), (B,), (B, M) ids -> cosines of positives (B,) and negatives (B, M), in float32."""
        # Levels are few: one product scores all pairs of them and the batch's are gathered, so
        # (B, M, D) is never built.
        levels = normalize(self.user.weight, dim=1) @ normalize(self.item.weight, dim=1).T
        scores = embedding(self.user_level[users], levels)  # (B, levels of items)
        pos = scores.gather(1, self.item_level[items].unsqueeze(1)).squeeze(1)
        return pos, scores.gather(1, self.item_level[negatives])

    @torch.no_grad()
    def margin(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """(B,), (B,) ids -> (B,) float32, the margins of the pairs, in radians."""
        user = embedding(self.user_level[users], self.user.weight)
        item = embedding(self.item_level[items], self.item.weight)
        if self.form == "angle":
            user, item = normalize(user, dim=1), normalize(item, dim=1)
            return torch.arccos((user * item).sum(dim=1).clamp(-1, 1))
        return torch.sigmoid(-(user * item).sum(dim=1))


class BCLoss(RowLoss):
    """Mean of :func:`bc_loss` over the rows of a batch, with margins from popularity alone.

    The margin of a row is that of its user and item in :class:`PopularityBias`. As in the authors'
    code, the extractor is trained alone and then frozen, by the options ``bias_*``, whose defaults
    are those of that code: ``bias_epochs`` passes over the training rows, with negatives of its
    own, before the model's first epoch. There the model waits in these epochs, here they are no
    epochs of the model. They share no parameter, so nothing else differs: the authors' weight
    lambda of the extractor's loss is a constant factor too, and is left out.

    The authors' code ranks test items by inner products of vectors that are not normalised, hence
    ``test_score: dot`` in BC's property file; the loss sees cosines.
    """

    paper = "Zhang et al., NeurIPS 2022"
    inputs = ("pos", "neg", "users", "items")
    scores = ("cosine",)
    bias: PopularityBias  # from prepare on

    def __init__(
        self,
        *,
        tau: float = 0.07,
        bias_margin: str = "sigmoid",
        bias_tau: float = 0.1,
        bias_epochs: int = 5,
        bias_learning_rate: float = 0.0005,
        bias_embedding_size: int = 64,
    ) -> None:
        check_positive("tau", tau)
        check_choice("bias_margin", bias_margin, ("sigmoid", "angle"))
        check_positive("bias_tau", bias_tau)
        check_count("bias_epochs", bias_epochs)
        check_positive("bias_learning_rate", bias_learning_rate)
        check_count("bias_embedding_size", bias_embedding_size)
        super().__init__(
            tau=tau,
            bias_margin=bias_margin,
            bias_tau=bias_tau,
            bias_epochs=bias_epochs,
            bias_learning_rate=bias_learning_rate,
            bias_embedding_size=bias_embedding_size,
        )

    def prepare(self, data: TrainingRows) -> None:
        size, margin = self.options["bias_embedding_size"], self.options["bias_margin"]
        self.bias = PopularityBias(data, size, margin).requires_grad_(False)

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        if epoch == 0:
            self._train_bias(view)

    def _train_bias(self, view: ModelView) -> None:
        self.bias.requires_grad_(True)
        optimizer = torch.optim.Adam(self.bias.parameters(), lr=self.options["bias_learning_rate"])
        for _ in range(self.options["bias_epochs"]):
            for batch in view.batches(("users", "items", "negatives")):
                optimizer.zero_grad()
                pos, neg = self.bias(**batch)
                loss = softmax_loss_with_positive(pos, neg, tau=self.options["bias_tau"]).mean()
                loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
                optimizer.step()
        # No gradient may be left, or the model's optimiser would apply it.
        optimizer.zero_grad(set_to_none=True)
        self.bias.requires_grad_(False)

    def forward(
        self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor, items: torch.Tensor
    ) -> torch.Tensor:
        return bc_loss(pos, neg, self.bias.margin(users, items), tau=self.tau).mean()

    def robust_view(
        self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor, items: torch.Tensor
    ) -> RobustView:
        return RobustView(neg, torch.full_like(pos, self.tau))
