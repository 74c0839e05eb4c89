"""AdvInfoNCE: InfoNCE whose negatives carry an adversarially learned hardness."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import (
    check_count,
    check_flag,
    check_integer,
    check_positive,
)
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp, log_sum_exp, with_zero
from recbole_dsl.losses.products_by_id import products_by_id


def adv_info_nce_loss(
    pos: torch.Tensor,
    neg: torch.Tensor,
    hardness: torch.Tensor,
    *,
    tau: float,
    negative_weight: float,
    positive_in_denominator: bool,
) -> torch.Tensor:
    r"""AdvInfoNCE: each negative must lose by a margin of its own.

    .. math:: \ell_b = \log \frac1{kM+1} \Bigl(1 + k \sum_{j=1}^M
        \exp\bigl(\delta_{bj} + (f_{bj} - f_b)/\tau\bigr)\Bigr)

    with k the negative weight, and without the positive in the denominator
    :math:`\log \frac1M \sum_j \exp(\delta_{bj} + (f_{bj} - f_b)/\tau)`, whatever k: the 1 being
    gone, k is a factor of the whole sum and its log a constant, which is subtracted.

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        hardness: (B, M) float. :math:`\delta_{bj} = \log(M p_{bj})`, p a distribution over the
            row's negatives; > 0 asks for more distance, < 0 marks a likely false negative.
        tau: temperature, > 0, in score units.
        negative_weight: k, > 0, weight of the negatives against the positive in the denominator.
        positive_in_denominator: whether the 1, the positive itself, is there.
    Returns:
        (B,) float, in nats; may be negative.
    Raises:
        ValueError: tau or negative_weight <= 0; M == 0; hardness not of neg's shape.
    Source: Zhang, Sheng, Cai, Wang, Chua, "Empowering Collaborative Filtering with Principled
        Adversarial Contrastive Loss", NeurIPS 2023.
    Differs from source: the constant log(kM + 1), or without the positive log(kM), is subtracted,
        so that equal scores and hardness 0 are a loss of 0 for every M and k. The paper's equation
        has k = 1; the authors' code has :math:`e^{f_b/\tau} + k M \sum_j p_{bj} e^{f_{bj}/\tau}`,
        k 64 by default, with M = 128 in its commands. The larger kM, the less the positive in the
        denominator does. The form without it is an option of ours.
    Conventions: the positive is in the denominator or not, an option; mean; not multiplied
        by tau; one tau, which does not divide the hardness.
    Limits: hardness 0 everywhere is SL: with negative_weight 1 in either of its forms, with any
        weight in the form without the positive. negative_weight -> infinity is the form without
        the positive.
    Example:
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.5, 0.5]])
        >>> options = dict(tau=0.1, negative_weight=64.0, positive_in_denominator=True)
        >>> adv_info_nce_loss(pos, neg, torch.zeros(1, 2), **options)
        tensor([0.])
    """
    check_positive("tau", tau)
    check_positive("negative_weight", negative_weight)
    check_scores(pos, neg)
    check_like("hardness", hardness, "neg", neg)
    pos, neg, hardness = in_float32(pos, neg, hardness)
    if positive_in_denominator:
        gaps = log_sum_exp(neg, pos, scale=1 / tau, bias=hardness)
        total = with_zero(gaps + math.log(negative_weight))
        return total - math.log(negative_weight * neg.shape[1] + 1)
    return log_mean_exp(neg, pos, scale=1 / tau, bias=hardness)


class Adversary(torch.nn.Module):
    r"""The learned hardness: :math:`p_{bj} \propto \exp(\langle a_u, b_j \rangle)`.

    Args:
        n_users, n_items: U and I, the padding rows included.
        size: width of the vectors a and b, >= 1.
    """

    def __init__(self, n_users: int, n_items: int, size: int) -> None:
        super().__init__()
        self.user = torch.nn.Embedding(n_users, size)
        self.item = torch.nn.Embedding(n_items, size)
        torch.nn.init.xavier_normal_(self.user.weight)
        torch.nn.init.xavier_normal_(self.item.weight)

    def forward(self, users: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
        """(B,) users and (B, M) items -> (B, M) hardness; the mean of its exp is 1 in each row."""
        scores = products_by_id(self.user(users), self.item.weight, negatives)
        return torch.log_softmax(scores, dim=1) + math.log(negatives.shape[1])


class AdvInfoNCELoss(RowLoss):
    """Mean of :func:`adv_info_nce_loss`, with a hardness learned in turns of its own.

    In a turn the adversary maximises the loss in one pass over the training rows, the model being
    fixed; at all other times the hardness is fixed. The first turn comes when ``adversarial_start``
    epochs have been trained, the others every ``adversarial_every`` epochs from there on, until
    there were ``adversarial_epochs``: with the defaults before the epochs that the log, which
    counts from 0, calls 2, 7, 12, 17, 22, 27 and 32.

    Interval, rate, size and number of turns are the defaults of the authors' code, which has its
    first turn after epoch 2 and whose commands have 7 to 20 turns. The bound on the hardness' KL
    divergence from uniform, a constraint in the paper's equation, is kept, as there, by how often
    and how fast the adversary learns.
    """

    paper = "Zhang et al., NeurIPS 2023"
    inputs = ("pos", "neg", "users", "negatives")
    adversary: Adversary  # from prepare on

    def __init__(
        self,
        *,
        tau: float = 0.2,
        negative_weight: float = 64.0,
        positive_in_denominator: bool = True,
        adversarial_learning_rate: float = 5e-5,
        adversarial_start: int = 2,
        adversarial_every: int = 5,
        adversarial_epochs: int = 7,
        adversarial_embedding_size: int = 64,
    ) -> None:
        check_positive("tau", tau)
        check_positive("negative_weight", negative_weight)
        check_flag("positive_in_denominator", positive_in_denominator)
        check_positive("adversarial_learning_rate", adversarial_learning_rate)
        check_integer("adversarial_start", adversarial_start, 0)
        check_count("adversarial_every", adversarial_every)
        check_count("adversarial_epochs", adversarial_epochs)
        check_count("adversarial_embedding_size", adversarial_embedding_size)
        super().__init__(
            tau=tau,
            negative_weight=negative_weight,
            positive_in_denominator=positive_in_denominator,
            adversarial_learning_rate=adversarial_learning_rate,
            adversarial_start=adversarial_start,
            adversarial_every=adversarial_every,
            adversarial_epochs=adversarial_epochs,
            adversarial_embedding_size=adversarial_embedding_size,
        )
        self._optimizer: torch.optim.Adam | None = None

    def prepare(self, data: TrainingRows) -> None:
        size = self.options["adversarial_embedding_size"]
        self.adversary = Adversary(data.n_users, data.n_items, size)

    def _row_loss(
        self, pos: torch.Tensor, neg: torch.Tensor, hardness: torch.Tensor
    ) -> torch.Tensor:
        names = ("tau", "negative_weight", "positive_in_denominator")
        options = {name: self.options[name] for name in names}
        return adv_info_nce_loss(pos, neg, hardness, **options)

    def _has_turn(self, epoch: int) -> bool:
        """Whether the adversary learns before this epoch."""
        names = ("adversarial_start", "adversarial_every", "adversarial_epochs")
        start, every, turns = (self.options[name] for name in names)
        return epoch in range(start, start + every * turns, every)

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        if not self._has_turn(epoch):
            return
        if self._optimizer is None:
            self._optimizer = self._new_optimizer()
        for batch in view.batches(self.inputs):
            self._optimizer.zero_grad()
            hardness = self.adversary(batch["users"], batch["negatives"])
            loss = self._row_loss(batch["pos"], batch["neg"], hardness).mean()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            self._optimizer.step()
        # No gradient may be left, or the model's optimiser would apply it.
        self._optimizer.zero_grad(set_to_none=True)

    def _new_optimizer(self) -> torch.optim.Adam:
        rate = self.options["adversarial_learning_rate"]
        return torch.optim.Adam(self.adversary.parameters(), lr=rate, maximize=True)

    def training_state(self) -> dict[str, Any]:
        return {} if self._optimizer is None else {"optimizer": self._optimizer.state_dict()}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        self._optimizer = None
        if state:
            self._optimizer = self._new_optimizer()
            self._optimizer.load_state_dict(state["optimizer"])

    def forward(
        self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor, negatives: torch.Tensor
    ) -> torch.Tensor:
        check_scores(pos, neg)  # before the ids are used
        with torch.no_grad():
            hardness = self.adversary(users, negatives).to(pos.dtype)
        return self._row_loss(pos, neg, hardness).mean()

    @torch.no_grad()
    def robust_view(
        self, pos: torch.Tensor, neg: torch.Tensor, users: torch.Tensor, negatives: torch.Tensor
    ) -> RobustView:
        # P is p: the negative weight is the same for all negatives of a row
        return RobustView(neg, torch.full_like(pos, self.tau), self.adversary(users, negatives))
