"""The loader of training positives: every row once an epoch, in batches, and nothing else."""

import pytest
import torch

from recbole_dsl.config.run_config import Config
from recbole_dsl.data.loaders.train import PositivesLoader
from recbole_dsl.data.pipeline import load_dataset, split_dataset

BATCH = 32


@pytest.fixture
def make_loader(checkerboard):
    """The loader of the board's 180 training rows: five batches of 32 and one of 20."""

    def make(**changes):
        files = {"benchmark_filename": ["train", "test"], "benchmark_valid": 0}
        settings = {**files, "state": "ERROR", "train_batch_size": BATCH, **changes}
        config = Config("MF_SL", checkerboard, config_dict=settings)
        return split_dataset(config, load_dataset(config)).train

    return make


def _batches(loader):
    return [torch.stack([batch["user_id"], batch["item_id"]]) for batch in loader]


def _rows(loader):
    feat = loader._dataset.inter_feat
    return torch.stack([feat["user_id"], feat["item_id"]])


def test_every_row_comes_once_an_epoch_the_last_batch_with_what_is_left(make_loader):
    loader = make_loader()
    assert isinstance(loader, PositivesLoader)
    rows = sorted(_rows(loader).T.tolist())
    for _ in range(2):
        batches = _batches(loader)
        assert [batch.shape[1] for batch in batches] == [BATCH] * 5 + [20]
        assert sorted(torch.cat(batches, dim=1).T.tolist()) == rows


def test_epochs_differ_and_the_seed_repeats_them(make_loader):
    loader, again, other = make_loader(seed=1), make_loader(seed=1), make_loader(seed=2)
    epochs = [torch.cat(_batches(loader), dim=1) for _ in range(2)]
    assert not torch.equal(*epochs)
    for epoch in epochs:
        assert torch.equal(epoch, torch.cat(_batches(again), dim=1))
    assert not torch.equal(epochs[0], torch.cat(_batches(other), dim=1))


def test_rows_keep_their_order_without_shuffling(make_loader):
    loader = make_loader(shuffle=False)
    assert torch.equal(torch.cat(_batches(loader), dim=1), _rows(loader))


def test_a_batch_holds_users_and_items_and_no_negatives(make_loader):
    batch = next(iter(make_loader(train_neg_sample_args={"sample_num": 4})))
    assert batch.columns == ["user_id", "item_id"] and len(batch) == BATCH
