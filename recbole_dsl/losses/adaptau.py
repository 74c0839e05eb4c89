"""AdapTau: softmax loss with a temperature per user, larger where the user's loss is larger."""

import math

import torch

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_choice, check_count, check_positive
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp
from recbole_dsl.losses.sl import softmax_loss

# The gap in global_temperature before the first one is measured.
WARM_UP_GAP = 0.7


def adap_tau_loss(
    pos: torch.Tensor, neg: torch.Tensor, tau_pos: torch.Tensor, tau_neg: torch.Tensor
) -> torch.Tensor:
    r"""Adap-tau's loss: SL with a temperature per row, that of the positive another one.

    .. math:: \ell_b = -f_b/\tau^+_b + \log \frac1M \sum_{j=1}^M \exp(f_{bj}/\tau^-_b)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        tau_pos: (B,) float. Temperature :math:`\tau^+_b` of each row's positive, > 0, in score
            units, without gradient; its sign is not checked, which would stall a GPU in every step.
        tau_neg: (B,) float. Temperature :math:`\tau^-_b` of the row's negatives, likewise.
    Returns:
        (B,) float, in nats; may be negative, as in SL.
    Raises:
        ValueError: tau_pos or tau_neg not of pos's shape; M == 0; shapes are not (B,) and (B, M).
    Source: Chen, Wu, Wu, Cao, Zhou, He, "Adap-tau: Adaptively Modulating Embedding Magnitude for
        Recommendation", WWW 2023. In the authors' code tau_pos is the global temperature, the same
        for all rows, and tau_neg that of the row's user.
    Differs from source: the constant log M is subtracted. For the temperatures, see
        :func:`global_temperature` and :func:`user_temperatures`.
    Conventions: the positive is not in the denominator; mean over negatives; not multiplied
        by tau; one tau per row for its positive and one for its negatives.
    Limits: tau_pos = tau_neg is SL with a temperature per row, a function of score differences
        alone; with other temperatures the scores' origin matters.
    Example:
        >>> pos, neg, tau = torch.tensor([0.5]), torch.tensor([[0.6, 0.6]]), torch.tensor([0.1])
        >>> adap_tau_loss(pos, neg, tau, tau), adap_tau_loss(pos, neg, tau, 2 * tau)
        (tensor([1.]), tensor([-2.]))
    """
    check_scores(pos, neg)
    check_like("tau_pos", tau_pos, "pos", pos)
    check_like("tau_neg", tau_neg, "pos", pos)
    pos, neg = in_float32(pos, neg)
    # Equal temperatures leave the positive as it is, so that the loss is SL to the bit.
    pos = pos * (tau_neg / tau_pos).to(pos.dtype)
    return log_mean_exp(neg, pos, scale=1 / tau_neg.to(pos.dtype))


def lambert_w(x: torch.Tensor) -> torch.Tensor:
    """The principal branch of Lambert's W: the w >= -1 with w e^w = x, for x >= -1/e, in float64.

    Example:
        >>> lambert_w(torch.tensor([-1 / math.e, 0.0, math.e]))
        tensor([-1.0000,  0.0000,  1.0000], dtype=torch.float64)
    """
    x = x.double()
    # Around the branch point -1/e, W is a series in this root and Halley's step is 0/0.
    root = (2 * (math.e * x + 1).clamp(min=0)).sqrt()
    series = -1 + root - root.square() / 3 + 11 / 72 * root.pow(3)
    near = root < 1e-3  # the next term is below 1e-13 there
    w = torch.where(x < 0, series, torch.log1p(x.clamp(min=0)))
    w = torch.where(near, 0.0, w)
    for _ in range(8):
        e = w.exp()
        miss = w * e - x
        w = w - miss / (e * (w + 1) - (w + 2) * miss / (2 * w + 2))
    return torch.where(near, series, w)


