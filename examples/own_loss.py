"""A loss of one's own beside SL, on the same backbone, split and settings.

    python examples/own_loss.py

The class and own_loss.yaml beside it are all: its keyword-only arguments are settings, so
`--margin=0.5` works on a command line too. Registered, it has a name; docs/guide/extending.md has
the ways without a registration.
"""

from pathlib import Path

import torch

import recbole_dsl
from recbole_dsl.losses import RowLoss


class HingeLoss(RowLoss):
    """Mean of max(0, margin + neg - pos) over rows and negatives."""

    paper = "Weimer et al., ICML 2008"

    def __init__(self, *, margin: float = 0.3) -> None:
        if margin <= 0:
            raise ValueError(f"margin must be > 0, got {margin!r}")
        super().__init__(margin=margin)

    def forward(self, pos: torch.Tensor, neg: torch.Tensor) -> torch.Tensor:  # (B,), (B, M) -> ()
        return (self.options["margin"] + neg - pos.unsqueeze(1)).clamp(min=0).mean()


def main():
    properties = Path(__file__).with_suffix(".yaml")
    recbole_dsl.register_loss("Hinge", HingeLoss, properties=properties)
    shared = {"epochs": 5, "train_neg_sample_args": {"sample_num": 100}}
    for model, settings in (("MF_Hinge", {"margin": 0.5}), ("MF_SL", {"tau": 0.2})):
        result = recbole_dsl.run(model, "ml-100k", config_dict={**shared, **settings})
        print(f"{model:<9} test NDCG@10 {result['test']['ndcg@10']:.4f}")


if __name__ == "__main__":
    main()
