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
from recbole_dsl.models.recommender import PairRecommender
from recbole_dsl.topk import TopItems

# What is collected here; the others RecBole's own eval_batch_collect is still asked for.
_TOPK_RESOURCES = ("rec.items", "rec.topk")
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

    def eval_batch_collect(self, scores_tensor, interaction, positive_u, positive_i):
        """Collect from a step's scores (U, I) and the positives' rows and item ids, (P,) each."""
        if self._needs:
            k = max(self.topk)
            top = torch.topk(scores_tensor, k, dim=-1).indices  # (U, K)
            if "rec.items" in self._needs:
                self.data_struct.update_tensor("rec.items", top)
            if "rec.topk" in self._needs:
                rows, columns = positive_u.to(top.device), positive_i.to(top.device)
                users, items = scores_tensor.shape
                offset = torch.arange(users, device=top.device).unsqueeze(1) * items
                hit = torch.isin(top + offset, rows * items + columns)
                count = torch.bincount(rows, minlength=users).unsqueeze(1)
                result = torch.cat((hit.int(), count.int()), dim=1)
                self.data_struct.update_tensor("rec.topk", result)
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
            ``rec.items`` (N, K), the top-k; and what :meth:`data_collect` has collected. Of the
            first two, those that the metrics need.
        """
        struct = DataStruct()
        for name in ("data.num_items", "data.num_users", "data.count_items", "data.count_users"):
            if name in self.data_struct:
                struct.set(name, self.data_struct[name])
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
        return struct


class _Unrounded:
    """The config as a metric sees it, with more decimals than a float has."""

    def __init__(self, config):
        self._config = config

    def __getitem__(self, key):
        return 20 if key == "metric_decimal_place" else self._config[key]

    def __contains__(self, key):
        return key in self._config

    def __getattr__(self, key):
        return getattr(self._config, key)


def unrounded_evaluator(config):
    """RecBole's Evaluator, reporting metrics to the last digit.

    RecBole rounds to ``metric_decimal_place`` before early stopping compares with >=, so that a
    change in the fifth digit counts as no change; here rounding is for display only.
    """
    return Evaluator(_Unrounded(config))


def plain_metrics(result):
    """Metric name -> Python float, in the order computed."""
    return {name: float(value) for name, value in result.items()}


def rounded(result, decimals):
    """The metrics as they are shown."""
    return {name: round(value, decimals) for name, value in result.items()}
