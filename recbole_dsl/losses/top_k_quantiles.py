"""Top-K quantiles: the score of each user's K-th best item, which SL@K and Talos compare with."""

import math
from typing import Any

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_choice, check_count, check_positive
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows

METHODS = ("exact", "regression")
MAX_MOVE = 100.0  # of a quantile in one step, in learning rates: see RegressionQuantiles


def top_k_quantile(scores: torch.Tensor, k: int) -> torch.Tensor:
    """The K-th largest of each row, (B, I) -> (B,); the smallest where there are fewer than K."""
    return scores.topk(min(k, scores.shape[1]), dim=1, sorted=False).values.min(dim=1).values


class TopKQuantiles(torch.nn.Module):
    """A quantile per user, over all items, positives of training too, without gradient.

    Attributes:
        value: (U,) float64, 0 before the first measurement; its row 0 is the padding's.
        row_sums: as in :class:`recbole_dsl.losses.base.RowLoss`, of this module's buffers.
    """

    value: torch.Tensor
    row_sums: tuple[str, ...] = ()

    def __init__(self, n_users: int, *, k: int, persistent: bool) -> None:
        super().__init__()
        self.k = k
        zeros = torch.zeros(n_users, dtype=torch.float64)
        self.register_buffer("value", zeros, persistent=persistent)

    def set_exactly(self, view: ModelView) -> None:
        """Set each user's quantile to the K-th largest score over all items."""
        for users, scores in view.score_blocks():
            # Column 0 is the padding item, no competitor.
            self.value[users] = top_k_quantile(scores[:, 1:], self.k).double()

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        """Refresh the quantiles before a training epoch."""
        raise NotImplementedError

    def measure(self, view: ModelView) -> None:
        """Compute what is not in a checkpoint from the model as it is now."""

    def observe(self, users: torch.Tensor, pos: torch.Tensor, neg: torch.Tensor) -> None:
        """Take note of a training batch: (B,) int64 users, (B,) and (B, M) scores."""

    def forward(self, users: torch.Tensor) -> torch.Tensor:
        """(B,) int64 -> (B,) float64, the quantiles of users."""
        return self.value[users]


class ExactQuantiles(TopKQuantiles):
    """Quantiles from the scores of all items, measured before every ``every``-th epoch, from 0 on.

    A measurement takes about half as long as an evaluation. Not in the checkpoint.
    """

    def __init__(self, n_users: int, *, k: int, every: int) -> None:
        super().__init__(n_users, k=k, persistent=False)
        self.every = every

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        if epoch % self.every == 0:
            self.set_exactly(view)

    def measure(self, view: ModelView) -> None:
        self.set_exactly(view)


