"""Rows of another width than the header's are refused by their line, quoted or not, in any size."""

import pytest

from recbole_dsl.compat import atomic_rows

HEAD = "user_id:token\titem_id:token\n"


def _file(folder, text, encoding="utf-8"):
    path = folder / "d.inter"
    path.write_bytes(text.encode(encoding))
    return path


def _refused(path, message, separator="\t", encoding=None):
    with pytest.raises(ValueError, match=message) as caught:
        atomic_rows.check_rows(path, separator, encoding)
    assert "\n" not in str(caught.value)


@pytest.fixture(params=[1 << 23, 7, 1], ids=["whole", "pieces", "bytes"])
def pieces(request, monkeypatch):
    monkeypatch.setattr(atomic_rows, "_PIECE", request.param)


WRONG = {
    "a field too many": ("u1\ti1\nu2\ti2\t105\n", 3, 3),
    "the first row": ("u1\ti5\t105\nu2\ti5\t105\n", 2, 3),
    "a trailing tab": ("u1\ti1\nu2\ti2\t\n", 3, 3),
    "a field too few": ("u1\ti1\nu2\nu3\ti3\n", 3, 1),
    "another separator": ("u1\ti1\n\nu2,i2\n", 4, 1),
    "the last line, without an end": ("u1\ti1\nu2\ti2\t1", 3, 3),
    "a short last line": ("u1\ti1\nu2", 3, 1),
    "carriage returns": ("u1\ti1\r\n\r\nu2\ti2\tx\r\n", 4, 3),
    "after a quoted field": ('"u\t1"\ti1\n"u2\ti2"\n', 3, 1),
    "after a quoted line end": ('"u\n1"\ti1\nu2\ti2\t3\n', 4, 3),
    "lone carriage returns": ("u1\ti1\ru2\ti2\t3\n", 3, 3),
}


@pytest.mark.parametrize("name", WRONG)
def test_the_first_wrong_row_is_named_by_its_line(name, own_folder, pieces):
    text, line, found = WRONG[name]
    message = rf"d.inter, line {line}: {found} field\(s\), but the header has 2 \(field_separator"
    _refused(_file(own_folder, HEAD + text), message)
    _refused(_file(own_folder, HEAD + text, "utf-16"), message, encoding="utf-16")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "u1\ti1\nu2\ti2",
        "u1\ti1\n\n  \n\nu2\ti2\n\n",
        "u1\ti1\r\n\r\nu2\ti2\r\n",
        "\ti1\nu2\t\n\t\n",
        '"u\t1"\ti"1\n"u\n2"\ti2\n',
        "\u7528\t\u2028x\n",
    ],
)
def test_right_rows_pass(text, own_folder, pieces):
    atomic_rows.check_rows(_file(own_folder, HEAD + text), "\t")
    atomic_rows.check_rows(_file(own_folder, HEAD + text, "utf-16"), "\t", "utf-16")


def test_a_header_in_the_middle_is_no_row(own_folder, pieces):
    for text in ("u1\ti1\n" + HEAD, "u1\ti1\r\n" + HEAD.strip(), 'u1\t"i1"\n' + HEAD):
        _refused(_file(own_folder, HEAD + text), "line 3 repeats the header")
        _refused(_file(own_folder, HEAD.upper() + text), "line 3 repeats the header")
        _refused(_file(own_folder, HEAD.title() + text, "utf-16"), "line 3 repeats", "\t", "utf-16")
    atomic_rows.check_rows(_file(own_folder, HEAD + HEAD.strip() + "2\n"), "\t")


@pytest.mark.parametrize("separator", [",", " ", "::", ";"])
def test_every_separator_is_counted(separator, own_folder):
    head = separator.join(["user_id:token", "item_id:token"]) + "\n"
    atomic_rows.check_rows(_file(own_folder, f"{head}u{separator}i\n"), separator)
    text = f"{head}u{separator}i\nu\ti\n"
    _refused(_file(own_folder, text), "line 3: 1 field", separator)


def test_quotes_that_do_not_close_are_named(own_folder):
    _refused(_file(own_folder, HEAD + 'u\ti\n"u\ti\n'), "d.inter, line 3: unexpected end of data")
    _refused(_file(own_folder, ""), "d.inter is empty")
    with pytest.raises(ValueError, match="encoding: unknown encoding: utf-9"):
        atomic_rows.check_rows(_file(own_folder, HEAD), "\t", "utf-9")


def test_headers_name_columns_and_types(own_folder):
    text = "user_id:token\tprice:float\ttags:token_seq\tv:float_seq\n1\t2\t3\t4\n"
    columns = atomic_rows.read_header(_file(own_folder, text), "\t")
    assert columns == {
        "user_id": "token",
        "price": "float",
        "tags": "token_seq",
        "v": "float_seq",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\ufeff" + HEAD, r"line 1: a byte order mark before the header \(encoding: utf-8-sig\)"),
        ("user_id\titem_id:token\n", "line 1: column 1 of the header, 'user_id', is not name:type"),
        (HEAD.strip() + "\t\n", "column 3 of the header, ''"),
        ("user_id:token\titem_id:int\n", "'item_id:int', is not .* token, token_seq, float"),
        ("user_id:token,item_id:token\n", r"column 1 .*separator '\\t'"),
        (HEAD.strip() + "\tuser_id:token\n", "names the column 'user_id' twice"),
        ("", "column 1 of the header, ''"),
    ],
)
def test_headers_that_are_none_get_one_line(text, message, own_folder):
    with pytest.raises(ValueError, match=message):
        atomic_rows.read_header(_file(own_folder, text), "\t")


def test_bytes_that_are_no_text_are_named_by_their_line(own_folder, pieces):
    text = HEAD + "u1\t\u7528\n"
    atomic_rows.check_rows(_file(own_folder, text), "\t", "utf-8")
    path = own_folder / "d.inter"
    for encoding in ("utf-8", "ascii"):
        path.write_bytes(text.encode()[:-2] + b"\n" if encoding == "utf-8" else text.encode())
        _refused(path, rf"d.inter, line 2, is not {encoding}: .* \(setting", encoding=encoding)
    path.write_bytes(text.encode() + b'"\xff"\ti1\n')
    _refused(path, r"d.inter, line 3, is not utf-8: invalid start byte", encoding="utf-8")
    atomic_rows.check_rows(path, "\t", "latin-1")
    _refused(_file(own_folder, HEAD + "u1\ti1\nu\0\ti\n"), "d.inter, line 3: a NUL byte")
