"""DSL: Dual-scale Softmax Loss, SL with weighted negatives and a temperature per example."""

from typing import Any

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import (
    check_at_least,
    check_choice,
    check_count,
    check_finite,
    check_positive,
)
from recbole_dsl.losses.adaptau import WARM_UP_GAP, global_temperature, mean_gap
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.co_occurrence import CoOccurrence
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.dsl_scales import DSLForm, dsl_scales
from recbole_dsl.losses.effective_negatives import ScoreSample, temperature_of_share
from recbole_dsl.losses.log_sum_exp import log_mean_exp

CENTRES = ("batch", "running")
TAUS = ("given", "effective_share", "score_gap")
SIMILARITIES = ("embeddings", "co_occurrence")
_WARM_UP = 10  # epochs with Adap-tau's first gap, before the model's own is trusted
_KEPT = 0.99  # share of the running centre that a batch leaves


def _checked(
    tau: float, alpha: float, beta: float, gamma: float, slate_size: int, clip: float
) -> dict[str, Any]:
    """The options by name; raises ValueError where one is out of its range."""
    check_positive("tau", tau)
    for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        check_finite(name, value)
    check_count("slate_size", slate_size)
    check_at_least("clip", clip, 1)
    return dict(tau=tau, alpha=alpha, beta=beta, gamma=gamma, slate_size=slate_size, clip=clip)


def _similarity(
    neg: torch.Tensor, item_similarity: torch.Tensor | None, beta: float
) -> torch.Tensor | None:
    """item_similarity in the type in which the loss is computed; None where beta is 0."""
    if item_similarity is None:
        return None
    check_like("item_similarity", item_similarity, "neg", neg)
    return None if beta == 0 else in_float32(item_similarity)[0]


def dsl_loss(
    pos: torch.Tensor,
    neg: torch.Tensor,
    item_similarity: torch.Tensor | None,
    *,
    tau: float,
    alpha: float,
    beta: float,
    gamma: float,
    slate_size: int,
    clip: float,
    form: DSLForm = DSLForm(),  # noqa: B008  # it cannot be changed
) -> torch.Tensor:
    r"""DSL: SL whose negatives are weighted and whose temperature follows the competition.

    .. math:: \ell_b = \log \frac1M \sum_{j=1}^M \kappa_{bj} \exp\bigl((f_{bj} - f_b)/\tau_b\bigr)

    with :math:`\kappa` and :math:`\tau_b` of :func:`dsl_scales`, both without gradient.

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        item_similarity: (B, M) float. Cosine of negative and positive item; None where beta is 0.
        tau: base temperature, > 0, in score units; the geometric mean of the examples' own.
        alpha: weight of hardness in kappa, any sign. > 0 gives hard negatives more weight.
        beta: weight of item similarity in kappa, any sign. > 0 gives substitutes of the positive
            more weight, < 0 less, as likely false negatives.
        gamma: strength of the example temperatures, any sign. > 0 raises those of contested rows.
        slate_size: K >= 1, how many top competitors measure how contested a row is.
        clip: r >= 1, bound on tau_b over tau, either way; it can act where abs(gamma) > log(clip).
        form: forms of ours; with a positive_factor c, :math:`f_b/(c\tau_b)` is subtracted.
    Returns:
        (B,) float, in nats; may be negative, as in SL.
    Raises:
        ValueError: an option out of its range; M == 0; item_similarity of another shape, or none.
    Source: "DSL: Understanding and Improving Softmax Recommender Systems with Competition-Aware
        Scaling", arXiv 2602.07206. From its abstract and public summaries, the paper's:
        log-sum-exp; negatives reweighted by hardness and item-item similarity; a temperature per
        example by competition on a slate of top competitors; both normalised; SL; KL-DRO.
    Differs from source: the full text was not at hand. Ours are the forms: the sigmoid as hardness,
        the linear mix under a softmax, the mean hardness as intensity, exp(gamma (c - c_0)), the
        clip, the geometric mean of tau, the stopped gradients, the defaults and :class:`DSLForm`.
    Conventions: the positive is not in the denominator; mean over negatives; not times tau.
    Limits: alpha = beta = gamma = 0 is SL, to the bit.
    Example:
        >>> off = dict(alpha=0.0, beta=0.0, gamma=0.0, slate_size=2, clip=4.0)
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.5, 0.5]])
        >>> dsl_loss(pos, neg, torch.zeros(1, 2), tau=0.1, **off)
        tensor([0.])
    """
    options = _checked(tau, alpha, beta, gamma, slate_size, clip)
    form.check()
    check_scores(pos, neg)
    item_similarity = _similarity(neg, item_similarity, beta)
    pos, neg = in_float32(pos, neg)
    log_kappa, tau_b = dsl_scales(pos, neg, item_similarity, **options, form=form)
    scale = 1 / (tau if tau_b is None else tau_b)
    loss = log_mean_exp(neg, pos, scale=scale, bias=log_kappa)
    c = form.positive_factor
    return loss if c == 1 else loss + (1 - 1 / c) * scale * pos


