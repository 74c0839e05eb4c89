"""Backbones: interactions in, embeddings out. Imports torch only."""

from recbole_dsl.backbones.graph import normalized_bipartite, sparse_product
from recbole_dsl.backbones.lightgcn import LightGCN
from recbole_dsl.backbones.mf import MF

__all__ = ["MF", "LightGCN", "normalized_bipartite", "sparse_product"]
