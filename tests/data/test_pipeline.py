"""Splits that RecBole does not make: validation rows held out of a pre-split training file."""

import pytest
import torch

import recbole_dsl
from recbole_dsl.common import property_files
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset

TWO = {"benchmark_filename": ["train", "test"], "state": "ERROR"}


def _rows(loader):
    part = loader._dataset
    users, items = part.inter_feat[part.uid_field], part.inter_feat[part.iid_field]
    return sorted(zip(users.tolist(), items.tolist(), strict=True))


def _loaders(dataset, **changes):
    config = Config("MF_SL", dataset, config_dict={**TWO, **changes})
    return list(split_dataset(config, load_dataset(config)).loaders.values())


def test_a_share_of_the_training_rows_becomes_validation_and_none_is_lost(checkerboard):
    train, valid, test = _loaders(checkerboard, benchmark_valid=0.25)
    whole, nothing, same = _loaders(checkerboard, benchmark_valid=0)
    assert nothing is None and _rows(test) == _rows(same)
    assert len(_rows(valid)) == round(0.25 * len(_rows(whole))) == 45
    assert sorted(_rows(train) + _rows(valid)) == _rows(whole)


def test_the_held_out_rows_follow_the_seed(checkerboard):
    first = _rows(_loaders(checkerboard, seed=1)[1])
    assert first == _rows(_loaders(checkerboard, seed=1)[1])
    assert first != _rows(_loaders(checkerboard, seed=2)[1])


def test_training_and_validation_items_are_masked_at_test(checkerboard):
    """Together they are the training file, which is what published results mask."""
    train, valid, test = _loaders(checkerboard)
    masked = set()
    for _, history, _, _ in test:
        rows, items = history
        masked |= set(zip((rows + 1).tolist(), items.tolist(), strict=True))
    assert masked == set(_rows(train)) | set(_rows(valid))


def test_validation_items_can_be_offered_at_test(checkerboard):
    train, valid, test = _loaders(checkerboard, mask_at_test="train")
    for loader in (valid, test):  # validation masks train in any case
        held = loader.held_out
        for user in held.users.tolist():
            seen = {item for row_user, item in _rows(train) if row_user == user}
            assert set(held.history.of(torch.tensor([user]))[1].tolist()) == seen
    both = _loaders(checkerboard)[2].held_out.history
    assert len(both.items) == len(test.held_out.history.items) + len(_rows(valid))


def test_without_validation_the_last_epoch_is_tested(checkerboard):
    config = {**TWO, "benchmark_valid": 0, "epochs": 3, "train_batch_size": 50}
    result = recbole_dsl.run("MF_BPR", checkerboard, config_dict=config)
    assert result["best_epoch"] == 2 and result["valid"] is None
    assert result["splits"]["valid"]["rows"] == 0
    loaded = recbole_dsl.load(result["checkpoint"])
    assert loaded.config["benchmark_valid"] == 0


def test_the_preset_of_the_published_protocol(checkerboard):
    preset = property_files.properties_dir() / "presets" / "ir_benchmark.yaml"
    for model in ("MF_SL", "LightGCN_BPR"):
        config = Config(model, checkerboard, [str(preset)])
        assert not config.warnings
        assert config["score"] == "cosine" and config["valid_metric"] == "NDCG@20"
        assert config["train_neg_sample_args"]["sample_num"] == 1000
        assert config["train_batch_size"] == 1024 and config["embedding_size"] == 64
        summary = split_dataset(config, load_dataset(config)).summary
        assert [size["rows"] for size in summary.values()] == [162, 18, 20]


def test_the_split_does_not_touch_the_global_generator(checkerboard):
    config = Config("MF_SL", checkerboard, config_dict=TWO)
    dataset = load_dataset(config)
    before = torch.get_rng_state()
    split_dataset(config, dataset)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"user_inter_num_interval": "[999,inf)"}, "Some feat is empty"),
        ({"additional_feat_suffix": ["ent"]}, "Additional feature file .*board.ent. not found"),
    ],
)
def test_what_recbole_refuses_while_loading_is_one_line(changes, said, checkerboard):
    config = Config("MF_SL", checkerboard, config_dict=changes)
    with pytest.raises(property_files.UsageError, match=f"'board' cannot be loaded: {said}"):
        load_dataset(config)