class DSLLoss(RowLoss):
    """Mean of :func:`dsl_loss` over the rows of a batch.

    Where beta is 0, ``inputs`` are pos and neg alone: no similarity is computed. Otherwise it is
    the cosine of the items' embeddings, as they are in that step, or, with ``similarity:
    co_occurrence``, that of their columns of the training interactions, which does not change:
    :class:`recbole_dsl.losses.co_occurrence.CoOccurrence`.

    With ``centre: running``, the intensity around which temperatures spread is a running mean over
    the batches, of which each weighs 1 %, in place of this batch's: an example's temperature
    depends less on which others are in its batch, and the geometric mean of a batch is not tau.

    With ``base_tau`` other than ``given``, tau is set before each epoch. ``effective_share``: so
    that at tau the share of that name of the negatives is effective
    (:func:`recbole_dsl.losses.effective_negatives.effective_share`). ``score_gap``: by Adap-tau's
    closed form, :func:`recbole_dsl.losses.adaptau.global_temperature`, with a gap of 0.7 in the
    first 10 epochs, then the model's own; where that is not above 0 the last temperature stays.
    """

    paper = "arXiv 2602.07206"
    inputs: tuple[str, ...] = ("pos", "neg", "item_similarity")
    ignores_minus_inf = True
    intensity_sum: torch.Tensor
    current_tau: torch.Tensor

    def __init__(
        self,
        *,
        tau: float = 0.2,
        alpha: float = 0.0,
        beta: float = 0.0,
        gamma: float = 0.5,
        slate_size: int = 20,
        clip: float = 4.0,
        similarity: str = "embeddings",
        positive_factor: float = 1.0,
        hardness: str = "sigmoid",
        intensity: str = "mean",
        centre: str = "batch",
        base_tau: str = "given",
        effective_share: float = 0.5,
    ) -> None:
        options = _checked(tau, alpha, beta, gamma, slate_size, clip)
        check_choice("similarity", similarity, SIMILARITIES)
        check_choice("centre", centre, CENTRES)
        check_choice("base_tau", base_tau, TAUS)
        check_finite("effective_share", effective_share)
        if not 0 < effective_share < 1:
            raise ValueError(f"effective_share must be in (0, 1), got {effective_share!r}")
        form = DSLForm(positive_factor, hardness, intensity)
        form.check()
        super().__init__(
            **options, similarity=similarity, positive_factor=positive_factor, hardness=hardness,
            intensity=intensity, centre=centre, base_tau=base_tau, effective_share=effective_share,
        )  # fmt: skip
        if centre == "running":
            self.register_buffer("intensity_sum", torch.zeros(2))  # weighted sum, and weights
            form = form._replace(centre=self._running)
        self._of_row = {**options, "form": form}
        self._by_counts = beta != 0 and similarity == "co_occurrence"
        if self._by_counts:
            self.inputs = ("pos", "neg", "items", "negatives")
        elif beta == 0:
            self.inputs = ("pos", "neg")
        if base_tau != "given":
            self.register_buffer("current_tau", torch.tensor(tau, dtype=torch.float64))
            take: Any = self.register_load_state_dict_post_hook  # torch has no types here
            take(lambda module, _: module._take_tau())

    @property
    def tau(self) -> float:
        """The base temperature as it is now."""
        now: float = self._of_row["tau"]
        return now

    def _take_tau(self) -> None:
        # As a number, so that no training step waits for a GPU to tell it.
        self._of_row["tau"] = float(self.current_tau)

    def prepare(self, data: TrainingRows) -> None:
        if self._by_counts:
            self.co_occurrence = CoOccurrence(data)
        if self.options["base_tau"] == "effective_share":
            self._sample = ScoreSample(data)
        elif self.options["base_tau"] == "score_gap":  # row 0 of both tables is padding
            sizes = dict(n_users=data.n_users - 1, n_items=data.n_items - 1)
            self._sizes = {**sizes, "n_rows": len(data.users)}
            global_temperature(WARM_UP_GAP, **self._sizes)  # refuses data that it does not fit

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        if self.options["base_tau"] == "given":
            return
        if self.options["base_tau"] == "effective_share":
            share = self.options["effective_share"]
            self.current_tau.fill_(temperature_of_share(self._sample.scores(view), share))
        else:
            gap = WARM_UP_GAP if epoch < _WARM_UP else mean_gap(view)
            if gap > 0:
                self.current_tau.fill_(global_temperature(gap, **self._sizes))
        self._take_tau()

    def _running(self, intensity: torch.Tensor) -> torch.Tensor:
        """The running mean of the intensity, of which this batch is a part in training."""
        mean = intensity.mean()
        if self.training:
            added = (1 - _KEPT) * torch.stack((mean, torch.ones_like(mean)))
            self.intensity_sum.mul_(_KEPT).add_(added)
        total, weight = self.intensity_sum
        return torch.where(weight > 0, total / weight.clamp(min=1e-30), mean)

    def _item_similarity(
        self,
        neg: torch.Tensor,
        item_similarity: torch.Tensor | None,
        items: torch.Tensor | None,
        negatives: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """item_similarity, or where it is counted, that of each row's item and negatives."""
        if not self._by_counts:
            return item_similarity
        if items is None or negatives is None:
            raise ValueError("similarity co_occurrence needs items and negatives, got None")
        found: torch.Tensor = self.co_occurrence(items, negatives)
        return found.to(neg.dtype)

    def forward(
        self,
        pos: torch.Tensor,
        neg: torch.Tensor,
        item_similarity: torch.Tensor | None = None,
        items: torch.Tensor | None = None,
        negatives: torch.Tensor | None = None,
    ) -> torch.Tensor:
        similar = self._item_similarity(neg, item_similarity, items, negatives)
        return dsl_loss(pos, neg, similar, **self._of_row).mean()

    def robust_view(
        self,
        pos: torch.Tensor,
        neg: torch.Tensor,
        item_similarity: torch.Tensor | None = None,
        items: torch.Tensor | None = None,
        negatives: torch.Tensor | None = None,
    ) -> RobustView:
        similar = self._item_similarity(neg, item_similarity, items, negatives)
        item_similarity = _similarity(neg, similar, self.options["beta"])
        pos, neg = in_float32(pos, neg)
        log_kappa, tau_b = dsl_scales(pos, neg, item_similarity, **self._of_row)
        tau_b = torch.full_like(pos, self.tau) if tau_b is None else tau_b
        return RobustView(neg, tau_b, log_kappa)
