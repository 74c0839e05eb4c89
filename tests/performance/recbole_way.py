"""SL over many negatives as RecBole's own interface allows it: the peer of step.py."""

import torch
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType
from torch.nn.functional import normalize


class TiledMF(GeneralRecommender):
    """MF with SL; RecBole draws the negatives and tiles the batch, M rows a positive.

    With ``train_neg_sample_args: {sample_num: M}`` RecBole hands over B * M rows, negative by
    negative, and counts ``train_batch_size`` in such rows.
    """

    input_type = InputType.PAIRWISE

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        self.user = torch.nn.Embedding(self.n_users, config["embedding_size"])
        self.item = torch.nn.Embedding(self.n_items, config["embedding_size"])
        self.m = config["train_neg_sample_args"]["sample_num"]
        torch.nn.init.xavier_uniform_(self.user.weight)
        torch.nn.init.xavier_uniform_(self.item.weight)

    def calculate_loss(self, interaction):
        """SL at tau 0.2 over the tiled rows."""
        user = normalize(self.user(interaction[self.USER_ID]), dim=1)
        pos = normalize(self.item(interaction[self.ITEM_ID]), dim=1)
        neg = normalize(self.item(interaction[self.NEG_ITEM_ID]), dim=1)
        gap = ((user * neg).sum(dim=1) - (user * pos).sum(dim=1)) / 0.2
        return torch.logsumexp(gap.view(self.m, -1), dim=0).mean()

    def predict(self, interaction):
        """Scores of (user, item) pairs."""
        user, item = self.user(interaction[self.USER_ID]), self.item(interaction[self.ITEM_ID])
        return (normalize(user, dim=1) * normalize(item, dim=1)).sum(dim=1)
