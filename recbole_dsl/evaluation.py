"""RecBole's evaluator without its costs: blocked top-k, no dense positives, no rounding.

The metrics themselves are RecBole's classes, untouched; what they are given is the same.
"""

import torch
from recbole.evaluator import Collector, Evaluator
from recbole.evaluator.collector import DataStruct
from recbole.utils import set_color
from tqdm import tqdm

from recbole_dsl import shards
from recbole_dsl.fullsort import BatchedFullSortLoader
from recbole_dsl.groups import options
from recbole_dsl.groups.build import build
from recbole_dsl.groups.collect import positives_by_group, users_of_rows
from recbole_dsl.models.recommender import PairRecommender
from recbole_dsl.topk import TopItems

# What is collected here; the others RecBole's own eval_batch_collect is still asked for.
_TOPK_RESOURCES = ("rec.items", "rec.topk", "rec.users", "rec.group_positives")
_OTHER_RESOURCES = ("rec.meanrank", "rec.score", "data.label")


class TopkCollector(Collector):
    """RecBole's collector, whose top-k resources come from one top-k and a sparse look-up.

    RecBole runs top-k twice when coverage metrics are on and builds a (U, I) integer matrix of the
    positives at each step. Every other resource (mean rank, scores, labels) RecBole collects.
    """

    def __init__(self, config):
        super().__init__(config)
        self._needs = {name for name in _TOPK_RESOURCES if self.register.need(name)}
        for name in self._needs:
            setattr(self.register, name, False)

    def data_collect(self, train_data):
        """RecBole's resources of the training data, and the groups that metrics need."""
        super().data_collect(train_data)
        for grouping in options.METRICS:
            name = f"data.{grouping}"
            if self.register.need(name):
                self.data_struct.set(name, build(self.config, train_data._dataset, grouping)[0])

    def eval_batch_collect(self, scores_tensor, interaction, positive_u, positive_i):
        """Collect from a step's scores (U, I) and the positives' rows and item ids, (P,) each."""
        if self._needs:
            users, items = scores_tensor.shape
            # sampled evaluation hands over a positive as often as its row repeats
            cells = torch.unique((positive_u * items + positive_i).to(scores_tensor.device))
            top = torch.topk(scores_tensor, max(self.topk), dim=-1).indices  # (U, K)
            if "rec.items" in self._needs:
                self.data_struct.update_tensor("rec.items", top)
            if "rec.topk" in self._needs:
                offset = torch.arange(users, device=top.device).unsqueeze(1) * items
                hit = torch.isin(top + offset, cells)
                count = torch.bincount(cells // items, minlength=users).unsqueeze(1)
                result = torch.cat((hit.int(), count.int()), dim=1)
                self.data_struct.update_tensor("rec.topk", result)
            if "rec.users" in self._needs:
                ids = users_of_rows(interaction[self.config["USER_ID_FIELD"]], users)
                self.data_struct.update_tensor("rec.users", ids)
            if "rec.group_positives" in self._needs:
                groups = self.data_struct["data.item_popularity"]
                counts = positives_by_group(cells // items, cells % items, users, groups)
                self.data_struct.update_tensor("rec.group_positives", counts)
        super().eval_batch_collect(scores_tensor, interaction, positive_u, positive_i)

    def get_data_struct(self):
        """What was collected, of the users of all processes."""
        return shards.gather(super().get_data_struct())

    def ranks_blocks(self, model, loader):
        """Whether :meth:`collect` serves: dot products, full sort, metrics of the top-k alone."""
        return (
            isinstance(model, PairRecommender)
            and isinstance(loader, BatchedFullSortLoader)
            and not any(self.register.need(name) for name in _OTHER_RESOURCES)
        )

    @torch.no_grad()
    def collect(self, model, loader, users=slice(None), show_progress=False):
        """Rank all items for the users of a loader, in blocks of users and of items.

        Args:
            model: a PairRecommender in evaluation mode.
            loader: a :class:`recbole_dsl.fullsort.BatchedFullSortLoader`.
            users: slice of ``loader.held_out.users``, such as one of several processes'.
            show_progress: whether to show a bar.
        Returns:
            DataStruct: on the CPU, a row for each of the N users, in their order: ``rec.topk``
            (N, K + 1), which of the top-k are positives, and how many positives there are;
            ``rec.items`` (N, K), the top-k; ``rec.users`` (N,), their ids; ``rec.group_positives``
            (N, G), how many positives are in each group of items; and what :meth:`data_collect` has
            collected. Of the first four, those that the metrics need.
        """
        struct = DataStruct()
        for name, value in self.data_struct._data_dict.items():
            if name.startswith("data."):
                struct.set(name, value)
        k, memory = max(self.topk), self.config["eval_memory"] * 2**20
        user_table, item_table = model.embed()
        held_out = loader.held_out.to(item_table.device)
        ranker = TopItems(user_table, item_table, held_out.history, k, memory=memory)
        chosen = held_out.users[users]
        items = chosen.new_empty(len(chosen), k)
        hits = torch.empty(len(chosen), k + 1, dtype=torch.int32, device=chosen.device)
        blocks = range(0, len(chosen), ranker.users)
        if show_progress:
            blocks = tqdm(blocks, ncols=100, desc=set_color("Evaluate   ", "pink"))
        for start in blocks:
            block = slice(start, start + ranker.users)
            ids = chosen[block]
            items[block] = top = ranker(ids)
            hits[block, :k] = held_out.positives.contain(ids.unsqueeze(1), top)
            hits[block, k] = held_out.positives.counts[ids]
        for name, value in (("rec.items", items), ("rec.topk", hits)):
            if name in self._needs:
                struct.set(name, value.cpu())
        if "rec.users" in self._needs:
            struct.set("rec.users", chosen.cpu())
        if "rec.group_positives" in self._needs:
            groups = self.data_struct["data.item_popularity"]
            counts = positives_by_group(*held_out.positives.of(chosen), len(chosen), groups)
            struct.set("rec.group_positives", counts.cpu())
        return struct


class Altered:
    """A config as RecBole's evaluator sees it, with other values for some settings."""

    def __init__(self, config, **changes):
        self._config, self._changes = config, changes

    def __getitem__(self, key):
        return self._changes[key] if key in self._changes else self._config[key]

    def __contains__(self, key):
        return key in self._config

    def __getattr__(self, key):
        return getattr(self._config, key)


def unrounded_evaluator(config):
    """RecBole's Evaluator, reporting metrics to the last digit.

    RecBole rounds to ``metric_decimal_place`` before early stopping compares with >=, so that a
    change in the fifth digit counts as no change; here rounding is for display only.
    """
    more_than_a_float_has = 20
    return Evaluator(Altered(config, metric_decimal_place=more_than_a_float_has))


def plain_metrics(result):
    """Metric name -> Python float, in the order computed."""
    return {name: float(value) for name, value in result.items()}


def rounded(result, decimals):
    """The metrics as they are shown."""
    return {name: round(value, decimals) for name, value in result.items()}
