"""Each correction of a fault of RecBole's, shown on its symptom."""

import zipfile

import torch

from recbole_dsl.compat.apply import apply
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset


def test_rows_without_a_user_or_an_item_are_removed_and_no_others(make_dataset, caplog):
    caplog.set_level("WARNING")  # a run before this one may have raised it
    pairs = [("", "x"), ("a", "x"), ("b", ""), ("b", "y"), ("", ""), ("c", "y")]
    make_dataset("d", pairs)
    dataset = load_dataset(Config("BPR", "d"))
    users, items = (dataset.inter_feat[name] for name in ("user_id", "item_id"))
    assert list(dataset.id2token("user_id", users.tolist())) == ["a", "b", "c"]
    assert list(dataset.id2token("item_id", items.tolist())) == ["x", "y", "y"]
    assert "inter_feat: 2 row(s) without user_id are removed; the first in line(s) [2, 6]" in (
        caplog.text
    )
    assert "1 row(s) without item_id are removed; the first in line(s) [4]" in caplog.text


def test_a_download_does_not_need_a_process_group(own_folder, monkeypatch):
    from recbole.data.dataset import dataset as module

    def download(url, folder):
        path = f"{folder}/adult.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("adult.inter", "user_id:token\titem_id:token\nu\ti\nu\tj\nu\tk\n")
        return path

    monkeypatch.setattr(module, "decide_download", lambda url: True)
    monkeypatch.setattr(module, "download_url", download)
    barrier = torch.distributed.barrier
    assert load_dataset(Config("BPR", "adult")).inter_num == 3
    assert torch.distributed.barrier is barrier


def test_a_folder_that_another_run_makes_meanwhile_is_no_error(tmp_path, monkeypatch):
    from recbole.data import utils as data_utils
    from recbole.data.dataset import dataset
    from recbole.trainer import trainer
    from recbole.utils import logger

    apply()
    (tmp_path / "log").mkdir()
    monkeypatch.setattr("os.path.exists", lambda path: False)  # it looked before
    for module in (data_utils, dataset, trainer, logger):
        module.ensure_dir(str(tmp_path / "log"))


def test_bars_of_recboles_loops_leave_nothing_on_the_terminal(capsys):
    from recbole.trainer import trainer

    apply()
    apply()  # once more changes nothing more
    for _ in trainer.tqdm(range(3), total=3, ncols=100, desc="Train"):
        pass
    shown = capsys.readouterr().err
    assert "Train:" in shown and shown.endswith("\r") and "\n" not in shown
