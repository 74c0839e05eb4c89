"""Backbones: interactions in, embeddings out.

In plain torch, but for the SVD of the spectral start, which is scikit-learn's.
"""

from recbole_dsl.backbones.graph import normalized_bipartite, sparse_product
from recbole_dsl.backbones.lightgcn import LightGCN
from recbole_dsl.backbones.lightgcnpp import LightGCNpp
from recbole_dsl.backbones.mf import MF
from recbole_dsl.backbones.ngcf import NGCF
from recbole_dsl.backbones.simgcl import SimGCL
from recbole_dsl.backbones.xsimgcl import XSimGCL

__all__ = [
    "MF",
    "NGCF",
    "LightGCN",
    "LightGCNpp",
    "SimGCL",
    "XSimGCL",
    "normalized_bipartite",
    "sparse_product",
]
