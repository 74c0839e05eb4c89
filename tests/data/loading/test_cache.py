"""The cache gives back the dataset that was loaded, and only that one."""

import copy
import json
import logging
import os
import threading

import numpy as np
import pytest
from recbole.utils import init_seed

import recbole_dsl
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.loading import cache, cache_entry
from recbole_dsl.data.loading.dataset import ArrayDataset

HEAD = "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
ROWS = "".join(f"0{n % 5}\ti{n % 23}\t{n % 4}.5\t{n * 37 % 100}\n" for n in range(60))
SETTINGS = {"load_col": {"inter": "*"}, "state": "INFO", "device": "cpu"}


@pytest.fixture
def files(own_folder):
    home = own_folder / "dataset" / "d"
    home.mkdir(parents=True)
    (home / "d.inter").write_text(HEAD + ROWS, encoding="utf-8")
    return home


def _config(**changes):
    return Config("MF_SL", "d", config_dict={**SETTINGS, "dataset_cache": True, **changes})


def _load(**changes):
    config = _config(**changes)
    init_seed(config["seed"], True)
    return ArrayDataset(config)


def _entries(own_folder):
    folder = own_folder / "saved" / "dataset_cache"
    return sorted(folder.iterdir()) if folder.exists() else []


@pytest.fixture
def unread(monkeypatch):
    """From the second load on, reading atomic files is an error."""

    def refuse(self, token, path):
        raise AssertionError("the files were read again")

    return lambda: monkeypatch.setattr(ArrayDataset, "_load_data", refuse)


def assert_equal(left, right):
    assert vars(left).keys() == vars(right).keys()
    for name, value in vars(left).items():
        other = vars(right)[name]
        if name.endswith("_feat"):
            assert value is other is None or value.equals(other), name
            if value is not None:
                assert value.dtypes.equals(other.dtypes) and value.index.equals(other.index)
        elif name in ("field2id_token", "alias"):
            assert value.keys() == other.keys()
            for key in value:
                assert np.array_equal(value[key], other[key]), name
                assert value[key].dtype == other[key].dtype
        elif name == "_rest_fields":
            assert list(value) == list(other)
        elif name not in ("config", "logger"):
            assert value == other, name


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"threshold": {"rating": 2}},
        {"load_col": {"inter": ["user_id", "item_id"]}},
        {"user_inter_num_interval": "[8,inf)", "val_interval": {"rating": "[1,inf)"}},
        {"alias_of_item_id": ["friend"], "load_col": {"inter": "*", "user": "*"}},
    ],
    ids=str,
)
def test_a_second_start_has_the_same_dataset_and_split(changes, files, unread):
    user = "user_id:token\tage:float\tfriend:token\n00\t3\ti1\n02\t\ti99\n"
    (files / "d.user").write_text(user, encoding="utf-8")
    fresh = _load(dataset_cache=False, **changes)
    _load(**changes)
    unread()
    cached = _load(**changes)
    assert_equal(fresh, cached)
    builds = []
    for dataset in (fresh, cached):
        init_seed(2020, True)
        builds.append(dataset.build())
    for left, right in zip(*builds, strict=True):
        for name in left.inter_feat:
            assert left.inter_feat[name].equal(right.inter_feat[name])


def test_pre_split_files_are_cached_with_their_lengths(files, unread):
    for name in ("train", "valid", "test"):
        rows = "".join(ROWS.splitlines(keepends=True)[:20])
        (files / f"d.{name}.inter").write_text(HEAD + rows, encoding="utf-8")
    changes = {"benchmark_filename": ["train", "valid", "test"]}
    fresh = _load(**changes)
    unread()
    assert_equal(fresh, _load(**changes))


def test_recboles_models_are_tested_the_same_with_and_without(files, unread):
    settings = {**SETTINGS, "epochs": 2, "topk": [2], "valid_metric": "NDCG@2", "metrics": ["NDCG"]}
    runs = []
    for word in (False, True, True):
        changes = {**settings, "dataset_cache": word}
        runs.append(recbole_dsl.run("BPR", "d", config_dict=changes))
        if word:
            unread()
    assert runs[0]["test"] == runs[1]["test"] == runs[2]["test"]
    assert runs[0]["epochs"][1]["train_loss"] == runs[2]["epochs"][1]["train_loss"]


