"""RecBole's pickle of a dataset: taken where it is of the same files, and told where it is not."""

import os
import pickle

import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset

pytestmark = pytest.mark.slow

HEAD = "user_id:token\titem_id:token\ttimestamp:float\n"
ROWS = [f"u{n % 6}\ti{n % 10}\t{n}\n" for n in range(60)]
FILES = {"MF_SL": "shop-Dataset", "SASRec": "shop-SequentialDataset"}
NOT_USED = "the dataset's files have changed"


@pytest.fixture
def shop(own_folder):
    path = own_folder / "dataset" / "shop" / "shop.inter"
    path.parent.mkdir(parents=True)
    path.write_text(HEAD + "".join(ROWS))
    return path


def _load(model="MF_SL", **settings):
    given = {"load_col": None, "device": "cpu", "state": "WARNING", **settings}
    if model == "SASRec":
        given["train_neg_sample_args"] = None
    return load_dataset(Config(model, "shop", config_dict=given))


@pytest.mark.parametrize("model", FILES)
def test_a_dataset_of_files_that_have_changed_is_not_taken(model, shop, caplog, monkeypatch):
    assert len(_load(model, save_dataset=True)) == 60
    with monkeypatch.context() as patch:
        patch.setattr("recbole.data.dataset.Dataset._load_feat", None)
        assert len(_load(model, save_dataset=True)) == 60
    assert NOT_USED not in caplog.text
    times = shop.stat().st_atime, shop.stat().st_mtime
    shop.write_text(HEAD + "".join(ROWS[:50]))
    os.utime(shop, times)  # as a copy keeps them
    assert len(_load(model, save_dataset=True)) == 50
    assert f"saved/{FILES[model]}.pth is not used: {NOT_USED}" in caplog.text
    caplog.clear()
    assert len(_load(model, save_dataset=True)) == 50 and NOT_USED not in caplog.text


@pytest.mark.parametrize("model", FILES)
def test_nothing_is_unpickled_unasked(model, shop, own_folder):
    """RecBole takes what lies in checkpoint_dir for any sequential model."""
    (own_folder / "saved").mkdir()
    (own_folder / "saved" / f"{FILES[model]}.pth").write_bytes(b"not looked at")
    assert len(_load(model)) == 60


def test_one_of_recboles_own_is_told_by_its_time(shop, caplog):
    _load("SASRec", save_dataset=True)
    os.remove("saved/shop-SequentialDataset.json")
    assert len(_load("SASRec", save_dataset=True)) == 60 and "not used" not in caplog.text
    assert not os.path.exists("saved/shop-SequentialDataset.json")  # of which files is unknown
    shop.write_text(HEAD + "".join(ROWS[:50]))
    os.utime(shop, (4e9, 4e9))
    assert len(_load("SASRec", save_dataset=True)) == 50
    assert "shop-SequentialDataset.pth is not used: shop.inter changed after it was" in caplog.text


@pytest.mark.parametrize("content", [b"", b"x", pickle.dumps({"a": 1}), b"\x80\x04cno_such\nX\n."])
def test_what_is_no_dataset_is_one_line(content, shop, own_folder):
    (own_folder / "mine.pth").write_bytes(content)
    with pytest.raises(UsageError, match="mine.pth holds no dataset that RecBole has") as caught:
        _load(dataset_save_path="mine.pth")
    assert "\n" not in str(caught.value)


def test_one_that_is_not_there_is_one_line(shop):
    with pytest.raises(UsageError, match="dataset_save_path: there is no file nope.pth"):
        _load(dataset_save_path="nope.pth")
