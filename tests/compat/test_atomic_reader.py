"""Which files the fast parser reads, and what becomes of the others."""

import logging

import numpy as np
import pandas as pd
import pytest

from recbole_dsl.compat import atomic_reader

HEAD = "user_id:token\titem_id:token\tage:float\n"


def _file(folder, text):
    path = folder / "d.inter"
    path.write_bytes(text.encode())
    return path


def _read(path, **changes):
    dtype = {"user_id:token": str, "item_id:token": str, "age:float": np.float64}
    options = dict(delimiter="\t", usecols=list(dtype), dtype=dtype, encoding=None)
    with atomic_reader.tokens_as_categories():
        return atomic_reader.read_csv(path, **{**options, **changes}, engine="python")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (HEAD + "a\tb\t1\n", None),
        (HEAD + "a\tb\t1\r\nc\td\t2\r\n", None),
        (HEAD, None),
        (HEAD + 'a"\tb\t1\n', "quotes"),
        (HEAD + " a\tb\t1\n", "a leading blank"),
        (HEAD + "a\tb\t1\rc\td\t2\n", "carriage returns inside lines"),
    ],
)
def test_obstacles_are_found(text, found, own_folder):
    assert atomic_reader.obstacle(_file(own_folder, text), "\t") == found


@pytest.mark.parametrize("separator", ["::", " ", r"\s+", '"'])
def test_separators_of_one_plain_character_are_fast(separator, own_folder):
    path = _file(own_folder, HEAD)
    assert atomic_reader.obstacle(path, separator) == f"the separator {separator!r}"
    assert atomic_reader.obstacle(path, ",") is None
    assert atomic_reader.obstacle(_file(own_folder, "a,b\n\tx,y\n"), ",") == "a leading blank"


def test_the_log_says_why_a_file_is_read_slowly(own_folder, caplog):
    caplog.set_level(logging.INFO)
    _read(_file(own_folder, HEAD + "a\tb\t1\n"))
    assert not caplog.messages
    frame = _read(_file(own_folder, HEAD + 'a\tb\t1\n"c"\td\t2\n'))
    assert frame["user_id:token"].tolist() == ["a", "c"]
    assert caplog.messages == ["read d.inter with RecBole's own, slower reader: quotes"]
    _read(_file(own_folder, HEAD + "a\tb\t1_0\n"))
    assert "slower reader: pandas' C parser says: " in caplog.messages[-1]


def test_text_in_a_column_of_numbers_is_named_by_its_row(own_folder):
    with pytest.raises(ValueError, match=r"d.inter, row 2, column age:float: 'x' is not a number"):
        _read(_file(own_folder, HEAD + "a\tb\t1\na\tb\tx\n"))


def test_bytes_of_another_encoding_are_named_by_their_line(own_folder):
    path = own_folder / "d.inter"
    path.write_bytes(HEAD.encode() + b"a\tb\t1\n\xe9\tb\t1\n")
    with pytest.raises(ValueError, match=r"d.inter, line 3, is not utf-8: .*\(setting encoding\)"):
        _read(path, encoding="utf-8")
    assert len(_read(path, encoding="latin-1")) == 2


@pytest.mark.parametrize("extra", ["a\tb\n", "a\tb\t1\t9\n", '"a"\tb\t1\t\n'])
def test_rows_of_another_width_are_refused(extra, own_folder):
    with pytest.raises(ValueError, match=r"d.inter, line 3: \d field\(s\), but the header has 3"):
        _read(_file(own_folder, HEAD + "a\tb\t1\n" + extra))


def test_tokens_are_categories_in_order_of_appearance(own_folder, monkeypatch):
    monkeypatch.setattr(atomic_reader, "_CHUNK", 2)
    frame = _read(_file(own_folder, HEAD + "7\tb\t1\n007\tb\t2\n\ta\t3\n7\tb\t4\nx\tc\t\n"))
    users = frame["user_id:token"].values
    assert isinstance(users, pd.Categorical)
    assert users.categories.tolist() == ["7", "007", "x"]
    assert users.codes.tolist() == [0, 1, -1, 0, 2]
    assert frame["item_id:token"].values.codes.tolist() == [0, 0, 1, 0, 2]
    assert frame["age:float"].tolist()[:4] == [1, 2, 3, 4] and np.isnan(frame["age:float"][4])


def test_a_file_of_a_header_alone_has_no_rows(own_folder):
    frame = _read(_file(own_folder, HEAD))
    assert list(frame) == ["user_id:token", "item_id:token", "age:float"] and len(frame) == 0


def test_only_the_columns_asked_for_are_read(own_folder):
    frame = _read(
        _file(own_folder, HEAD + "a\tb\tno number\n"),
        usecols=["item_id:token"],
        dtype={"item_id:token": str},
    )
    assert list(frame) == ["item_id:token"] and frame["item_id:token"].tolist() == ["b"]


def test_categoricals_stay_categoricals_when_frames_are_put_together():
    left = pd.DataFrame({"a": pd.Categorical(["x", "y"]), "n": [1, 2]})
    right = pd.DataFrame({"a": pd.Categorical(["z", "y"]), "n": [3, 4]})
    whole = atomic_reader.concat([left, right], ignore_index=True)
    assert isinstance(whole["a"].values, pd.Categorical)
    assert whole["a"].tolist() == ["x", "y", "z", "y"] and whole["n"].tolist() == [1, 2, 3, 4]
    assert whole.index.tolist() == [0, 1, 2, 3]
    other = pd.DataFrame({"n": [5]})
    assert atomic_reader.concat([left, other], ignore_index=True)["n"].tolist() == [1, 2, 5]
