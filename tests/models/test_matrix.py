"""Every backbone with every loss, two epochs on ml-100k, through RecBole's training loop."""

import math

import pytest
import torch
from recbole.utils import init_seed

from recbole_dsl import memory
from recbole_dsl.config import Config
from recbole_dsl.data import load_dataset, split_dataset
from recbole_dsl.registry import pair_names
from recbole_dsl.trainer import trainer_class

SMALL = {
    "epochs": 2,
    "eval_step": 2,
    "state": "ERROR",
    "embedding_size": 8,
    "train_batch_size": 2048,
    "train_neg_sample_args": {"sample_num": 8, "block": 1024},
}


@pytest.fixture(scope="module")
def loaders(tmp_path_factory):
    """Read and split once for all pairs; a pair's own settings change neither."""
    memory.keep_large_blocks()  # as a run does
    config = Config("MF_SL", "ml-100k", config_dict=SMALL)
    return split_dataset(config, load_dataset(config))[:2]


@pytest.mark.parametrize("name", pair_names())
def test_trains(name, loaders):
    train, valid = loaders
    config = Config(name, "ml-100k", config_dict=SMALL)
    init_seed(config["seed"], config["reproducibility"])
    model = config.model_class(config, train._dataset)
    tables = (model.backbone.user_embedding.weight, model.backbone.item_embedding.weight)
    before = [table.detach().clone() for table in tables]
    trainer = trainer_class(config)(config, model)
    trainer.fit(train, valid, saved=False, show_progress=False)
    trainer.tensorboard.close()
    assert [epoch["epoch"] for epoch in trainer.epochs_done] == [0, 1]
    assert all(math.isfinite(epoch["train_loss"]) for epoch in trainer.epochs_done)
    assert 0 < trainer.best_valid["ndcg@10"] < 1
    for old, new in zip(before, tables, strict=True):
        assert bool(torch.isfinite(new).all()) and not torch.equal(old, new)
