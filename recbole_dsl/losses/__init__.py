"""Losses as functions of scores and thin modules over them. Imports torch only."""

from recbole_dsl.losses.bpr import BPRLoss, bpr_loss
from recbole_dsl.losses.dro import WorstCase, worst_case
from recbole_dsl.losses.dsl import DSLLoss, dsl_loss, dsl_scales
from recbole_dsl.losses.sl import SoftmaxLoss, softmax_loss

__all__ = [
    "BPRLoss",
    "DSLLoss",
    "SoftmaxLoss",
    "WorstCase",
    "bpr_loss",
    "dsl_loss",
    "dsl_scales",
    "softmax_loss",
    "worst_case",
]
