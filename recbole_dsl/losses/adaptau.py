"""AdapTau: softmax loss with a temperature per user, larger where the user's loss is larger."""

import math

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_positive
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp
from recbole_dsl.losses.sl import softmax_loss


def adap_tau_loss(pos: torch.Tensor, neg: torch.Tensor, tau: torch.Tensor) -> torch.Tensor:
    r"""Adap-tau's loss: SL with a temperature per row.

    .. math:: \ell_b = \log \frac1M \sum_{j=1}^M \exp\bigl((f_{bj} - f_b)/\tau_b\bigr)

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        tau: (B,) float. Temperature of the row's user, > 0, in score units, without gradient; its
            sign is not checked, which would stall a GPU in every step.
    Returns:
        (B,) float, in nats; may be negative, as in SL.
    Raises:
        ValueError: tau not of pos's shape; M == 0; shapes are not (B,) and (B, M).
    Source: Chen, Wu, Wu, Cao, Zhou, He, "Adap-tau: Adaptively Modulating Embedding Magnitude for
        Recommendation", WWW 2023.
    Differs from source: the constant log M is subtracted. For the temperatures, see
        :func:`user_temperatures`.
    Conventions: the positive is not in the denominator; mean over negatives; not multiplied
        by tau; one tau per row, the same for its positive and its negatives.
    Limits: one tau for all rows is SL.
    Example:
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.6, 0.6]])
        >>> adap_tau_loss(pos, neg, torch.tensor([0.1]))
        tensor([1.])
    """
    check_scores(pos, neg)
    check_like("tau", tau, "pos", pos)
    pos, neg = in_float32(pos, neg)
    return log_mean_exp(neg, pos, scale=1 / tau.to(pos.dtype))


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


def user_temperatures(loss: torch.Tensor, *, tau: float, nu: float) -> torch.Tensor:
    r"""Temperatures of users, in SuperLoss's closed form for the confidence in an example.

    .. math::
        \tau_u = \tau \exp\Bigl(W\Bigl(\max\Bigl(-\frac1e, \frac{L_u - m}{2\nu}\Bigr)\Bigr)\Bigr)

    with m the mean of :math:`L_u` over users and W the principal branch of Lambert's function.

    A user with a larger loss gets a larger temperature. In SuperLoss an example's loss is weighted
    by a confidence, its closed form exp(-W(...)), low where the loss is large: such examples are
    taken to be hard or noisy. Here 1/tau, by which scores are multiplied, is the confidence: a
    larger tau spreads the loss over more negatives, where a small one would fit the noise of a few.

    Args:
        loss: (U,) float. Mean loss :math:`L_u` of each user, at one temperature for all.
        tau: base temperature, > 0: what a user with the mean loss gets.
        nu: strength of the pull towards tau, > 0, in nats. Smaller lets temperatures spread.
    Returns:
        (U,) float64, at least tau / e.
    Raises:
        ValueError: tau <= 0; nu <= 0; loss not (U,) or not finite.
    Source: Chen et al., WWW 2023; Castells, Weinzaepfel, Revaud, "SuperLoss", NeurIPS 2020.
    Differs from source: the full text of Chen et al. was not at hand. The paper's, from its
        abstract, the authors' summaries and SuperLoss: a temperature per user, in the closed form
        of SuperLoss, scaling a global one. Ours: the global tau is a plain option, whereas the
        paper sets it anew from the moments of the scores; the loss is measured at that tau, not
        at the user's own, which a larger tau would lower in turn; m is an unweighted mean.
    Limits: nu -> infinity: tau for all.
    Example:
        >>> user_temperatures(torch.tensor([1.0, 1.0]), tau=0.2, nu=1.0)
        tensor([0.2000, 0.2000], dtype=torch.float64)
    """
    check_positive("tau", tau)
    check_positive("nu", nu)
    if loss.dim() != 1 or not bool(torch.isfinite(loss).all()):
        raise ValueError(f"loss must be (U,) and finite, got {loss}")
    loss = loss.double()
    excess = (loss - loss.mean()) / (2 * nu)
    return tau * lambert_w(excess.clamp(min=-1 / math.e)).exp()


class PerUserTemperature(torch.nn.Module):
    """The users' temperatures, and sums of this epoch's losses, which give the next temperatures.

    All are buffers of the checkpoint, in float64, where the order of additions hardly matters.

    Args:
        n_users: U, the padding row included.
        tau, nu: as in :func:`user_temperatures`. Every user starts at tau.
    """

    temperature: torch.Tensor
    loss_sum: torch.Tensor
    n_rows: torch.Tensor

    def __init__(self, n_users: int, *, tau: float, nu: float) -> None:
        super().__init__()
        self.tau, self.nu = tau, nu
        zeros = torch.zeros(n_users, dtype=torch.float64)
        self.register_buffer("temperature", zeros + tau)
        self.register_buffer("loss_sum", zeros.clone())
        self.register_buffer("n_rows", zeros.clone())

    @torch.no_grad()
    def record(self, users: torch.Tensor, row_loss: torch.Tensor) -> None:
        """Add a batch's losses, (B,), to the sums of its users, (B,) int64."""
        row_loss = row_loss.double()
        self.loss_sum.index_add_(0, users, row_loss)
        self.n_rows.index_add_(0, users, torch.ones_like(row_loss))

    def refresh(self) -> None:
        """Set the temperatures from the losses recorded since the last call; empty the sums.

        A user without a recorded loss keeps its temperature.
        """
        seen = self.n_rows > 0
        if bool(seen.any()):
            loss = self.loss_sum[seen] / self.n_rows[seen]
            self.temperature[seen] = user_temperatures(loss, tau=self.tau, nu=self.nu)
        self.loss_sum.zero_()
        self.n_rows.zero_()

    def forward(self, users: torch.Tensor) -> torch.Tensor:
        """(B,) int64 -> (B,) float64, the temperatures of users."""
        return self.temperature[users]


class AdapTauLoss(RowLoss):
    """Mean of :func:`adap_tau_loss`; the temperatures are set before each epoch from the last one.

    The first epoch has tau for all users, that is, SL. A user's loss is the mean of
    :func:`recbole_dsl.losses.sl.softmax_loss` at tau over the user's rows of the last epoch, each
    as it was when its batch was trained; batches scored in evaluation mode do not count.
    """

    paper = "Chen et al., WWW 2023"
    inputs = ("pos", "neg", "users")
    row_sums = ("per_user.loss_sum", "per_user.n_rows")
    per_user: PerUserTemperature  # from prepare on

    def __init__(self, *, tau: float, nu: float) -> None:
        check_positive("tau", tau)
        check_positive("nu", nu)
        super().__init__(tau=tau, nu=nu)

    def prepare(self, data: TrainingRows) -> None:
        per_user = PerUserTemperature(data.n_users, **self.options)
        self.per_user = per_user.to(data.users.device)

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        self.per_user.refresh()

    def forward(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.per_user.record(users, softmax_loss(pos.detach(), neg.detach(), tau=self.tau))
        return adap_tau_loss(pos, neg, self.per_user(users)).mean()

    def robust_view(self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor) -> RobustView:
        return RobustView(neg, self.per_user(users))
