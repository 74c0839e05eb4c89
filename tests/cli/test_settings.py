"""``recbole_dsl settings``: what wins, what it means, and that it fits a terminal."""

from pathlib import Path
from typing import NamedTuple

import pytest

from recbole_dsl.cli import settings
from recbole_dsl.cli.settings import settings_text
from recbole_dsl.common.property_files import SEARCH, properties_dir, read_yaml


class Row(NamedTuple):
    """As recbole_dsl.config.settings_table.Setting."""

    name: str
    value: object
    type: str
    meaning: str
    layer: str


def _groups(text):
    """Layer -> its lines, in the order of the text."""
    found = {}
    for line in text.split("=" * 100 + "\n")[1].splitlines():
        if not line.startswith(" "):
            layer = line.removesuffix(":")
            found[layer] = []
        else:
            found[layer].append(line)
    return found


def _said(capsys, *words, code=0):
    assert settings.main(words) == code
    out, err = capsys.readouterr()
    return out if code == 0 else err


def test_layers_come_in_the_order_in_which_they_win():
    layers = [
        "RecBole overall.yaml", "properties/overall.yaml", "RecBole model/NGCF.yaml",
        "RecBole dataset/sample.yaml", "RecBole dataset/ml-100k.yaml",
        "RecBole quick_start_config/sequential.yaml", "model name", "properties/pair.yaml",
        "properties/backbone/MF.yaml", "backbone Tower, signature", "backbone file /my/tower.yaml",
        "properties/loss/SL.yaml", "loss HingeLoss, signature", "loss file /mine/hinge.yaml",
        "properties/model/MF_SL.yaml", "properties/dataset/ml-100k.yaml",
        "dataset file dataset/a/a.yaml", "config file a.yaml",
        "config file b.yaml", "config dict", "command line",
    ]  # fmt: skip
    rows = [Row(f"s{at}", at, "int", "", layer) for at, layer in enumerate(layers)]
    mixed = sorted(rows, key=lambda row: (row.layer[::-1], row.value))
    mixed.sort(key=lambda row: row.layer.startswith("config file b"))
    assert list(_groups(settings_text(mixed))) == layers


def test_columns_are_aligned_and_long_cells_wrapped():
    rows = [
        Row("tau", 0.2, "float", "Temperature, > 0.", "a"),
        Row("a_name_that_is_longer_than_its_column", {"a": [1, 2, 3], "b": "x" * 9}, "dict",
            "words " * 20, "a"),
        Row("sep", "\t", "str", "", "a"), Row("empty", "", "str", "", "a"),
        Row("none", None, "list or int or None", "", "a"),
    ]  # fmt: skip
    lines = settings_text(rows).splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0].split() == ["setting", "value", "type", "meaning"]
    at = [lines[0].index(title) for title in ("value", "type", "meaning")]
    tau = next(line for line in lines if line.startswith("  tau "))
    assert [tau[column:].split()[0] for column in at] == ["0.2", "float", "Temperature,"]
    long = lines.index("  a_name_that_is_longer_than_its_column")
    assert lines[long + 1][at[0] :].split()[:2] == ["{'a':", "[1,"]
    assert sum(line[at[2] :].split().count("words") for line in lines[long:]) == 20
    for name, value in (("sep", "'\\t'"), ("empty", "''"), ("none", "None")):
        assert any(line.split()[:2] == [name, value] for line in lines)


def test_a_pair_shows_each_setting_of_its_files_with_its_meaning(capsys):
    text = _said(capsys, "LightGCN_DSL")
    assert max(map(len, text.splitlines())) <= 100
    groups = _groups(text)
    for name in ("loss/DSL.yaml", "backbone/LightGCN.yaml"):
        layer, values = f"properties/{name}", read_yaml(properties_dir() / name)
        for key in values.keys() - {SEARCH}:
            assert any(line.split()[0] == key for line in groups[layer]), key
    tau = next(line for line in groups["properties/loss/DSL.yaml"] if line.startswith("  tau "))
    assert tau.split()[:6] == ["tau", "0.2", "float", ">", "0", "Base"]


def test_files_and_the_command_line_show_what_wins(capsys):
    Path("mine.yaml").write_text("tau: 0.3\nbeta: -3\n")
    text = _said(
        capsys, "MF_DSL", "--dataset=ml-100k", "--config_files=mine.yaml", "--tau=0.1", "--k", "9",
        code=2,
    )  # fmt: skip
    assert text.startswith("error: k is not a setting of MF_DSL, but of ")
    text = _said(capsys, "--tau", "0.1", "MF_DSL", "--dataset=ml-100k", "--config_files=mine.yaml")
    groups = _groups(text)
    assert list(groups)[-2:] == ["config file mine.yaml", "command line"]
    assert [line.split()[:2] for line in groups["config file mine.yaml"][:1]] == [["beta", "-3"]]
    given = [line.split()[:2] for line in groups["command line"] if line[2] != " "]
    assert sorted(given) == [["dataset", "ml-100k"], ["model", "MF_DSL"], ["tau", "0.1"]]
    assert not any(line.split()[0] == "tau" for line in groups["properties/loss/DSL.yaml"])


@pytest.mark.parametrize(
    ("model", "words", "own"),
    [
        ("BPR", [], "embedding_size"),
        ("FM", [], "embedding_size"),
        ("SASRec", ["--train_neg_sample_args=None"], "hidden_size"),
    ],
)
def test_models_of_recbole_are_shown_too(model, words, own, capsys):
    groups = _groups(_said(capsys, model, *words))
    assert "properties/overall.yaml" in groups
    assert any(line.split()[0] == own for line in groups[f"RecBole model/{model}.yaml"])


def test_nothing_is_written(make_dataset, capsys, own_folder):
    _said(capsys, "BPR", f"--dataset={make_dataset('toy', [('u', 'i')])}")
    assert [path.name for path in own_folder.iterdir()] == ["dataset"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "recbole_dsl settings takes one MODEL (see --help)"),
        (["BPR", "EASE"], "recbole_dsl settings takes one MODEL, got BPR and EASE (see --help)"),
        (["LightGCN_DLS"], "did you mean LightGCN_DSL?"),
        (["BPRR"], "did you mean BPR?"),
        (["MF_SL", "--tua=0.1"], "unknown setting 'tua' (command line); did you mean tau?"),
        (["MF_SL", "--dataset=ml-10k"], "did you mean ml-100k?"),
    ],
)
def test_mistakes_are_one_line(words, message, capsys):
    err = _said(capsys, *words, code=2)
    assert err.startswith("error: ") and message in err and err.count("\n") == 1
