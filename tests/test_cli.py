import pytest

from recbole_dsl import cli
from recbole_dsl.registry import BACKBONES, LOSSES
from recbole_dsl.settings import UsageError, properties_dir


def test_flags_files_and_settings_are_told_apart():
    files, pairs = cli.parse(
        ["-m", "MF_SL", "--dataset=d", "--config_files=a.yaml b.yaml", "--tau", "0.1", "--nproc=2"]
    )
    assert files == ["a.yaml", "b.yaml"]
    assert pairs == [("model", "MF_SL"), ("dataset", "d"), ("tau", "0.1"), ("nproc", "2")]


def test_model_and_dataset_have_defaults_unless_a_file_may_name_them():
    assert cli.parse([])[1] == [("model", "LightGCN_DSL"), ("dataset", "ml-100k")]
    assert cli.parse(["--config_files=a.yaml"])[1] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-x", "1"], "unknown flag -x"),
        (["word"], "unexpected argument 'word'"),
    ],
)
def test_bad_flags_are_refused(arguments, message):
    with pytest.raises(UsageError, match=message):
        cli.parse(arguments)


def test_main_prints_one_line_and_returns_two(capsys):
    assert cli.main(["--model=LightGCN_DLS"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_help_names_every_flag_and_fits_a_terminal(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for flag in (
        "--model",
        "--dataset",
        "--config_files",
        "--nproc",
        "--port",
        "--list",
        "--result_file",
    ):
        assert flag in text
    assert max(map(len, text.splitlines())) <= 100


def test_list_shows_every_name_with_paper_and_a_file_that_exists(capsys):
    assert cli.main(["--list"]) == 0
    text = capsys.readouterr().out
    for folder, table in (("loss", LOSSES), ("backbone", BACKBONES)):
        for name, item in table.items():
            path = f"properties/{folder}/{name}.yaml"
            assert path in text and item.paper in text
            assert (properties_dir() / folder / f"{name}.yaml").is_file()
    assert max(map(len, text.splitlines())) <= 110
    for name in [*BACKBONES, *LOSSES, "BPR", "EASE", "MultiVAE", "SimpleX", "NGCF"]:
        assert name in text.split()