def global_temperature(gap: float, *, n_users: int, n_items: int, n_rows: int) -> float:
    r"""The global temperature, from how far positives score above all pairs and how rare they are.

    .. math:: \tau_0 = \mathrm{gap} \Bigm/ \log \frac{U I}{2 E}, \qquad
        \mathrm{gap} = \frac1E \sum_{(u,i) \in E} f_{ui} - \frac1{U I} \sum_{u,i} f_{ui}

    so that :math:`e^{\mathrm{gap}/\tau_0}`, the weight of a mean positive relative to that of a
    mean pair, is half the number of pairs to a training row.

    Args:
        gap: mean score of the training rows minus that of all pairs, > 0, in score units.
        n_users, n_items: U and I, padding not counted.
        n_rows: E, training rows.
    Returns:
        float, > 0, in score units.
    Raises:
        ValueError: gap <= 0. UsageError: half of all pairs or more are training rows.
    Source: Chen et al., WWW 2023, in the authors' code: set anew in each epoch, after a warm-up
        with the gap fixed at 0.7.
    Example:
        >>> round(global_temperature(0.7, n_users=1000, n_items=2000, n_rows=50_000), 4)
        0.2337
    """
    check_positive("gap", gap)
    weight = 0.5 * n_users * n_items / n_rows
    if weight <= 1:
        raise UsageError(
            f"AdapTau sets its temperature from the share of all user-item pairs that are training "
            f"rows, which must be below 1/2, got {n_rows} of {n_users * n_items}: set tau"
        )
    return gap / math.log(weight)


@torch.no_grad()
def mean_gap(view: ModelView) -> float:
    """The gap of :func:`global_temperature`, exact, in one pass over the training rows."""
    users, items = view.tables()
    # Scores are inner products, so their mean is that of the mean vectors; rows 0 are padding.
    everywhere = users[1:].double().mean(dim=0) @ items[1:].double().mean(dim=0)
    total, rows = torch.zeros_like(everywhere), 0
    for batch in view.batches(("pos",)):
        total += batch["pos"].double().sum()
        rows += len(batch["pos"])
    return float(total / rows - everywhere)


def user_temperatures(loss: torch.Tensor, *, beta: float) -> torch.Tensor:
    r"""Temperatures of users over the global one, SuperLoss's closed form for confidence.

    .. math::
        \tau_u/\tau_0 = \exp\Bigl(W\Bigl(\max\Bigl(-\frac1e, \frac{L_u - m}{\beta}\Bigr)\Bigr)\Bigr)

    with m the mean of :math:`L_u` over users and W the principal branch of Lambert's function.

    A user with a larger loss gets a larger temperature. In SuperLoss an example's loss is weighted
    by a confidence, its closed form exp(-W(...)), low where the loss is large: such examples are
    taken to be hard or noisy. Here 1/tau, by which scores are multiplied, is the confidence: a
    larger tau spreads the loss over more negatives, where a small one would fit the noise of a few.

    Args:
        loss: (U,) float. Mean loss :math:`L_u` of each user, at one temperature for all.
        beta: strength of the pull towards the global temperature, > 0, in nats. Smaller lets
            temperatures spread. SuperLoss divides by twice its own strength.
    Returns:
        (U,) float64, at least 1 / e; 1 for a user with the mean loss.
    Raises:
        ValueError: beta <= 0; loss not (U,) or not finite.
    Source: Chen et al., WWW 2023; Castells, Weinzaepfel, Revaud, "SuperLoss", NeurIPS 2020.
    Differs from source: m is an unweighted mean over the users that were seen.
    Limits: beta -> infinity: 1 for all.
    Example:
        >>> user_temperatures(torch.tensor([1.0, 1.0]), beta=1.0)
        tensor([1., 1.], dtype=torch.float64)
    """
    check_positive("beta", beta)
    if loss.dim() != 1 or not bool(torch.isfinite(loss).all()):
        raise ValueError(f"loss must be (U,) and finite, got {loss}")
    loss = loss.double()
    excess = (loss - loss.mean()) / beta
    return lambert_w(excess.clamp(min=-1 / math.e)).exp()


