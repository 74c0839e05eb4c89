"""The loader of training positives of a ``<Backbone>_<Loss>``."""

from collections.abc import Iterator
from typing import Any

import torch
from recbole.config import Config
from recbole.data.dataloader import TrainDataLoader
from recbole.data.dataset import Dataset
from recbole.data.interaction import Interaction
from recbole.utils import ModelType


class PositivesLoader(TrainDataLoader):
    """Users and items of ``train_batch_size`` positives at a time, from tensors on the device; of a
    sequential model their sequences and the lengths of these too.

    RecBole's loader gathers each batch on the CPU and copies it to the device, and a GPU idles
    meanwhile; here one permutation an epoch is copied, and batches are indexed on the device.
    """

    def _set_neg_sample_args(
        self, config: Config, dataset: Dataset, dl_format: Any, neg_sample_args: Any
    ) -> None:
        super()._set_neg_sample_args(config, dataset, dl_format, {"distribution": "none"})

    def __iter__(self) -> Iterator[Interaction]:
        device, feat = self.config["device"], self._dataset.inter_feat
        names = [self.uid_field, self.iid_field]
        if self.config["MODEL_TYPE"] == ModelType.SEQUENTIAL:
            names += [f"{self.iid_field}{self.config['LIST_SUFFIX']}"]
            names += [self.config["ITEM_LIST_LENGTH_FIELD"]]
        columns = {name: feat[name].to(device) for name in names}
        rows = torch.tensor(list(self.batch_sampler.sampler)).to(device)
        for index in rows.split(self.batch_sampler.batch_size):
            yield Interaction({name: column[index] for name, column in columns.items()})
