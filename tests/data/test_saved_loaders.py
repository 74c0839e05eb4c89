"""RecBole's pickle of loaders: written, read again with all that is known of it, or not used."""

import pytest
import torch
from recbole.data.utils import load_split_dataloaders

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset

PS = {"eval_args": {"split": {"PS": [0.7, 0.1, 0.2]}}, "state": "ERROR", "train_batch_size": 64}
SAVED = {**PS, "save_dataloaders": True}
NOISY = {"train_noise": {"false_positive": 0.1}}


@pytest.fixture
def shop(make_dataset):
    """30 users by 20 items, two of five pairs."""
    return make_dataset("shop", [(u, i) for u in range(30) for i in range(20) if (u + i) % 5 < 2])


def _config(model="MF_SL", **settings):
    return Config(model, "shop", config_dict=settings)


def _split(**settings):
    config = _config(**settings)
    return split_dataset(config, load_dataset(config))


def _batches(loader):
    return [torch.stack([batch["user_id"], batch["item_id"]]) for batch in loader]


def _same(batches, others):
    return all(torch.equal(a, b) for a, b in zip(batches, others, strict=True))


def _rows(loader):
    feat = loader._dataset.inter_feat
    return torch.stack([feat["user_id"], feat["item_id"]])


@pytest.mark.parametrize("noise", [{}, NOISY], ids=["plain", "noisy"])
def test_loaders_come_back_with_rows_batches_card_and_noise(shop, noise, monkeypatch):
    fresh, first = _split(**PS, **noise), _split(**SAVED, **noise)
    monkeypatch.setattr("recbole_dsl.data.partition.build", None)  # nothing is split again
    again = _split(**SAVED, **noise)
    for split in (first, again):
        assert split.card == fresh.card and split.summary == fresh.summary
        assert split.added_noise == fresh.added_noise and list(split.tests) == ["test"]
        assert torch.equal(_rows(split.train), _rows(fresh.train))
    assert (fresh.added_noise is None) == (not noise)
    for _ in range(2):  # epochs
        batches = _batches(fresh.train)
        assert _same(batches, _batches(first.train)) and _same(batches, _batches(again.train))
    histories = [split.tests["test"].held_out.history.codes for split in (fresh, again)]
    assert torch.equal(*histories)


def test_a_path_to_a_pickle_is_taken(shop, monkeypatch):
    fresh = _split(**SAVED)
    monkeypatch.setattr("recbole_dsl.data.partition.build", None)
    again = _split(**PS, dataloaders_save_path="saved/shop-for-MF_SL-dataloader.pth")
    assert again.card == fresh.card


def test_recbole_reads_the_pickle(shop):
    made = _split(**SAVED)
    train, valid, test = load_split_dataloaders(_config(**SAVED))
    assert torch.equal(_rows(train), _rows(made.train))
    assert torch.equal(_rows(valid), _rows(made.valid))
    assert torch.equal(_rows(test), _rows(made.tests["test"]))


@pytest.mark.parametrize(
    "changes",
    [
        {"split_seed": 1},
        {"split_shift": 0.5},
        {"valid_shift": 0.5},
        NOISY,
        {"mask_at_test": "train"},
    ],
    ids=str,
)
def test_loaders_of_another_split_are_not_taken(changes, shop):
    _split(**SAVED)
    other = _split(**{**SAVED, **changes})
    fresh = _split(**{**PS, **changes})
    assert other.card == fresh.card and torch.equal(_rows(other.train), _rows(fresh.train))
    histories = [split.tests["test"].held_out.history.codes for split in (other, fresh)]
    assert torch.equal(*histories)


def test_a_pickle_whose_origin_is_lost_is_not_taken(shop, own_folder):
    pickle = own_folder / "saved" / "shop-for-MF_SL-dataloader.pth"
    beside = pickle.with_suffix(".json")
    _split(**SAVED, split_seed=1)
    of_seed_1 = beside.read_bytes()
    made = _split(**SAVED, split_seed=2)
    beside.write_bytes(of_seed_1)
    assert _split(**PS, split_seed=2, dataloaders_save_path=str(pickle)).card == made.card
    beside.unlink()
    assert _split(**PS, split_seed=2, dataloaders_save_path=str(pickle)).card == made.card


def test_an_empty_part_cannot_be_saved(shop):
    without_valid = {"eval_args": {"split": {"PS": [0.8, 0, 0.2]}}}
    with pytest.raises(UsageError, match="RecBole stores train, valid and one test set, none of"):
        _split(**{**SAVED, **without_valid})


def test_loaders_of_files_that_have_changed_are_not_taken(shop, own_folder, caplog):
    _split(**SAVED)
    path = own_folder / "dataset" / "shop" / "shop.inter"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:1], *lines[31:]]))
    again, fresh = _split(**{**SAVED, "state": "WARNING"}), _split(**PS)
    assert torch.equal(_rows(again.train), _rows(fresh.train)) and again.card == fresh.card
    assert "dataloader.pth is not used: the dataset's files have changed" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize("text", [None, "", "[1]", "{}", '{"digest": "x"}'])
def test_loaders_beside_which_nothing_is_said_are_not_taken(text, shop, own_folder, caplog):
    made = _split(**SAVED)
    beside = own_folder / "saved" / "shop-for-MF_SL-dataloader.json"
    beside.unlink() if text is None else beside.write_text(text)
    assert _split(**{**SAVED, "state": "WARNING"}).card == made.card
    assert "how rows were chosen, is not there, or damaged" in caplog.text


def test_loaders_that_are_not_there_are_one_line(shop):
    with pytest.raises(UsageError, match="dataloaders_save_path: there is no file nope"):
        _split(**PS, dataloaders_save_path="nope")