class PerUserTemperature(torch.nn.Module):
    """The users' temperatures, and sums of this epoch's losses, which give the next temperatures.

    All are buffers of the checkpoint, in float64, where the order of additions hardly matters.

    Args:
        n_users: U, the padding row included.
        tau: the global temperature, > 0. Every user starts at it.
        beta: as in :func:`user_temperatures`.
    """

    tau: torch.Tensor
    ratio: torch.Tensor
    loss_sum: torch.Tensor
    n_rows: torch.Tensor

    def __init__(self, n_users: int, *, tau: float, beta: float) -> None:
        super().__init__()
        self.beta = beta
        zeros = torch.zeros(n_users, dtype=torch.float64)
        self.register_buffer("tau", torch.tensor(tau, dtype=torch.float64))
        self.register_buffer("ratio", zeros + 1)
        self.register_buffer("loss_sum", zeros.clone())
        self.register_buffer("n_rows", zeros.clone())

    @torch.no_grad()
    def record(self, users: torch.Tensor, row_loss: torch.Tensor) -> None:
        """Add a batch's losses, (B,), to the sums of its users, (B,) int64."""
        row_loss = row_loss.double()
        self.loss_sum.index_add_(0, users, row_loss)
        self.n_rows.index_add_(0, users, torch.ones_like(row_loss))

    def refresh(self) -> None:
        """Set the users' ratios from the losses recorded since the last call; empty the sums.

        A user without a recorded loss keeps its ratio to the global temperature.
        """
        seen = self.n_rows > 0
        if bool(seen.any()):
            loss = self.loss_sum[seen] / self.n_rows[seen]
            self.ratio[seen] = user_temperatures(loss, beta=self.beta)
        self.loss_sum.zero_()
        self.n_rows.zero_()

    def forward(self, users: torch.Tensor) -> torch.Tensor:
        """(B,) int64 -> (B,) float64, the temperatures of users."""
        return self.tau * self.ratio[users]


class AdapTauLoss(RowLoss):
    """Mean of :func:`adap_tau_loss`; the temperatures are set before each epoch.

    The global one is ``tau``, or, where that is None, :func:`global_temperature`: with a gap of 0.7
    in the first ``warm_up_epochs`` epochs, then with the model's own before each epoch. While that
    is not above 0, as in a model that has learned nothing, the last temperature stays.

    The users' ratios to it come from the last epoch: 1 in the first one, which is SL. A user's loss
    is the mean of :func:`recbole_dsl.losses.sl.softmax_loss` at ``loss_tau`` over the user's rows,
    each as it was when its batch was trained; batches scored in evaluation mode do not count.
    Negatives have the user's temperature; the positive the global one, or, with ``positive_tau:
    user``, the user's too.

    The defaults are those of the authors' code. Ours: how long the warm-up lasts, which we do not
    know of theirs, and that the ratios are in use in it.
    """

    paper = "Chen et al., WWW 2023"
    inputs = ("pos", "neg", "users")
    row_sums = ("per_user.loss_sum", "per_user.n_rows")
    per_user: PerUserTemperature  # from prepare on

    def __init__(
        self,
        *,
        tau: float | None = None,
        positive_tau: str = "global",
        beta: float = 1.0,
        loss_tau: float = 1.0,
        warm_up_epochs: int = 10,
    ) -> None:
        if tau is not None:
            check_positive("tau", tau)
        check_choice("positive_tau", positive_tau, ("global", "user"))
        check_positive("beta", beta)
        check_positive("loss_tau", loss_tau)
        check_count("warm_up_epochs", warm_up_epochs)
        super().__init__(
            tau=tau,
            positive_tau=positive_tau,
            beta=beta,
            loss_tau=loss_tau,
            warm_up_epochs=warm_up_epochs,
        )

    def prepare(self, data: TrainingRows) -> None:
        # Row 0 of both tables is padding.
        self._sizes = (data.n_users - 1, data.n_items - 1, len(data.users))
        tau = self._global(WARM_UP_GAP) if self.tau is None else self.tau
        per_user = PerUserTemperature(data.n_users, tau=tau, beta=self.options["beta"])
        self.per_user = per_user.to(data.users.device)

    def _global(self, gap: float) -> float:
        n_users, n_items, n_rows = self._sizes
        return global_temperature(gap, n_users=n_users, n_items=n_items, n_rows=n_rows)

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        self.per_user.refresh()
        if self.tau is None and epoch >= self.options["warm_up_epochs"]:
            gap = mean_gap(view)
            if gap > 0:
                self.per_user.tau.fill_(self._global(gap))

    def forward(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        if self.training:
            loss_tau = self.options["loss_tau"]
            self.per_user.record(users, softmax_loss(pos.detach(), neg.detach(), tau=loss_tau))
        tau_neg = self.per_user(users)
        own = self.options["positive_tau"] == "user"
        tau_pos = tau_neg if own else self.per_user.tau.expand_as(tau_neg)
        return adap_tau_loss(pos, neg, tau_pos, tau_neg).mean()

    def robust_view(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> RobustView:
        return RobustView(neg, self.per_user(users))
