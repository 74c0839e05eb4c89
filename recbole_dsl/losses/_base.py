"""What the loss modules share: they store checked options, show them, and name their inputs."""

from typing import NamedTuple

import torch


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


class RowLoss(torch.nn.Module):
    """Mean of a row-wise loss function over a batch.

    A subclass checks its options and implements ``forward`` over the tensors named in ``inputs``.
    One that keeps state beside them sizes it in ``prepare`` and refreshes it in ``begin_epoch``.

    A subclass that is a log-sum-exp over negatives may offer ``robust_view(**inputs)``: from the
    tensors of ``forward`` to a :class:`recbole_dsl.losses.dro.RobustView`, changing no state. With
    it the loss has diagnostics (:mod:`recbole_dsl.diagnostics`); where the positive is in the
    denominator too, they are of the sum over the negatives alone.

    Attributes:
        paper: where the loss was published, for ``--list``.
        inputs: names of the tensors ``forward`` takes, of those the model layer offers.
        scores: the values of the setting ``score`` the loss is defined for.
        row_sums: names of buffers that ``forward`` adds to row by row and ``begin_epoch`` empties;
            where several processes share the rows, their sums are added up after each epoch.
        options: the options, by name.
    """

    paper = None
    inputs = ("pos", "neg")
    scores = ("cosine", "dot")
    row_sums = ()

    def __init__(self, **options):
        super().__init__()
        self.options = options

    @property
    def tau(self):
        """The temperature, for messages; None for a loss without one."""
        return self.options.get("tau")

    def prepare(self, data):
        """Build what depends on the training data, a :class:`TrainingRows`; once, before training.

        Learned parts become sub-modules, which the main optimiser trains with the model; derived
        tensors become non-persistent buffers.
        """

    def begin_epoch(self, epoch, view):
        """Refresh state before a training epoch (counted from 0).

        Args:
            epoch: number of the epoch about to be trained.
            view: what the loss may ask of the model at this moment, without gradient:
                ``view.score_blocks()`` yields (user ids (b,), scores (b, I)) over all users, column
                0 being the padding item; ``view.batches(names)`` yields dicts of the named inputs
                over one pass of the training rows, with fresh negatives.
        """

    def measure(self, view):
        """Measure anew, from the model as it stands, state that is not in a checkpoint.

        Args:
            view: as in :meth:`begin_epoch`.
        """

    def extra_repr(self):
        return ", ".join(f"{name}={value}" for name, value in self.options.items())
