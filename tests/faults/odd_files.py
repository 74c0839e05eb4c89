"""Small datasets, and what careless programs and people do to their files."""

import random
from collections.abc import Callable

Files = dict[str, bytes]

_WORDS = ["", " ", "NA", "nan", "None", "null", "-", "0", "abc", "1,5", "1e400", "-1e400", "inf",
          "0x10", "1_000", " 4 ", "+3", "-0", "٣", "1.5.2", "2014-05-13", "1e-320", "True", "é",
          '"', 'a"b', '"a b"', "a\u2028b", "a\u0085b", "a\x0bb", "a\x1cb", "\ufeff7", "007",
          "12345678901234567890", "x" * 3000]  # fmt: skip
_HEADERS = ["user_id", "user_id:", ":token", "user_id:int", "User_ID:token", "\ufeffuser_id:token",
            "item_id:token", "user_id:float", "user_id:token_seq", '"user_id:token"',
            " user_id:token", "user_id:token:token"]  # fmt: skip


def shop(rng: random.Random) -> Files:
    """A dataset of 150 to 300 rows with ratings, times, and tables of users and items."""
    users, items = rng.randint(8, 25), rng.randint(15, 40)
    start = rng.choice([0, 978300760, 1.6e9, 1.6e12])
    rows = []
    for number in range(rng.randint(150, 300)):
        time = start + rng.choice([number, rng.randint(0, 40), rng.random() * 1000])
        stamp = str(time if rng.random() < 0.3 else int(time))
        rows.append([f"u{rng.randrange(users)}", f"i{rng.randrange(items)}",
                     str(rng.choice([1, 2, 3.5, 4, 5])), stamp])  # fmt: skip
    files = {".inter": table(["user_id:token", "item_id:token", "rating:float",
                              "timestamp:float"], rows)}  # fmt: skip
    if rng.random() < 0.5:
        colours = [[f"i{item}", rng.choice(["red", "blue pale"]), "1.5"] for item in range(items)]
        files[".item"] = table(["item_id:token", "colour:token_seq", "price:float"], colours)
    if rng.random() < 0.3:
        files[".user"] = table(
            ["user_id:token", "age:token"], [[f"u{user}", "30"] for user in range(users)]
        )
    return files


def table(header: list[str], rows: list[list[str]], separator: str = "\t") -> bytes:
    """Rows as text."""
    return "".join(separator.join(row) + "\n" for row in [header, *rows]).encode()


def _on_rows(change: Callable[[random.Random, list[list[str]]], None]):
    """A change of rows, as fields, below the header, as one of a file's bytes."""

    def changed(rng: random.Random, text: bytes, separator: str) -> bytes:
        lines = text.decode("utf-8", "surrogateescape").split("\n")
        rows = [line.split(separator) for line in lines[1:-1]] or [[""]]
        change(rng, rows)
        return "\n".join([lines[0], *(separator.join(row) for row in rows), lines[-1]]).encode(
            "utf-8", "surrogateescape"
        )

    changed.__name__ = change.__name__.lstrip("_")
    return changed


def _some(rng: random.Random, rows: list[list[str]]) -> list[int]:
    """Numbers of rows: one, a few, or all."""
    share = rng.choice([0, 0, 0.1, 1])
    return [rng.randrange(len(rows))] if not share else [
        number for number in range(len(rows)) if rng.random() < share
    ]  # fmt: skip


@_on_rows
def _drop_field(rng, rows):
    for number in _some(rng, rows):
        del rows[number][rng.randrange(len(rows[number]))]


@_on_rows
def _add_field(rng, rows):
    for number in _some(rng, rows):
        rows[number].insert(rng.randint(0, len(rows[number])), rng.choice(["", "7", "x"]))


@_on_rows
def _odd_field(rng, rows):
    word, column = rng.choice(_WORDS), rng.random()
    for number in _some(rng, rows):
        rows[number][int(column * len(rows[number]))] = word


