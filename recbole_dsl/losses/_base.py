"""What the loss modules share: they store checked options, show them, and name their inputs."""

import torch


class RowLoss(torch.nn.Module):
    """Mean of a row-wise loss function over a batch.

    A subclass checks its options and implements ``forward`` over the tensors named in ``inputs``.

    Attributes:
        paper: where the loss was published, for ``--list``.
        inputs: names of the tensors ``forward`` takes, of those the model layer offers.
        options: the options, by name.
    """

    paper = None
    inputs = ("pos", "neg")

    def __init__(self, **options):
        super().__init__()
        self.options = options

    @property
    def tau(self):
        """The temperature, for messages; None for a loss without one."""
        return self.options.get("tau")

    def extra_repr(self):
        return ", ".join(f"{name}={value}" for name, value in self.options.items())
