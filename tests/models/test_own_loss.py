"""A loss of one's own as the guide shows it: one file, one YAML, a name or a registry line."""

import re
import subprocess
import sys

import pytest
from own_parts import write_guide_files
from quick import QUICK_PAIR, SCRIPT

import recbole_dsl
from recbole_dsl.common import property_files
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config import property_layers
from recbole_dsl.config.run_config import Config
from recbole_dsl.models import registry

QUICK = {**QUICK_PAIR, "epochs": 2}


@pytest.fixture
def hinge(own_folder, monkeypatch):
    """The recipe's files in a scratch folder, which is the current one."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    write_guide_files(own_folder)
    yield own_folder
    sys.modules.pop("hinge", None)


@pytest.mark.slow
def test_runs_by_module_and_class_and_loads_again(hinge):
    result = recbole_dsl.run("LightGCN_hinge:HingeLoss", "ml-100k", config_dict=QUICK)
    assert result["model"] == "LightGCN_HingeLoss"
    margin = result["settings"]["margin"]
    assert margin["value"] == 0.3 and margin["from"].endswith("hinge.yaml")
    assert result["epochs"][1]["train_loss"] < result["epochs"][0]["train_loss"]
    loaded = recbole_dsl.load(result["checkpoint"], model="LightGCN_hinge:HingeLoss")
    assert type(loaded.model.loss).__name__ == "HingeLoss"


@pytest.mark.slow
def test_runs_from_the_command_line(hinge):
    command = [sys.executable, str(SCRIPT), "--model=MF_hinge:HingeLoss"]
    flags = ["--epochs=1", "--margin=0.5", "--train_batch_size=8192", "--embedding_size=8"]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, cwd=hinge)
    assert done.returncode == 0, done.stderr
    assert "MF_HingeLoss on ml-100k" in done.stdout + done.stderr
    done = subprocess.run([*command, "--margin=-1"], capture_output=True, text=True, cwd=hinge)
    assert done.returncode == 2
    assert done.stderr == "error: MF_HingeLoss: margin must be > 0, got -1\n"


@pytest.mark.slow
def test_runs_by_a_line_in_the_registry(hinge, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(hinge)
    import hinge as module

    properties = tmp_path / "properties"
    source = property_files.properties_dir()
    for path in source.rglob("*.yaml"):
        target = properties / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    (properties / "loss" / "Hinge.yaml").write_text((hinge / "hinge.yaml").read_text())
    monkeypatch.setattr(property_layers, "properties_dir", lambda: properties)
    monkeypatch.setitem(registry.LOSSES, "Hinge", module.HingeLoss)
    result = recbole_dsl.run("MF_Hinge", "ml-100k", config_dict=QUICK, saved=False)
    assert result["settings"]["margin"] == {"value": 0.3, "from": "properties/loss/Hinge.yaml"}


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("MF_hinge:HingLoss", "hinge has no RowLoss 'HingLoss'; did you mean HingeLoss?"),
        ("MF_hing:HingeLoss", "cannot import hing: No module named 'hing'"),
        ("MX_hinge:HingeLoss", "cannot import MX_hinge"),
    ],
)
def test_a_wrong_name_gets_one_line(target, message, hinge):
    with pytest.raises(UsageError, match=re.escape(message)):
        Config(target, "ml-100k")


def test_an_option_without_a_value_names_it(hinge):
    (hinge / "hinge.yaml").write_text("score: cosine\n")
    with pytest.raises(UsageError, match="MF_HingeLoss: setting 'margin' is missing"):
        Config("MF_hinge:HingeLoss", "ml-100k")


def test_an_input_that_nobody_offers_gets_the_nearest_name(hinge):
    path = hinge / "hinge.py"
    path.write_text(path.read_text().replace("paper =", 'inputs = ("pos", "negs")\n    paper ='))
    with pytest.raises(UsageError, match="the loss asks for 'negs', .*did you mean neg"):
        Config("MF_hinge:HingeLoss", "ml-100k")


def test_a_setting_of_its_file_that_nothing_reads_is_refused(hinge):
    (hinge / "hinge.yaml").write_text("score: cosine\nmargn: 0.9\nmargin: 0.3\n")
    message = r"hinge.yaml: unknown setting 'margn'; did you mean margin\?"
    with pytest.raises(UsageError, match=message):
        Config("MF_hinge:HingeLoss", "ml-100k")
    (hinge / "hinge.yaml").write_text("margin: 0.3\nlearning_rate: 0.1\nseed: 7\n")
    config = Config("MF_hinge:HingeLoss", "ml-100k")
    assert (config["learning_rate"], config["seed"]) == (0.1, 7)


def test_a_loss_without_a_file_has_the_score_it_is_defined_for(own_folder, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])
    (own_folder / "plain.py").write_text(
        "from recbole_dsl.losses import RowLoss\n\n\n"
        "class Plain(RowLoss):\n    scores = ('dot', 'cosine')\n\n"
        "    def forward(self, pos, neg):\n        return (neg - pos.unsqueeze(1)).exp()\n"
    )
    try:
        assert Config("MF_plain:Plain", "ml-100k")["score"] == "dot"
        config = Config("MF_plain:Plain", "ml-100k", config_dict={"score": "cosine"})
        assert config["score"] == "cosine"
        shape = r"MF_Plain: the loss of a batch must be one number, .* shape \(\d+, \d+\): take"
        with pytest.raises(UsageError, match=shape):
            recbole_dsl.run("MF_plain:Plain", "ml-100k", config_dict=QUICK)
    finally:
        sys.modules.pop("plain", None)
