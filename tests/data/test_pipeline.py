"""Splits that RecBole does not make: validation rows held out of a pre-split training file."""

from urllib.error import URLError

import pytest
import recbole.utils.url
import torch

import recbole_dsl
from recbole_dsl.common import property_files
from recbole_dsl.common.errors import UsageError
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


def test_a_download_that_fails_says_where_the_files_would_be(own_folder, monkeypatch):
    def no_network(url):
        raise URLError("no network")

    monkeypatch.setattr(recbole.utils.url.ur, "urlopen", no_network)
    message = "'ml-1m' is not in dataset/ml-1m, and RecBole's download of it failed: .*no network"
    with pytest.raises(UsageError, match=message):
        load_dataset(Config("MF_SL", "ml-1m"))


def _shop(folder, rows, head="timestamp:float"):
    home = folder / "dataset" / "shop"
    home.mkdir(parents=True)
    text = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    (home / "shop.inter").write_text(f"user_id:token\titem_id:token\t{head}\n{text}")


def _split(model="MF_SL", **settings):
    config = Config(model, "shop", config_dict={"load_col": None, "device": "cpu", **settings})
    return split_dataset(config, load_dataset(config))


@pytest.mark.parametrize(
    ("time", "split"),
    [
        (lambda n: 7, {"TS": [0.8, 0.1, 0.1]}),
        (lambda n: n % 2, {"TS": [0.8, 0.2]}),
        (lambda n: min(n, 10), {"TS": [0.5, 0.2, 0.3]}),
    ],
)
def test_a_split_by_time_that_leaves_nothing_to_test_is_refused(time, split, own_folder):
    _shop(own_folder, [(f"u{n % 6}", f"i{n % 10}", time(n)) for n in range(60)])
    message = "leaves no row for test: too many times are equal"
    with pytest.raises(UsageError, match=message):
        _split(eval_args={"split": split, "order": "TO"})


@pytest.mark.parametrize("split", [{"RS": [0.8, 0.1, 0.1]}, {"LS": "valid_and_test"}])
def test_users_of_one_row_leave_nothing_to_test(split, own_folder):
    _shop(own_folder, [(f"u{n}", f"i{n % 7}", n) for n in range(40)])
    with pytest.raises(UsageError, match="leaves no row for test: too many users have too few"):
        _split(eval_args={"split": split, "order": "TO"})


def test_a_split_that_leaves_nothing_to_validate_says_so(own_folder, caplog):
    _shop(own_folder, [(f"u{n % 20}", f"i{n % 13}", n) for n in range(40)])
    data = _split(eval_args={"split": {"RS": [0.8, 0.1, 0.1]}}, state="WARNING")
    assert data.valid is None and data.tests["test"] is not None
    assert "leaves no row for valid: the last epoch is tested" in caplog.text


@pytest.mark.parametrize("split", [{"RS": [1, 0, 0]}, {"RS": [0.8, 0.2, 0]}, {"LS": "valid_only"}])
def test_parts_that_nobody_asked_for_may_be_empty(split, own_folder):
    _shop(own_folder, [(f"u{n % 6}", f"i{n % 10}", n) for n in range(60)])
    assert _split(eval_args={"split": split}).tests == {"test": None}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "mode"),
    [
        ("MF_SL", "full"),
        ("BPR", "full"),
        ("MF_SL", "uni5"),
        ("BPR", {"valid": "uni5", "test": "full"}),
        ("SASRec", "full"),
    ],
)
def test_no_list_is_longer_than_the_items(model, mode, own_folder):
    """RecBole takes the padding for one more, and for sampled candidates it is a RuntimeError."""
    _shop(own_folder, [(f"u{n % 6}", f"i{n % 10}", n) for n in range(60)])
    settings = {"train_neg_sample_args": None} if model == "SASRec" else {}
    settings["eval_args"] = {"mode": mode, "order": "TO", "split": {"LS": "valid_and_test"}}
    for k in (10, 11, 12):
        settings |= {"topk": k, "valid_metric": f"MRR@{k}"}
        if k == 10:
            assert _split(model, **settings).valid is not None
            continue
        with pytest.raises(UsageError, match=f"topk must be at most the 10 items, got {k}"):
            _split(model, **settings)
