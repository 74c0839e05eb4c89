"""RecBole's collector with one top-k, in blocks of users and items, and no dense positives."""

from typing import Any

import torch
from recbole.evaluator import Collector
from recbole.evaluator.collector import DataStruct
from recbole.utils import set_color
from tqdm import tqdm

from recbole_dsl.data.loaders.full_sort import BatchedFullSortLoader
from recbole_dsl.evaluation.gather import gather
from recbole_dsl.evaluation.group_metrics.build import build_groups
from recbole_dsl.evaluation.group_metrics.settings import METRIC_OF_GROUPING
from recbole_dsl.evaluation.metrics.groups import Groups
from recbole_dsl.evaluation.top_items import TopItems

# What metrics may need of each user. Collected here; the last two are not RecBole's:
_TOPK_RESOURCES = ("rec.items", "rec.topk", "rec.users", "rec.group_positives")
# Collected by RecBole:
_OTHER_RESOURCES = ("rec.meanrank", "rec.score", "data.label")


class TopkCollector(Collector):
    """RecBole's collector, whose top-k resources come from one top-k and a sparse look-up.

    RecBole runs top-k twice when coverage metrics are on and builds a (U, I) integer matrix of the
    positives for each batch. Every other resource (mean rank, scores, labels) RecBole collects.
    """

    def __init__(self, config: Any) -> None:
        super().__init__(config)
        self._needs = {name for name in _TOPK_RESOURCES if self.register.need(name)}
        for name in self._needs:
            setattr(self.register, name, False)

    def data_collect(self, train_data: Any) -> None:
        """RecBole's resources of the training data, and the groups that metrics need."""
        super().data_collect(train_data)
        for grouping in METRIC_OF_GROUPING:
            name = f"data.{grouping}"
            if self.register.need(name):
                groups, _ = build_groups(self.config, train_data._dataset, grouping)
                self.data_struct.set(name, groups)

    def eval_batch_collect(
        self,
        scores_tensor: torch.Tensor,
        interaction: Any,
        positive_u: torch.Tensor,
        positive_i: torch.Tensor,
    ) -> None:
        """Collect from a batch's scores (U, I) and the positives' rows and item ids, (P,) each."""
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
                ids = _users_of_rows(interaction[self.config["USER_ID_FIELD"]], users)
                self.data_struct.update_tensor("rec.users", ids)
            if "rec.group_positives" in self._needs:
                groups = self.data_struct["data.item_popularity"]
                counts = _positives_by_group(cells // items, cells % items, users, groups)
                self.data_struct.update_tensor("rec.group_positives", counts)
        super().eval_batch_collect(scores_tensor, interaction, positive_u, positive_i)

    def get_data_struct(self) -> DataStruct:
        """What was collected, of the users of all processes."""
        return gather(super().get_data_struct())

    def ranks_blocks(self, model: Any, loader: Any) -> bool:
        """Whether :meth:`collect` can be used: inner products, full ranking, top-k metrics alone.

        A model says so by its class attribute ``ranks_by_inner_product``: its scores are products
        of the two tables that its ``embed()`` returns.
        """
        return (
            getattr(model, "ranks_by_inner_product", False)
            and isinstance(loader, BatchedFullSortLoader)
            and not any(self.register.need(name) for name in _OTHER_RESOURCES)
        )

    @torch.no_grad()
    def collect(
        self, model: Any, loader: Any, users: slice = slice(None), show_progress: bool = False
    ) -> DataStruct:
        """Rank all items for the users of a loader, in blocks of users and of items.

        Args:
            model: one with ``ranks_by_inner_product``, in evaluation mode.
            loader: a :class:`recbole_dsl.data.loaders.full_sort.BatchedFullSortLoader`.
            users: slice of ``loader.held_out.users``, such as the shard of one process.
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
        blocks: Any = range(0, len(chosen), ranker.users)
        if show_progress:
            blocks = tqdm(blocks, ncols=100, desc=set_color("Evaluate   ", "pink"), leave=False)
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
            rows, of_rows = held_out.positives.of(chosen)
            counts = _positives_by_group(rows, of_rows, len(chosen), groups)
            struct.set("rec.group_positives", counts.cpu())
        return struct


def _users_of_rows(users: torch.Tensor, n_rows: int) -> torch.Tensor:
    """The user of each row of scores.

    Args:
        users: (n_rows,) ids, one a row; or, in sampled evaluation, an id for each scored pair, the
            pairs of a row next to each other.
    """
    return users if len(users) == n_rows else torch.unique_consecutive(users)


def _positives_by_group(
    rows: torch.Tensor, items: torch.Tensor, n_rows: int, groups: Groups
) -> torch.Tensor:
    """How many positives each row has in each group of items.

    Args:
        rows, items: (P,) int64. The row and item of each positive.
        groups: G groups of items.
    Returns:
        (n_rows, G) int64.
    """
    n_groups = len(groups.names)
    member = torch.from_numpy(groups.member).to(items.device)
    cells = rows * n_groups + member[items]
    return torch.bincount(cells, minlength=n_rows * n_groups).view(n_rows, n_groups)
