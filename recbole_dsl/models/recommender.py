"""The RecBole model behind every ``<Backbone>_<Loss>``: backbone x loss x negative sampler."""

import inspect

import torch
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType
from torch.nn.functional import embedding, normalize

from recbole_dsl.registry import backbone_class, loss_class
from recbole_dsl.sampling import NegativeSampler
from recbole_dsl.settings import UsageError, require

SCORES = ("cosine", "dot")


def build(cls, config, *args):
    """cls(*args, **options), each keyword-only option read from the setting of the same name.

    Raises:
        KeyError: a setting is missing. UsageError: the class refuses a value.
    """
    options = {
        name: require(config, name)
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }
    try:
        return cls(*args, **options)
    except (ValueError, TypeError) as error:
        raise UsageError(f"{config['model']}: {error}") from error


def check_settings(config):
    """Refuse a bad loss option or score before any data is read.

    Raises:
        KeyError: a setting is missing. UsageError: a value outside its range.
    """
    build(loss_class(config["loss"]), config)
    if require(config, "score") not in SCORES:
        raise UsageError(f"score must be {' or '.join(SCORES)}, got {config['score']!r}")


class PairRecommender(GeneralRecommender):
    """One backbone trained with one loss, over negatives drawn on the device.

    Settings read: ``backbone``, ``loss``, ``score`` (cosine or dot), ``reg_weight``,
    ``train_neg_sample_args``, ``seed``, and the keyword-only arguments of backbone and loss.

    The same score serves the loss, ``predict`` and ``full_sort_predict``.
    """

    input_type = InputType.PAIRWISE  # what RecBole is told; negatives are drawn here, not by it

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        users, items = dataset.inter_feat[self.USER_ID], dataset.inter_feat[self.ITEM_ID]
        size = (self.n_users, self.n_items)
        check_settings(config)
        self.score = config["score"]
        self.reg_weight = require(config, "reg_weight")
        negatives = require(config, "train_neg_sample_args")
        self.n_negatives = negatives["sample_num"]

        self.backbone = build(backbone_class(config["backbone"]), config, users, items, *size)
        self.loss = build(loss_class(config["loss"]), config)
        try:
            self.sampler = NegativeSampler(
                users,
                items,
                *size,
                distribution=negatives["distribution"],
                alpha=negatives["alpha"],
                seed=require(config, "seed"),
            )
        except ValueError as error:
            raise UsageError(f"{config['model']}: {error}") from error
        self._cache = None

    def train(self, mode=True):
        self._cache = None  # embeddings move while training
        return super().train(mode)

    def load_state_dict(self, *args, **kwargs):
        self._cache = None
        return super().load_state_dict(*args, **kwargs)

    def embed(self):
        """Embeddings as they are scored, (U, D) and (I, D): of unit length under cosine."""
        user, item = self.backbone.embed()
        if self.score == "cosine":
            user, item = normalize(user, dim=1), normalize(item, dim=1)
        return user, item

    def calculate_loss(self, interaction):
        """Mean loss of a batch of B positives over M fresh negatives each, plus regularisation."""
        users, items = interaction[self.USER_ID], interaction[self.ITEM_ID]  # (B,), (B,)
        negatives = self.sampler(users, self.n_negatives)  # (B, M)
        user_table, item_table = self.embed()
        # embedding, not user_table[users]: its backward adds up rows in a fixed order.
        user = embedding(users, user_table)  # (B, D)
        # All items are scored by one product and the M wanted picked out: gathering vectors
        # instead would build (B, M, D).
        scores = user @ item_table.T  # (B, I)
        inputs = {
            "pos": lambda: scores.gather(1, items.unsqueeze(1)).squeeze(1),  # (B,)
            "neg": lambda: scores.gather(1, negatives),  # (B, M)
            "item_similarity": lambda: self._item_similarity(item_table, items, negatives),
        }
        loss = self.loss(**{name: inputs[name]() for name in self.loss.inputs})
        if self.reg_weight:
            loss = loss + self.reg_weight * self._regularizer(users, items)
        return loss

    @torch.no_grad()
    def _item_similarity(self, item_table, items, negatives):
        """Cosine of each row's negatives with its positive item, (B, M), without gradient."""
        table = item_table if self.score == "cosine" else normalize(item_table, dim=1)
        return (embedding(items, table) @ table.T).gather(1, negatives)

    def _regularizer(self, users, items):
        """Half the squared length of the free vectors of the batch's users and positives, by row.

        As in LightGCN, on the vectors before propagation; the negatives are left out, since with M
        of them per row nearly every item would be decayed in every step.
        """
        user = self.backbone.user_embedding(users)
        item = self.backbone.item_embedding(items)
        return (user.square().sum() + item.square().sum()) / (2 * len(users))

    def _cached(self):
        if self.training:
            return self.embed()
        if self._cache is None:
            with torch.no_grad():
                self._cache = self.embed()
        return self._cache

    def predict(self, interaction):
        """Scores of (user, item) pairs, (B,)."""
        user, item = self._cached()
        return (user[interaction[self.USER_ID]] * item[interaction[self.ITEM_ID]]).sum(dim=1)

    def full_sort_predict(self, interaction):
        """Scores of all items for each user, flat, (B * I,), as RecBole expects."""
        user, item = self._cached()
        return (user[interaction[self.USER_ID]] @ item.T).view(-1)