class RegressionQuantiles(TopKQuantiles):
    r"""Quantiles that quantile regression moves in each step, over the batch's own scores.

    The pinball loss of a user's quantile :math:`\beta`, over its training positives P and M of the
    other items, and :math:`(x)_+ = \max(0, x)`:

    .. math::
        Q(\beta) = \frac1I \Bigl[\sum_{i \in P} \rho(f_i - \beta)
            + \frac{I - |P|}{M} \sum_{j=1}^M \rho(f_j - \beta)\Bigr], \qquad
        \rho(x) = \Bigl(1 - \frac KI\Bigr) (x)_+ + \frac KI (-x)_+

    Its slope is (K - A) / I, with A an estimate of how many items score at least :math:`\beta`; it
    is 0 at the K-th largest score. A row has one of the positives, which stands for all of them.
    Once for each user of a batch, whatever the number of its rows, with A the mean over them:

    .. math:: \beta \leftarrow \beta + \eta \min(A / K - 1,\; 100)

    Args:
        data: the training rows; a repeated pair counts as one positive.
        k: K; at most the number of items counts.
        learning_rate: :math:`\eta`, > 0, in score units.
    Source: Zhang et al., "Talos", WWW 2026, Eq. (3.3) and Section 3.1: this loss, gradient
        descent with a learning rate of 0.001, in turn with the steps of the model.
    Differs from source: the paper does not say where quantiles start nor by which optimiser they
        descend. Ours: they start exact, before epoch 0. The loss is divided by K / I, so that the
        rate is the most by which a quantile falls in a step; undivided it is 2e-6 for K = 20 of
        8,693 items, too little to follow a model. A step up is bounded, or a quantile far too low
        would leap over the scores. The sum over all positives is estimated from those of the batch.
    Limits: the weights are right for uniform negatives; with others the quantile is one of the
        items that are drawn.

    Where several processes share the rows, each moves the quantiles by its own batches; after the
    epoch a user's moves are averaged over the processes, weighted by their steps for the user.

    Attributes:
        value: (U,) float64, the quantiles at the start of the epoch.
        steps: (U,) float64, a user's steps in this epoch.
        moves: (U,) float64, steps times how far the quantile has moved in this epoch.
    """

    row_sums = ("steps", "moves")
    steps: torch.Tensor
    moves: torch.Tensor
    n_positives: torch.Tensor
    scratch: torch.Tensor

    def __init__(self, data: TrainingRows, *, k: int, learning_rate: float) -> None:
        self.n_items = data.n_items - 1  # without the padding
        super().__init__(data.n_users, k=min(k, self.n_items), persistent=True)
        self.learning_rate = learning_rate
        self.register_buffer("steps", torch.zeros_like(self.value))
        self.register_buffer("moves", torch.zeros_like(self.value))
        pairs = torch.unique(data.users * data.n_items + data.items)
        counts = torch.bincount(pairs // data.n_items, minlength=data.n_users).double()
        self.register_buffer("n_positives", counts, persistent=False)
        scratch = torch.zeros(data.n_users, 2, dtype=torch.float64)
        self.register_buffer("scratch", scratch, persistent=False)

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        if epoch == 0:
            self.set_exactly(view)
        else:
            self.value += self.moves / self.steps.clamp(min=1)
        self.steps.zero_()
        self.moves.zero_()

    def forward(self, users: torch.Tensor) -> torch.Tensor:
        return self.value[users] + self._moved(users)

    def _moved(self, users: torch.Tensor) -> torch.Tensor:
        """How far the users' quantiles have moved in this epoch, (B,)."""
        return self.moves[users] / self.steps[users].clamp(min=1)

    @torch.no_grad()
    def observe(self, users: torch.Tensor, pos: torch.Tensor, neg: torch.Tensor) -> None:
        pos, neg = in_float32(pos, neg)
        quantile = self(users).to(pos.dtype)
        positives = self.n_positives[users]
        n_negatives = (neg > -math.inf).sum(dim=1)  # the others are left out
        share = (neg >= quantile.unsqueeze(1)).sum(dim=1).double() / n_negatives
        above = positives * (pos >= quantile) + (self.n_items - positives) * share
        step = (self._mean_of_user(users, above) / self.k - 1).clamp(max=MAX_MOVE)
        moved, steps = self._moved(users) + self.learning_rate * step, self.steps[users] + 1
        # Rows of one user write the same value, in whatever order.
        self.steps[users] = steps
        self.moves[users] = steps * moved

    def _mean_of_user(self, users: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """The mean of values over the rows of the same user, for each row: (B,), (B,) -> (B,)."""
        self.scratch.index_add_(0, users, torch.stack([values, torch.ones_like(values)], dim=1))
        total, count = self.scratch[users].unbind(dim=1)
        self.scratch[users] = 0.0  # only the batch's rows: a step does not pass over all users
        return total / count


class TopKQuantileLoss(RowLoss):
    """A loss that compares scores with the top-K quantile of the row's user.

    Args:
        quantile: "exact", see :class:`ExactQuantiles`, or "regression", see
            :class:`RegressionQuantiles`.
        k: K, an integer >= 1.
        quantile_every: epochs from one exact measurement to the next, an integer >= 1.
        quantile_learning_rate: learning rate of the regression, > 0, in score units.
        options: the other options of the loss, checked by it.
    """

    inputs = ("pos", "neg", "users")
    quantiles: TopKQuantiles  # from prepare on

    def __init__(
        self,
        *,
        quantile: str,
        k: int,
        quantile_every: int,
        quantile_learning_rate: float,
        **options: Any,
    ) -> None:
        check_choice("quantile", quantile, METHODS)
        check_count("k", k)
        check_count("quantile_every", quantile_every)
        check_positive("quantile_learning_rate", quantile_learning_rate)
        super().__init__(
            **options,
            quantile=quantile,
            k=k,
            quantile_every=quantile_every,
            quantile_learning_rate=quantile_learning_rate,
        )

    def prepare(self, data: TrainingRows) -> None:
        k = self.options["k"]
        quantiles: TopKQuantiles
        if self.options["quantile"] == "exact":
            quantiles = ExactQuantiles(data.n_users, k=k, every=self.options["quantile_every"])
        else:
            rate = self.options["quantile_learning_rate"]
            quantiles = RegressionQuantiles(data, k=k, learning_rate=rate)
        self.quantiles = quantiles.to(data.users.device)
        self.row_sums = tuple(f"quantiles.{name}" for name in quantiles.row_sums)

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        self.quantiles.begin_epoch(epoch, view)

    def measure(self, view: ModelView) -> None:
        self.quantiles.measure(view)

    def quantile_of(self, users: torch.Tensor, pos: torch.Tensor) -> torch.Tensor:
        """The quantiles of (B,) users, in the dtype of pos, but no narrower than float32."""
        found: torch.Tensor = self.quantiles(users)
        return found.to(torch.promote_types(pos.dtype, torch.float32))

    def observe(self, users: torch.Tensor, pos: torch.Tensor, neg: torch.Tensor) -> None:
        """In training, let the quantiles take note of a batch whose loss has been computed."""
        if self.training:
            self.quantiles.observe(users, pos.detach(), neg.detach())
