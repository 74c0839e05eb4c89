"""The result of a run, as a file and as text."""

import json
from pathlib import Path

import pytest
import torch
from configs import config_of

from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments import result
from recbole_dsl.experiments.result import (
    check_result_file,
    count_parameters,
    machine,
    result_path,
    table,
    versions,
    write,
)


def test_a_result_that_cannot_be_written_whole_leaves_the_one_before(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    write(path, {"test": 1})
    assert path.read_text() == '{\n  "test": 1\n}\n'
    original = Path.write_text

    def full_disk(self, content, **options):
        original(self, content[: len(content) // 2], **options)
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write(path, {"test": 2})
    assert json.loads(path.read_text()) == {"test": 1} and list(tmp_path.iterdir()) == [path]


def test_the_machine_is_that_of_the_device(monkeypatch):
    monkeypatch.setattr(result, "processor", lambda: "Some CPU")
    monkeypatch.setattr(result, "usable_cores", lambda: 1)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"GPU {device.index}")
    found = {"processor": "Some CPU", "cores": 1, "threads": 2, "gpu": None}
    assert machine(torch.device("cpu")) == found
    assert machine(torch.device("cuda", 3)) == {**found, "gpu": "GPU 3"}


def test_a_result_holds_finite_numbers_alone(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path / "x.json", {"test": float("nan")})
    assert not list(tmp_path.iterdir())


def test_the_result_lies_where_it_is_asked_for_or_beside_the_checkpoint():
    config = config_of("MF_SL")
    assert result_path(config, "saved/a.b.pth", saved=True) == Path("saved/a.b.json")
    assert result_path(config, "saved/a.pth", saved=False) is None
    config = config_of("MF_SL", result_file="out/x.txt")
    assert result_path(config, "saved/a.pth", saved=False) == Path("out/x.txt")


def test_parameters_that_are_not_trained_do_not_count():
    model = torch.nn.Linear(3, 2)
    assert count_parameters(config_of("MF_SL"), model) == 8
    model.bias.requires_grad_(False)
    assert count_parameters(config_of("BPR"), model) == 6
    assert count_parameters(config_of("EASE"), model) == 0


def test_every_test_set_has_a_row():
    metrics = {"recall@10": 0.12345, "ndcg@10": 0.5}
    lines = table({"valid": metrics, "test": metrics}).splitlines()
    assert [line.split() for line in lines[::2]] == [
        ["recall@10", "ndcg@10"],
        ["valid", "0.1235", "0.5000"],
    ]
    tests = {"iid": metrics, "popularity": {"recall@10": 0.1}}
    lines = table({"valid": None, "test": metrics, "tests": tests}, decimals=1).splitlines()
    assert [line.split()[0] for line in lines[2:]] == ["test_iid", "test_popularity"]
    assert lines[3].split() == ["test_popularity", "0.1"]
    assert table({"valid": None, "test": None}).startswith("no validation and no test rows")


def test_versions_name_all_that_a_number_depends_on():
    found = versions()
    assert found["recbole"] == "1.2.1" and found["torch"].split("+")[0] in torch.__version__
    assert {"recbole_dsl", "python", "numpy", "scipy", "pandas"} < set(found)


@pytest.mark.parametrize(
    "name", ["saved", "saved/", "./saved", "log", "log_tensorboard", "x/", "a", "a/b", "a/b/c"]
)
def test_a_result_file_that_is_or_becomes_a_folder_is_refused_before_training(name, own_folder):
    folder = "a/b/c" if name.startswith("a") else "saved"
    config = config_of("MF_SL", result_file=name, checkpoint_dir=folder)
    with pytest.raises(UsageError, match=f"result_file {name} names a folder, not a file"):
        check_result_file(config)
    assert list(own_folder.iterdir()) == []


def test_a_result_file_beside_or_in_the_folders_is_fine(own_folder):
    for name in ("saved.json", "saved/x.json", "a/b.json"):
        check_result_file(config_of("MF_SL", result_file=name))
    check_result_file(config_of("MF_SL"))
    assert list(own_folder.iterdir()) == []
