"""The settings file of a dataset: what is written reads back, and no work by hand is lost."""

from pathlib import Path

import pytest

from recbole_dsl.common import dataset_settings
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.property_files import read_yaml
from recbole_dsl.config.comments import read_comments

SETTINGS = {
    "load_col": {"inter": ["user_id", "a: b"]},
    "benchmark_filename": ["train", "test"],
    "field_separator": "\t",
    "seq_separator": "#",
    "threshold": None,
    "USER_ID_FIELD": "12",
    "val_interval": {"rating": "[3,inf)", "é": "{x}"},
}


def _write(folder, settings, command="import"):
    folder.mkdir(parents=True, exist_ok=True)
    files, notes = dataset_settings.files_of(folder, command, settings)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return sorted(files), notes


@pytest.mark.parametrize("name", ["shop", "my shop", "a: b", "# no", "two\nlines", "{0}"])
def test_what_is_written_reads_back(own_folder, name):
    folder = own_folder / name
    assert _write(folder, SETTINGS) == ([f"{name}.yaml"], [])
    path = dataset_settings.path_in(folder)
    assert read_yaml(path) == SETTINGS
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) == 3 + len(SETTINGS)
    assert read_comments(text)["load_col",].meaning == "The columns that are read, of each file."


def test_one_that_a_command_has_written_is_replaced(own_folder):
    folder = own_folder / "shop"
    for command in ("import", "split", "import"):
        assert _write(folder, {"load_col": {"inter": [command]}}, command) == (["shop.yaml"], [])


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text + "threshold: {rating: 4}\n",
        lambda text: text.replace("load_col", "unload_col"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: text.partition("\n")[2],
        lambda text: "split_seed: 1\n",
        lambda text: "",
    ],
)
def test_one_that_was_changed_or_written_by_hand_is_kept(own_folder, change):
    folder = own_folder / "shop"
    _write(folder, {"load_col": {"inter": ["a"]}})
    path = folder / "shop.yaml"
    changed = change(path.read_text()).encode()
    path.write_bytes(changed)
    said = "shop.yaml had been written or changed by hand: it is kept as shop.yaml.old"
    assert _write(folder, SETTINGS) == (["shop.yaml", "shop.yaml.old"], [said])
    assert (folder / "shop.yaml.old").read_bytes() == changed and read_yaml(path) == SETTINGS
    path.write_text("second: 2\n")
    _, (said,) = _write(folder, SETTINGS)
    assert said.endswith("kept as shop.yaml.old2")
    assert (folder / "shop.yaml.old").read_bytes() == changed
    assert (folder / "shop.yaml.old2").read_text() == "second: 2\n"


def test_one_that_cannot_be_read_is_one_line(own_folder):
    (own_folder / "shop" / "shop.yaml").mkdir(parents=True)
    with pytest.raises(UsageError, match="^cannot read shop/shop.yaml: Is a directory$"):
        dataset_settings.files_of(Path("shop"), "import", {})
