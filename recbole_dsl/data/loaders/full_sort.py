"""RecBole's full-sort loader on arrays: no Python set or loop per user, many users a step."""

import functools
from collections.abc import Sequence
from logging import getLogger
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from recbole.model.abstract_recommender import AbstractRecommender
from recbole.utils import ModelType

from recbole_dsl.data.loaders.held_out import HeldOut
from recbole_dsl.data.sampling.user_items import UserPositives

# What one score of a full-sort step costs in bytes, from the score itself (4) to the copies that
# masking and top-k make of it.
_BYTES_PER_SCORE = 16


class BatchedFullSortLoader(FullSortEvalDataLoader):
    """RecBole's full-sort loader with as many users a step as ``eval_memory`` MiB of scores allow.

    RecBole counts ``eval_batch_size`` in user-item pairs, which is one user a step beyond 2,048
    items, and keeps a Python set of items for every user. Models without ``full_sort_predict``
    score pair by pair and keep RecBole's count; sequential models, which are evaluated on rows and
    not on users, keep RecBole's loader, with fewer rows a step than ``eval_batch_size`` where their
    scores would take more.

    Args:
        masked: datasets of the parts whose items are masked, where the model is not sequential.
        earlier: datasets of all parts before this one, the first one first. The other arguments are
            RecBole's.

    Attributes:
        held_out: :class:`recbole_dsl.data.loaders.held_out.HeldOut`; None for a sequential model.
        step: users, or rows of a sequential model, in a batch.
        earlier: as given.
    """

    step: int

    def __init__(
        self,
        config: Config,
        dataset: Dataset,
        sampler: Any,
        shuffle: bool = False,
        masked: Sequence[Dataset] = (),
        earlier: Sequence[Dataset] = (),
    ) -> None:
        self.held_out: HeldOut | None = None
        self.earlier, self._masked_parts = list(earlier), list(masked)
        if config["MODEL_TYPE"] == ModelType.SEQUENTIAL:
            super().__init__(config, dataset, sampler, shuffle=shuffle)
            return
        self.logger = getLogger()
        self.uid_field, self.iid_field = dataset.uid_field, dataset.iid_field
        self.is_sequential = False
        columns = [self._columns(part) for part in masked]
        size = (dataset.user_num, dataset.item_num)
        self.held_out = HeldOut(*self._columns(dataset), columns, *size)
        self.uid_list = self.held_out.users
        self.user_df = dataset.join(Interaction({self.uid_field: self.uid_list}))
        self.sample_size = len(self.uid_list)
        AbstractDataLoader.__init__(self, config, dataset, sampler, shuffle=False)

    def _columns(self, dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor]:
        return dataset.inter_feat[self.uid_field], dataset.inter_feat[self.iid_field]

    def _init_batch_size_and_step(self) -> None:
        super()._init_batch_size_and_step()
        scores_all = self.config.model_class.full_sort_predict
        if scores_all is AbstractRecommender.full_sort_predict:
            return
        items = self._dataset.item_num
        rows = self.config["eval_memory"] * 2**20 // (items * _BYTES_PER_SCORE)
        if self.is_sequential:  # RecBole's batch is so many rows, whatever the number of items
            self.step = max(min(rows, self.step), 1)
            self.set_batch_size(self.step)
            return
        self.step = max(rows, self.step)
        self.set_batch_size(self.step * items)

    def collate_fn(self, index: Sequence[int]) -> tuple[Any, ...]:
        """RecBole's batch: users, (rows, items) of their history, rows and items of positives."""
        if self.held_out is None:
            return super().collate_fn(index)
        interaction = self.user_df[np.array(index)]
        users = interaction[self.uid_field]
        positives = self.held_out.positives.of(users)
        return interaction, self.held_out.history.of(users), *positives

    @functools.cached_property
    def masked(self) -> UserPositives:
        """The masked items of all users, those without a row in this part too."""
        assert self.held_out is not None
        users, items = (
            torch.cat(column)
            for column in zip(
                (self.uid_list[:0], self.uid_list[:0]),
                *(self._columns(part) for part in self._masked_parts),
                strict=True,
            )
        )
        other = ~self.held_out.positives.contain(users, items)
        return UserPositives(
            users[other], items[other], self._dataset.user_num, self._dataset.item_num
        )

    @property
    def uid2history_item(self) -> "_ItemsOfUsers":
        """What ``recbole.utils.case_study`` looks up: user ids -> a tensor of items for each."""
        return _ItemsOfUsers(self.masked)


class _ItemsOfUsers:
    def __init__(self, lists: UserPositives) -> None:
        self._lists = lists

    def __getitem__(self, users: Any) -> tuple[torch.Tensor, ...]:
        users = torch.as_tensor(np.asarray(users))
        return self._lists.of(users)[1].split(self._lists.counts[users].tolist())
