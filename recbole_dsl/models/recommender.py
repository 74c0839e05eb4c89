"""The RecBole model behind every ``<Backbone>_<Loss>``: backbone x loss x negative sampler."""

import inspect

import torch
from recbole.model.abstract_recommender import GeneralRecommender
from recbole.utils import InputType
from torch.nn.functional import embedding, normalize

from recbole_dsl.distributed import own_seed
from recbole_dsl.losses import TrainingRows
from recbole_dsl.losses._checks import in_float32
from recbole_dsl.models.inputs import OFFERED, SCORED, BatchInputs
from recbole_dsl.models.view import EpochView
from recbole_dsl.registry import backbone_class, loss_class
from recbole_dsl.sampling import NegativeSampler
from recbole_dsl.settings import UsageError, did_you_mean, require


def build(cls, config, *args):
    """cls(*args, **options), each keyword-only option read from the setting of the same name.

    Raises:
        KeyError: a setting is missing. UsageError: the class refuses a value.
    """
    options = {
        name: require(config, name.rstrip("_"))  # lambda_ reads lambda, a word of Python's
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
    loss = build(loss_class(config["loss"]), config)
    if require(config, "test_score") not in (None, "cosine", "dot"):
        raise UsageError(
            f"{config['model']}: test_score must be cosine, dot or empty, got "
            f"{config['test_score']!r}"
        )
    if require(config, "score") not in loss.scores:
        allowed = " or ".join(loss.scores)
        raise UsageError(f"{config['model']}: score must be {allowed}, got {config['score']!r}")
    _check_noise(config, loss)
    for name in loss.inputs:
        if name not in OFFERED:
            raise UsageError(
                f"{config['model']}: the loss asks for {name!r}, which is not among the inputs "
                f"offered ({', '.join(sorted(OFFERED))}){did_you_mean(name, OFFERED)}"
            )


def _check_noise(config, loss):
    """Refuse false negatives where none would be drawn, or only for blocks of rows."""
    rate, block = config["train_noise"]["false_negative"], config["train_neg_sample_args"]["block"]
    reason = None
    if not (SCORED | {"negatives"}) & set(loss.inputs):
        reason = f"{config['loss']} draws no negatives"
    elif block > 1:
        reason = f"it needs train_neg_sample_args: {{block: 1}}, got {block}"
    if rate and reason:
        raise UsageError(f"{config['model']}: train_noise: false_negative {rate}: {reason}")


class PairRecommender(GeneralRecommender):
    """One backbone trained with one loss, over negatives drawn on the device.

    Settings read: ``backbone``, ``loss``, ``score`` (cosine or dot), ``test_score``,
    ``reg_weight``, ``train_neg_sample_args``, ``train_noise``, ``seed``, and the keyword-only
    arguments of backbone and loss.

    The same score serves the loss, ``predict`` and ``full_sort_predict``, unless ``test_score``
    names another one for the latter two.
    """

    input_type = InputType.PAIRWISE  # what RecBole is told; negatives are drawn here, not by it

    def __init__(self, config, dataset):
        super().__init__(config, dataset)
        users, items = dataset.inter_feat[self.USER_ID], dataset.inter_feat[self.ITEM_ID]
        size = (self.n_users, self.n_items)
        check_settings(config)
        self.score = config["score"]
        self.test_score = config["test_score"] or self.score
        self.reg_weight = require(config, "reg_weight")
        negatives = require(config, "train_neg_sample_args")
        self.n_negatives, self.block = negatives["sample_num"], negatives["block"]

        self.backbone = build(backbone_class(config["backbone"]), config, users, items, *size)
        self.loss = build(loss_class(config["loss"]), config)
        self.loss.prepare(TrainingRows(users, items, *size))
        self.sparse = str(config["learner"]).lower() == "sparse_adam"
        if self.sparse:
            self._check_sparse(config)
        try:
            self.sampler = NegativeSampler(
                users,
                items,
                *size,
                distribution=negatives["distribution"],
                alpha=negatives["alpha"],
                seed=own_seed(require(config, "seed")),
                false_negative=require(config, "train_noise")["false_negative"],
            )
        except ValueError as error:
            raise UsageError(f"{config['model']}: {error}") from error
        self._cache = None

    def _check_sparse(self, config):
        """Refuse ``learner: sparse_adam`` where a step's gradient is not row-sparse."""
        reason = None
        if not self.backbone.row_wise:
            reason = f"{config['backbone']} propagates whole tables"
        elif self.block == 1 and SCORED & set(self.loss.inputs):
            reason = "with block: 1 in train_neg_sample_args the gradient has a row for every item"
        elif "item_table" in self.loss.inputs:
            reason = f"{config['loss']} scores all items"
        elif any(parameter.requires_grad for parameter in self.loss.parameters()):
            reason = f"{config['loss']} has learned parts of its own"
        elif config["weight_decay"]:
            reason = "weight_decay would move every row"
        if reason:
            raise UsageError(
                f"{config['model']}: learner sparse_adam updates only the rows of a batch, but "
                f"{reason}; use learner: adam"
            )

    def train(self, mode=True):
        self._cache = None  # embeddings move while training
        return super().train(mode)

    def load_state_dict(self, *args, **kwargs):
        self._cache = None
        return super().load_state_dict(*args, **kwargs)

    def tables(self):
        """The backbone's embeddings, (U, D) and (I, D).

        A backbone that ends in half precision under autocast is widened to float32 here.
        """
        return tuple(in_float32(*self.backbone.embed()))

    def embed(self, score=None):
        """Embeddings as they are ranked by, (U, D) and (I, D): of unit length under cosine.

        Args:
            score: "cosine" or "dot" in place of ``test_score``.
        """
        user, item = self.tables()
        if (score or self.test_score) == "cosine":
            user, item = normalize(user, dim=1), normalize(item, dim=1)
        return user, item

    def batch_inputs(self, interaction, tables, names):
        """The named inputs of a batch, given :meth:`tables`."""
        users = interaction[self.USER_ID]
        return BatchInputs(
            names,
            users,
            interaction[self.ITEM_ID],
            tables,
            cosine=self.score == "cosine",
            draw=lambda: self._draw(users),
            positives=self.sampler.positives,
            sparse=self.sparse and self.training,
        )

    def _draw(self, users):
        if self.block == 1:
            return self.sampler(users, self.n_negatives)
        return self.sampler.shared(users, self.n_negatives, self.block)

    def calculate_loss(self, interaction):
        """Mean loss of a batch of B positives, plus regularisation and the backbone's own term."""
        inputs = self.batch_inputs(interaction, self.tables(), self.loss.inputs)
        loss = self.loss(**inputs.select())
        if self.reg_weight:
            loss = loss + self.reg_weight * self._regularizer(inputs.users, inputs.items)
        if hasattr(self.backbone, "auxiliary_loss"):
            loss = loss + self.backbone.auxiliary_loss(inputs.users, inputs.items)
        return loss

    def begin_epoch(self, epoch, train_data):
        """Let the loss refresh its state before a training epoch; the trainer calls this."""
        self.loss.begin_epoch(epoch, EpochView(self, train_data))

    def _regularizer(self, users, items):
        """Half the squared length of the free vectors of the batch's users and positives, by row.

        As in LightGCN, on the vectors before propagation; the negatives are left out, since with M
        of them per row nearly every item would be decayed in every step.
        """
        user = embedding(users, self.backbone.user_embedding.weight, sparse=self.sparse)
        item = embedding(items, self.backbone.item_embedding.weight, sparse=self.sparse)
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