@pytest.mark.parametrize(
    "changes",
    [
        {"load_col": {"inter": ["user_id", "item_id"]}},
        {"user_inter_num_interval": "[3,inf)"},
        {"TIME_FIELD": "rating"},
        {"encoding": "latin-1"},
        {"numerical_features": ["rating"]},
    ],
    ids=str,
)
def test_other_settings_are_another_entry(changes, files):
    assert cache.key(_config()) != cache.key(_config(**changes))


def test_settings_that_do_not_touch_loading_share_an_entry(files):
    changes = {"tau": 0.3, "seed": 7, "epochs": 2, "eval_args": {"split": {"LS": "valid_only"}}}
    assert cache.key(_config()) == cache.key(_config(**changes))


def test_the_key_is_the_content_not_the_date(files):
    before = cache.key(_config())
    os.utime(files / "d.inter", (1, 1))
    assert cache.key(_config()) == before
    stat = (files / "d.inter").stat()
    (files / "d.inter").write_text(HEAD + ROWS.replace("i3", "i4", 1), encoding="utf-8")
    os.utime(files / "d.inter", ns=(stat.st_atime_ns, stat.st_mtime_ns))
    changed = cache.key(_config())
    assert changed != before
    (files / "d.item").write_text("item_id:token\ni1\n", encoding="utf-8")
    assert cache.key(_config()) not in (before, changed)


def test_other_versions_are_another_entry(files, monkeypatch):
    before = cache.key(_config())
    monkeypatch.setattr(cache, "__version__", "9")
    assert cache.key(_config()) != before


def test_small_datasets_leave_nothing_by_default(files, own_folder, monkeypatch):
    assert Config("MF_SL", "d")["dataset_cache"] == "auto"
    _load(dataset_cache="auto")
    assert not _entries(own_folder)
    monkeypatch.setattr(cache, "SLOW_SECONDS", 0)
    _load(dataset_cache=False)
    assert not _entries(own_folder)
    _load(dataset_cache="auto")
    assert len(_entries(own_folder)) == 1


def test_the_folder_is_a_setting_and_the_log_says_where_it_is(files, own_folder, caplog):
    caplog.set_level(logging.INFO)
    _load(cache_dir="elsewhere")
    (entry,) = (own_folder / "elsewhere").iterdir()
    assert f"keep elsewhere/{entry.name}: 60 rows," in caplog.text
    caplog.clear()
    _load(cache_dir="elsewhere")
    assert f"load elsewhere/{entry.name}: 60 rows," in caplog.text


def _flip(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    "harm",
    [
        lambda entry: _flip(entry / "0.npy"),
        lambda entry: _flip(entry / "meta.json"),
        lambda entry: (entry / "2.npy").unlink(),
        lambda entry: (entry / "meta.json").unlink(),
        lambda entry: (entry / "meta.json").write_text("5", encoding="utf-8"),
        lambda entry: (entry / "1.npy").write_bytes((entry / "1.npy").read_bytes()[:-40]),
        lambda entry: (entry / "1.npy").write_bytes(b""),
        lambda entry: np.save(entry / "1.npy", np.array([{}], dtype=object), allow_pickle=True),
    ],
)
def test_a_damaged_entry_is_said_and_made_again(harm, files, own_folder, caplog, unread):
    fresh = _load()
    (entry,) = _entries(own_folder)
    harm(entry)
    assert_equal(fresh, _load())
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and f"{entry.name} is damaged" in warnings[0]
    assert _entries(own_folder) == [entry] and not (entry / "old").exists()
    unread()
    assert_equal(fresh, _load())


def _forged(change):
    """Changes the description of an entry, its digest right again."""

    def forge(entry):
        _, text = json.loads((entry / "meta.json").read_text(encoding="utf-8"))
        meta = json.loads(text)
        changed = change(meta)
        text = json.dumps(meta if changed is None else changed)
        digest = cache_entry.digest_of(text.encode())
        (entry / "meta.json").write_text(json.dumps([digest, text]), encoding="utf-8")

    return forge


