"""AdvInfoNCE: InfoNCE whose negatives carry an adversarially learned hardness."""

import math

import torch

from recbole_dsl.common.tensors import in_float32
from recbole_dsl.common.validation import check_count, check_flag, check_positive
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows
from recbole_dsl.losses.checks import check_like, check_scores
from recbole_dsl.losses.dro import RobustView
from recbole_dsl.losses.log_sum_exp import log_mean_exp, log_sum_exp, with_zero


def adv_info_nce_loss(
    pos: torch.Tensor,
    neg: torch.Tensor,
    hardness: torch.Tensor,
    *,
    tau: float,
    positive_in_denominator: bool,
) -> torch.Tensor:
    r"""AdvInfoNCE: each negative must lose by a margin of its own.

    .. math:: \ell_b = \log \frac1{M+1} \Bigl(1 + \sum_{j=1}^M
        \exp\bigl(\delta_{bj} + (f_{bj} - f_b)/\tau\bigr)\Bigr)

    and without the positive in the denominator
    :math:`\log \frac1M \sum_j \exp(\delta_{bj} + (f_{bj} - f_b)/\tau)`.

    Args:
        pos: (B,) float. Score :math:`f_b` of each row's positive. Cosine, in [-1, 1].
        neg: (B, M) float. Scores :math:`f_{bj}` of the same row's negatives, same dtype and device.
        hardness: (B, M) float. :math:`\delta_{bj} = \log(M p_{bj})`, p a distribution over the
            row's negatives; > 0 asks for more distance, < 0 marks a likely false negative.
        tau: temperature, > 0, in score units.
        positive_in_denominator: whether the 1, the positive itself, is there.
    Returns:
        (B,) float, in nats; may be negative.
    Raises:
        ValueError: tau <= 0; M == 0; hardness not of neg's shape.
    Source: Zhang, Sheng, Cai, Wang, Chua, "Empowering Collaborative Filtering with Principled
        Adversarial Contrastive Loss", NeurIPS 2023.
    Differs from source: the constant log(M + 1), or log M, is subtracted.
    Conventions: the positive is in the denominator or not, an option; mean; not multiplied
        by tau; one tau, which does not divide the hardness.
    Limits: hardness 0 everywhere is SL, with or without the positive.
    Example:
        >>> pos, neg = torch.tensor([0.5]), torch.tensor([[0.5, 0.5]])
        >>> adv_info_nce_loss(pos, neg, torch.zeros(1, 2), tau=0.1, positive_in_denominator=True)
        tensor([0.])
    """
    check_positive("tau", tau)
    check_scores(pos, neg)
    check_like("hardness", hardness, "neg", neg)
    pos, neg, hardness = in_float32(pos, neg, hardness)
    if positive_in_denominator:
        total = with_zero(log_sum_exp(neg, pos, scale=1 / tau, bias=hardness))
        return total - math.log(neg.shape[1] + 1)
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
        scores = (self.user(users) @ self.item.weight.T).gather(1, negatives)
        return torch.log_softmax(scores, dim=1) + math.log(negatives.shape[1])


class AdvInfoNCELoss(RowLoss):
    """Mean of :func:`adv_info_nce_loss`, with a hardness learned in epochs of its own.

    Before every ``adversarial_every``-th training epoch, ``adversarial_epochs`` times in all, the
    adversary maximises the loss in one pass over the training rows, the model being fixed; at all
    other times the hardness is fixed. The bound on its KL divergence from uniform, a constraint in
    the paper's equation, is kept, as in the source, by how often and how fast the adversary learns.
    """

    paper = "Zhang et al., NeurIPS 2023"
    inputs = ("pos", "neg", "users", "negatives")
    adversary: Adversary  # from prepare on

    def __init__(
        self,
        *,
        tau: float,
        positive_in_denominator: bool,
        adversarial_learning_rate: float,
        adversarial_every: int,
        adversarial_epochs: int,
        adversarial_embedding_size: int,
    ) -> None:
        check_positive("tau", tau)
        check_flag("positive_in_denominator", positive_in_denominator)
        check_positive("adversarial_learning_rate", adversarial_learning_rate)
        check_count("adversarial_every", adversarial_every)
        check_count("adversarial_epochs", adversarial_epochs)
        check_count("adversarial_embedding_size", adversarial_embedding_size)
        super().__init__(
            tau=tau,
            positive_in_denominator=positive_in_denominator,
            adversarial_learning_rate=adversarial_learning_rate,
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
        form = self.options["positive_in_denominator"]
        return adv_info_nce_loss(pos, neg, hardness, tau=self.tau, positive_in_denominator=form)

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        number, rest = divmod(epoch, self.options["adversarial_every"])
        # Not before the first epoch: an untrained model has no hard negatives to find.
        if rest or not 1 <= number <= self.options["adversarial_epochs"]:
            return
        if self._optimizer is None:
            self._optimizer = torch.optim.Adam(
                self.adversary.parameters(),
                lr=self.options["adversarial_learning_rate"],
                maximize=True,
            )
        for batch in view.batches(self.inputs):
            self._optimizer.zero_grad()
            hardness = self.adversary(batch["users"], batch["negatives"])
            loss = self._row_loss(batch["pos"], batch["neg"], hardness).mean()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            self._optimizer.step()
        # No gradient may be left, or the model's optimiser would apply it.
        self._optimizer.zero_grad(set_to_none=True)

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
        return RobustView(neg, torch.full_like(pos, self.tau), self.adversary(users, negatives))
