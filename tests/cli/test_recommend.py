"""The commands recommend and export."""

import json
import os
import sys
from pathlib import Path

import pandas as pd
import pytest
import served

from recbole_dsl.__main__ import main
from recbole_dsl.cli import recommend as module
from recbole_dsl.serving import write_table
from recbole_dsl.serving.recommender import Recommender


@pytest.fixture
def checkpoint(own_folder):
    served.write(own_folder / "a.pth", served.section())
    return "a.pth"


def _read(path):
    readers = {
        ".csv": pd.read_csv,
        ".tsv": lambda p: pd.read_csv(p, sep="\t"),
        ".jsonl": lambda p: pd.read_json(p, lines=True),
        ".parquet": pd.read_parquet,
    }
    return readers[Path(path).suffix](path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_a_table_of_each_kind_holds_what_the_recommender_says(
    checkpoint, suffix, capsys, monkeypatch
):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    monkeypatch.setattr("recbole_dsl.serving.top_k.SCORES", 90)  # three users a block
    assert main(["recommend", checkpoint, f"--output=out{suffix}", "--k=4"]) == 0
    expected = Recommender(served.section()).recommend(k=4)
    found = _read(f"out{suffix}")
    assert list(found.columns) == ["user", "rank", "item", "score"]
    for name in found.columns:
        assert found[name].tolist() == expected[name].tolist()
    assert capsys.readouterr() == (f"MF_SL on toy: 28 rows\nwrote out{suffix}\n", "")


def test_users_items_and_exclusions_are_as_asked(checkpoint, own_folder, capsys):
    (own_folder / "users.txt").write_text("u3\r\nx\nu1", "utf-8")
    (own_folder / "items.txt").write_text("é 3\né 20\n", "utf-8-sig")
    words = ["--users=users.txt", "--items=items.txt", "--exclude=none", "--output=out.csv"]
    assert main(["recommend", checkpoint, *words]) == 2
    assert capsys.readouterr().err == ("error: the model does not know 1 of 3 users: 'x'\n")
    assert not (own_folder / "out.csv").exists()
    assert main(["recommend", checkpoint, *words, "--unknown=warn"]) == 0
    expected = Recommender(served.section()).recommend(
        ["u3", "u1"], items=["é 3", "é 20"], exclude=None
    )
    assert _read("out.csv")["item"].tolist() == expected["item"].tolist()
    assert capsys.readouterr().err == (
        "warning: the model does not know 1 of 3 users: 'x': left out\n"
    )
    assert main(["recommend", checkpoint, "--exclude=train,valid", "--output=two.csv"]) == 0
    expected = Recommender(served.section()).recommend(k=20, exclude=["train", "valid"])
    assert _read("two.csv")["item"].tolist() == expected["item"].tolist()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no CHECKPOINT is given"),
        (["a.pth", "b.pth"], "one CHECKPOINT at a time, got a.pth and b.pth"),
        (["a.pth"], "--output=FILE is missing"),
        (["a.pth", "--output=x.txt"], "--output must end in .csv, .tsv, .jsonl, .parquet, got"),
        (["none.pth", "--output=x.csv"], "no checkpoint none.pth"),
        (["a.pth", "--output=folder.csv"], "--output folder.csv is a folder, not a file"),
        (["a.pth", "--output=x.csv", "--k=0"], "--k must be an integer >= 1, got '0'"),
        (["a.pth", "--output=x.csv", "--users=no.txt"], "--users: no.txt cannot be read: No such"),
        (["a.pth", "--output=x.csv", "--users=empty.txt"], "--users: empty.txt: is empty; it"),
        (["a.pth", "--output=x.csv", "--users=gap.txt"], "--users: gap.txt: line 2 is empty; it"),
        (["a.pth", "--output=x.csv", "--items=latin.txt"], "--items: latin.txt is not UTF-8"),
        (["a.pth", "--output=x.csv", "--exclude=trian"], "exclude must be None or among seen"),
        (["a.pth", "--output=x.csv", "--unknown=x"], "unknown must be one of error, warn, got"),
        (["a.pth", "--output=x.csv", "--index=none"], "none has no index"),
    ],
)
def test_a_mistake_is_one_line_and_writes_nothing(checkpoint, own_folder, words, message, capsys):
    (own_folder / "folder.csv").mkdir()
    (own_folder / "empty.txt").touch()
    (own_folder / "gap.txt").write_text("u1\n\nu2\n")
    (own_folder / "latin.txt").write_bytes(b"\xe9\n")
    before = sorted(path.name for path in own_folder.iterdir())
    assert main(["recommend", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"error: {message}") and err.count("\n") == 1
    assert sorted(path.name for path in own_folder.iterdir()) == before


def test_of_several_checkpoints_the_newest_is_named(own_folder, capsys):
    for name, time in (("a.pth", 2), ("b.pth", 3), ("c.pth", 1)):
        (own_folder / name).touch()
        os.utime(own_folder / name, (time, time))
    assert main(["recommend", "a.pth", "b.pth", "c.pth", "--output=x.csv"]) == 2
    assert capsys.readouterr().err == (
        "error: one CHECKPOINT at a time, got a.pth and b.pth and c.pth; the newest is b.pth\n"
    )


@pytest.mark.parametrize("text", ["u1\nu 2", "u1\nu 2\n", "\ufeff u1\r\nu 2\r\n\r\n \n"])
def test_a_file_of_ids_may_end_in_empty_lines(text, own_folder):
    (own_folder / "ids.txt").write_text(text, encoding="utf-8")
    assert module.read_ids("users", "ids.txt") == ["u1", "u 2"]


def test_a_missing_pyarrow_is_told_before_the_checkpoint_is_read(own_folder, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert main(["recommend", "none.pth", "--output=x.parquet"]) == 2
    assert 'pip install "recbole_dsl[parquet]"' in capsys.readouterr().err


def test_a_table_that_is_interrupted_leaves_the_old_one(
    checkpoint, own_folder, monkeypatch, capsys
):
    (own_folder / "out.csv").write_text("old")

    def blocks(*_, **__):
        yield served_block()
        raise KeyboardInterrupt

    def served_block():
        return pd.DataFrame({"user": ["a"], "rank": [1], "item": ["b"], "score": [0.5]})

    monkeypatch.setattr(Recommender, "recommend_blocks", blocks)
    assert main(["recommend", checkpoint, "--output=out.csv"]) == 130
    assert capsys.readouterr().err == "interrupted; nothing is written\n"
    assert (own_folder / "out.csv").read_text() == "old"
    assert sorted(path.name for path in own_folder.iterdir()) == ["a.pth", "out.csv"]


def test_progress_is_shown_on_a_terminal_alone(checkpoint, monkeypatch, capsys):
    monkeypatch.setattr(module.sys.stderr, "isatty", lambda: True)
    assert main(["recommend", checkpoint, "--output=out.csv"]) == 0
    assert "7/7" in capsys.readouterr().err


@pytest.mark.parametrize("suffix", write_table.SUFFIXES)
def test_no_users_are_a_table_without_rows(checkpoint, own_folder, suffix):
    if suffix == ".parquet":
        pytest.importorskip("pyarrow")
    (own_folder / "users.txt").write_text("x\n")
    words = ["--users=users.txt", "--unknown=warn", f"--output=out{suffix}"]
    assert main(["recommend", checkpoint, *words]) == 0
    if suffix == ".jsonl":
        assert (own_folder / "out.jsonl").read_text().strip() == ""
    else:
        assert list(_read(f"out{suffix}").columns) == ["user", "rank", "item", "score"]


def test_export_writes_a_folder_and_says_what_it_holds(checkpoint, own_folder, capsys):
    assert main(["export", checkpoint, "--output=out"]) == 0
    assert capsys.readouterr() == (
        "MF_SL on toy: 7 users, 30 items, 4 dimensions, score dot\nwrote out\n", ""
    )  # fmt: skip
    assert json.loads((own_folder / "out/meta.json").read_text())["normalised"] is False


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no CHECKPOINT is given"),
        (["a.pth"], "--output=FOLDER is missing"),
        (
            ["a.pth", "--output=x", "--index=hnswlb"],
            "--index must be hnswlib or faiss, got 'hnswlb'; did",
        ),
        (["a.pth", "--output=x", "--ef=10"], "--ef is of an index, which --index asks for"),
        (["none.pth", "--output=x"], "no checkpoint none.pth"),
    ],
)
def test_a_mistake_in_an_export_is_one_line_and_writes_nothing(
    checkpoint, own_folder, words, message, capsys
):
    assert main(["export", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"error: {message}") and err.count("\n") == 1
    assert [path.name for path in own_folder.iterdir()] == ["a.pth"]