def _other_array(number, values):
    """An array of other content, its digest right."""

    def change(meta):
        np.save(_ENTRY[0] / f"{number}.npy", values)
        meta["arrays"][number]["digest"] = cache_entry.digest_of(cache_entry._raw(values))

    return change


_ENTRY = [None]
FORGERIES = [
    lambda meta: [],
    lambda meta: "text",
    lambda meta: meta.pop("alias") and None,
    lambda meta: meta.update(more=1),
    lambda meta: meta.update(feats=[]),
    lambda meta: meta.update(feats={}, feat_name_list=[]),
    lambda meta: meta["feats"].update(config=meta["feats"]["inter_feat"]),
    lambda meta: meta["feats"]["inter_feat"].append(["rating", 99]),
    lambda meta: meta["feats"]["inter_feat"].append(["rating", -1]),
    lambda meta: meta["feats"]["inter_feat"].append(["new", 0]),
    lambda meta: meta["feats"]["inter_feat"].pop(0) and None,
    lambda meta: meta["feats"]["inter_feat"].pop(1) and None,
    lambda meta: meta["tokens"].update(user_id=0),
    lambda meta: meta["tokens"].update(user_id=99),
    lambda meta: meta["tokens"].update(user_id="0"),
    lambda meta: meta["tokens"].pop("item_id") and None,
    lambda meta: meta["arrays"][0].update(file="../../../dataset/d/d.inter"),
    lambda meta: meta["arrays"][0].update(file="1.npy"),
    lambda meta: meta["arrays"][0].update(dtype="O"),
    lambda meta: meta["arrays"][0].update(dtype="nonsense"),
    lambda meta: meta["arrays"][0].update(dtype="U5"),
    lambda meta: meta["arrays"][0].update(more=1),
    lambda meta: meta["field2type"].update(user_id="token_seq"),
    lambda meta: meta["field2type"].update(user_id="nothing"),
    lambda meta: meta["field2source"].update(user_id=[True, "nothing"]),
    lambda meta: meta["field2source"].pop("user_id") and None,
    lambda meta: meta.update(field2seqlen=[1]),
    lambda meta: meta["alias"].update(user_id=[1]),
    lambda meta: meta.update(rest=None),
    lambda meta: meta.update(file_size_list=[1, 2]),
    _other_array(0, np.full(60, 77)),
    _other_array(0, np.full(60, -1)),
    _other_array(0, np.full(59, 1)),
    _other_array(0, np.ones((60, 1), dtype=np.int64)),
    _other_array(0, np.full(60, 1.5)),
]


@pytest.mark.parametrize("change", FORGERIES)
def test_a_forged_entry_is_damaged_too(change, files, own_folder, caplog):
    fresh = _load()
    (_ENTRY[0],) = _entries(own_folder)
    _forged(change)(_ENTRY[0])
    assert_equal(fresh, _load())
    warnings = [record.message for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1 and f"{_ENTRY[0].name} is damaged" in warnings[0]


def test_a_folder_that_cannot_be_written_is_said_and_the_run_goes_on(files, own_folder, caplog):
    (own_folder / "taken").write_text("a file", encoding="utf-8")
    dataset = _load(cache_dir="taken/cache")
    assert len(dataset.inter_feat) == 60
    assert sum("is not cached" in message for message in caplog.messages) == 1


def test_sequences_are_not_cached_and_the_log_says_so(files, own_folder, caplog):
    caplog.set_level(logging.INFO)
    (files / "d.item").write_text("item_id:token\ttags:token_seq\ni1\ta b\n", encoding="utf-8")
    _load(load_col=None)
    assert "the loaded dataset is not cached: tags is no column of numbers" in caplog.messages
    assert not _entries(own_folder)


def test_runs_at_the_same_time_leave_one_whole_entry(files, own_folder, unread):
    fresh = _load(dataset_cache=False)
    config = _config()
    stores = [cache.Store(copy.deepcopy(config)) for _ in range(8)]
    threads = [threading.Thread(target=store.keep, args=(fresh, 99)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(_entries(own_folder)) == 1
    unread()
    assert_equal(fresh, _load())


def test_numbers_of_any_size_come_back(files):
    large = _load(dataset_cache=False)
    large.inter_feat["rating"] = np.arange(60) * 2**40
    cache.Store(_config()).keep(large, 0)
    assert_equal(large, _load())
