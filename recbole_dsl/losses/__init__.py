"""Losses as functions of scores and thin modules over them. Imports torch only."""

from recbole_dsl.losses.adaptau import AdapTauLoss, adap_tau_loss
from recbole_dsl.losses.advinfonce import AdvInfoNCELoss, adv_info_nce_loss
from recbole_dsl.losses.base import ModelView, RowLoss, TrainingRows
from recbole_dsl.losses.bc import BCLoss, bc_loss
from recbole_dsl.losses.bce import BCELoss, bce_loss
from recbole_dsl.losses.bpr import BPRLoss, bpr_loss
from recbole_dsl.losses.bsl import BSLLoss, bsl_paired_loss, bsl_row_loss, bsl_user_loss
from recbole_dsl.losses.ccl import CCLLoss, ccl_loss
from recbole_dsl.losses.directau import DirectAULoss, direct_au_loss
from recbole_dsl.losses.dro import (
    RobustQuantities,
    RobustView,
    WorstCase,
    robust_quantities,
    worst_case,
)
from recbole_dsl.losses.dsl import DSLLoss, dsl_loss
from recbole_dsl.losses.dsl_scales import DSLForm, dsl_scales
from recbole_dsl.losses.gbce import GBCELoss, gbce_loss
from recbole_dsl.losses.infonce import InfoNCELoss, info_nce_corrected_loss, info_nce_loss
from recbole_dsl.losses.llpauc import LLPAUCLoss, llpauc_loss
from recbole_dsl.losses.mmcl import MMCLLoss, mmcl_loss
from recbole_dsl.losses.psl import PSLLoss, psl_loss
from recbole_dsl.losses.sce import SCELoss, sce_loss
from recbole_dsl.losses.sl import SoftmaxLoss, softmax_loss, softmax_loss_with_positive
from recbole_dsl.losses.slatk import SLatKLoss, slatk_loss
from recbole_dsl.losses.talos import TalosLoss, talos_loss

__all__ = [
    "AdapTauLoss",
    "AdvInfoNCELoss",
    "BCELoss",
    "BCLoss",
    "BPRLoss",
    "BSLLoss",
    "CCLLoss",
    "DSLForm",
    "DSLLoss",
    "DirectAULoss",
    "GBCELoss",
    "InfoNCELoss",
    "LLPAUCLoss",
    "MMCLLoss",
    "ModelView",
    "PSLLoss",
    "RobustQuantities",
    "RobustView",
    "RowLoss",
    "SCELoss",
    "SLatKLoss",
    "SoftmaxLoss",
    "TalosLoss",
    "TrainingRows",
    "WorstCase",
    "adap_tau_loss",
    "adv_info_nce_loss",
    "bc_loss",
    "bce_loss",
    "bpr_loss",
    "bsl_paired_loss",
    "bsl_row_loss",
    "bsl_user_loss",
    "ccl_loss",
    "direct_au_loss",
    "dsl_loss",
    "dsl_scales",
    "gbce_loss",
    "info_nce_corrected_loss",
    "info_nce_loss",
    "llpauc_loss",
    "mmcl_loss",
    "psl_loss",
    "robust_quantities",
    "sce_loss",
    "slatk_loss",
    "softmax_loss",
    "softmax_loss_with_positive",
    "talos_loss",
    "worst_case",
]