@_on_rows
def _odd_fields(rng, rows):
    for number in _some(rng, rows):
        rows[number][rng.randrange(len(rows[number]))] = rng.choice(_WORDS)


@_on_rows
def _blank_lines(rng, rows):
    for _ in range(rng.randint(1, 3)):
        rows.insert(rng.randint(0, len(rows)), [rng.choice(["", " ", "  "])])


@_on_rows
def _repeat_rows(rng, rows):
    for number in _some(rng, rows):
        rows.insert(rng.randint(0, len(rows)), list(rows[number]))


@_on_rows
def _other_separator(rng, rows):
    mark = rng.choice([",", " ", ";", "\t\t", "::"])
    for number in _some(rng, rows):
        rows[number] = [mark.join(rows[number])]


@_on_rows
def _shuffle(rng, rows):
    rng.shuffle(rows)


@_on_rows
def _no_rows(rng, rows):
    del rows[rng.choice([0, 1, 3]) :]


def _header(rng, text, separator):
    head, _, rest = text.partition(b"\n")
    fields = head.split(separator.encode())
    change = rng.choice(["odd", "drop", "twice", "again", "none", "swap"])
    if change == "odd":
        fields[rng.randrange(len(fields))] = rng.choice(_HEADERS).encode()
    elif change == "drop":
        del fields[rng.randrange(len(fields))]
    elif change == "twice":
        fields.insert(0, rng.choice(fields))
    elif change == "swap":
        rng.shuffle(fields)
    elif change == "again":
        lines = rest.split(b"\n")
        lines.insert(rng.randrange(len(lines)), head)
        rest = b"\n".join(lines)
    return rest if change == "none" else separator.encode().join(fields) + b"\n" + rest


def _line_ends(rng, text, separator):
    end = rng.choice([b"\r\n", b"\r", b"\n\n", b"\r\r\n"])
    lines, share = text.split(b"\n"), rng.choice([0.01, 0.5, 1])
    return b"".join(
        line + (end if rng.random() < share else b"\n") for line in lines[:-1]
    ) + rng.choice([b"", b"\n", b" ", b"\x1a"])


def _bytes(rng, text, separator):
    at = rng.randrange(len(text)) if text else 0
    change = rng.choice(["flip", "insert", "delete", "cut", "empty", "end"])
    if change == "flip" and text:
        return text[:at] + bytes([text[at] ^ 1 << rng.randrange(8)]) + text[at + 1 :]
    if change == "insert":
        odd = rng.choice(
            [b"\0", b'"', b"\xff", b"\xc3", b"\t", b"\n", b"\r", b"\xef\xbb\xbf", b"#"]
        )
        return text[:at] + odd + text[at:]
    if change == "delete":
        return text[:at] + text[at + rng.randint(1, 40) :]
    return {"cut": text[:at], "empty": b"", "end": text.rstrip(b"\n")}.get(change, text)


def _trailing(rng, text, separator):
    """A separator or blank at the end of each line, with or without the header's."""
    mark = rng.choice([separator, " "]).encode()
    head, _, rest = text.partition(b"\n")
    head = head + mark if rng.random() < 0.5 else head
    return head + b"\n" + rest.replace(b"\n", mark + b"\n")


def _encoding(rng, text, separator):
    name = rng.choice(["utf-16", "utf-8-sig", "latin-1", "utf-16-le"])
    return text.decode("utf-8", "replace").replace("u1", "ü1").encode(name, "replace")


CHANGES = [_drop_field, _add_field, _odd_field, _odd_fields, _blank_lines, _repeat_rows,
           _other_separator, _shuffle, _no_rows, _header, _line_ends, _bytes, _trailing,
           _encoding]  # fmt: skip


def changed(rng: random.Random, text: bytes, separator: str = "\t") -> tuple[bytes, str]:
    """A file after one or two changes, and their names."""
    names = []
    for change in rng.choices(CHANGES, k=rng.choice([1, 1, 1, 2])):
        text = change(rng, text, separator)
        names.append(change.__name__.lstrip("_"))
    return text, " + ".join(names)
