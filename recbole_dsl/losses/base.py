"""What the loss modules share: they store checked options, show them, and name their inputs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import torch

from recbole_dsl.losses.dro import view_statistics


class TrainingRows(NamedTuple):
    """The training data as a loss sees it in :meth:`RowLoss.prepare`.

    Attributes:
        users, items: (E,) int64. Training interactions, ids from 1 (0 is padding).
        n_users, n_items: U and I, sizes of the embedding tables, the padding rows 0 included.
    """

    users: torch.Tensor
    items: torch.Tensor
    n_users: int
    n_items: int


class ModelView(Protocol):
    """What a loss may ask of the model before an epoch, all without gradient."""

    def score_blocks(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yields (user ids (b,), scores (b, I)) over all users; column 0 is the padding item."""

    def tables(self) -> tuple[torch.Tensor, torch.Tensor]:
        """(U, D) and (I, D), whose inner products are the scores; rows 0 are padding."""

    def batches(self, names: Sequence[str]) -> Iterator[dict[str, torch.Tensor]]:
        """Yields the named inputs, by name, of each batch of one pass over the training rows.

        Negatives are drawn anew.
        """


class RowLoss(torch.nn.Module):
    """Mean of a row-wise loss function over a batch.

    A subclass checks its options and implements ``forward`` over the tensors named in ``inputs``.
    One that keeps state beside them sizes it in ``prepare`` and refreshes it in ``begin_epoch``.

    A subclass that is a log-sum-exp over negatives may have a method ``robust_view(**inputs)``: it
    takes the tensors of ``forward``, returns a :class:`recbole_dsl.losses.dro.RobustView` and
    changes no state. The diagnostics (:mod:`recbole_dsl.evaluation.diagnostics`) need it. Where the
    positive is in the denominator too, the view covers the sum over the negatives alone.

    Attributes:
        paper: where the loss was published, shown in the list of losses.
        inputs: names of the tensors ``forward`` takes, from those the model layer can provide.
        scores: the values of the setting ``score`` for which the loss is defined.
        ignores_minus_inf: whether a negative whose score is -inf adds nothing to the loss and gets
            the gradient 0, as in a log-sum-exp. With ``sample_num: all`` the positives of the row's
            user are then left out in that way, M counting them; for other losses, which count or
            rank their negatives, other negatives of the row stand in their place.
        row_sums: names of buffers that ``forward`` adds to row by row and ``begin_epoch`` empties;
            where several processes share the rows, their sums are added up after each epoch.
        options: the options, by name.
    """

    paper: str | None = None
    inputs: tuple[str, ...] = ("pos", "neg")
    scores: tuple[str, ...] = ("cosine", "dot")
    ignores_minus_inf: bool = False
    row_sums: tuple[str, ...] = ()

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    @property
    def tau(self) -> Any:
        """The temperature, for messages; None for a loss without one."""
        return self.options.get("tau")

    def prepare(self, data: TrainingRows) -> None:
        """Build what depends on the training data; called once, before training.

        Learned parts become sub-modules, which the main optimiser trains with the model; derived
        tensors become non-persistent buffers.
        """

    def begin_epoch(self, epoch: int, view: ModelView) -> None:
        """Refresh state before a training epoch (counted from 0).

        Args:
            epoch: number of the epoch about to be trained.
            view: the model as it is before the epoch.
        """

    def measure(self, view: ModelView) -> None:
        """Compute state that is not in a checkpoint from the model as it is now.

        Args:
            view: as in :meth:`begin_epoch`, but without ``batches``: there are no training rows.
        """

    def statistics(self, **inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        """Scalars that are worth a curve over the epochs, such as temperatures that change.

        The trainer asks once in an epoch, of its last batch, in evaluation mode and without
        gradient; no state may change. By default those of :func:`recbole_dsl.losses.dro
        .view_statistics` for a loss with ``robust_view``, and none for others.

        Args:
            inputs: the tensors of ``forward``, by name.
        Returns:
            dict: name -> tensor of shape ().
        """
        robust_view: Any = getattr(self, "robust_view", None)
        return {} if robust_view is None else view_statistics(robust_view(**inputs))

    def training_state(self) -> dict[str, Any]:
        """What the next epochs depend on beside parameters and buffers, such as the state of an
        optimizer of the loss's own: tensors and plain data, kept for a run that goes on later."""
        return {}

    def load_training_state(self, state: Mapping[str, Any]) -> None:
        """Go on from what :meth:`training_state` returned."""

    def extra_repr(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.options.items())
