"""Runs, imports and splits of changed files: refused in one line, or what the files say."""

import collections
import json
import math
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import plain_reading
from child import contents, fault_of, in_child
from odd_files import changed, shop, table
from plain_reading import Unreadable

from recbole_dsl.cli import import_data, run, split_data
from recbole_dsl.config.run_config import Config
from recbole_dsl.data import pipeline

# Splits, as eval_args; all order by time, so that ties and times are looked at too.
_LAST = "{split: {LS: valid_and_test}, order: TO}"
_SPLITS = [_LAST, _LAST, "{split: {RS: [0.8, 0.1, 0.1]}, order: TO}",
           "{split: {PS: [0.7, 0.1, 0.2]}}", "{split: {GT: [0.7, 0.1, 0.2]}}"]  # fmt: skip
_SETTINGS = {
    "epochs": "1", "embedding_size": "4", "train_batch_size": "512", "state": "ERROR",
    "show_progress": "False", "load_col": "None", "device": "cpu",
}  # fmt: skip


def cases(number: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """(what was done to the files, outcome, example) of so many cases; half of them are runs."""
    rng = random.Random(seed)
    for at in range(number):
        with tempfile.TemporaryDirectory() as folder:
            case = (_trained, _imported, _trained, _split)[at % 4]
            change, outcome, detail = case(random.Random(rng.random()), Path(folder))
        yield change, outcome, detail


def _outcome(ended, before: dict[str, str], folder: Path, readable: bool) -> str:
    fault = fault_of(ended, before, folder)
    if fault:
        return fault
    if ended.code == 0:
        return "accepted" if readable else "accepted, though unreadable"
    return "refused"


def _trained(rng: random.Random, folder: Path) -> tuple[str, str, str]:
    files = shop(rng)
    suffix = rng.choice([".inter", ".inter", *files])
    files[suffix], change = changed(rng, files[suffix])
    home = folder / "dataset" / "shop"
    home.mkdir(parents=True)
    for name, text in files.items():
        (home / f"shop{name}").write_bytes(text)
    settings = {**_SETTINGS, "eval_args": rng.choice(_SPLITS)}
    if rng.random() < 0.7:
        settings |= {"model": "MF_SL", "train_neg_sample_args": "{sample_num: 20}"}
    else:
        settings["model"] = "BPR"
    words = [f"--{name}={value}" for name, value in settings.items()]
    before = contents(folder)

    def work() -> int:
        code = run.COMMAND.run([*words, "--dataset=shop", "--result_file=result.json"])
        if code == 0:
            _write_parts(settings, folder / "parts.json")
        return code

    ended = in_child(work, folder)
    kept, why = _plain(lambda: plain_reading.interactions(files))
    outcome = _outcome(ended, before, folder, kept is not None)
    if outcome == "accepted":
        last = settings["eval_args"] == _LAST
        why = _difference(kept, folder, last) or ""
        outcome = f"wrong: {why.split(':')[0]}" if why else outcome
    return f"{suffix}: {change}", outcome, f"{why}; {settings['eval_args']}; {ended.err[-300:]}"


def _plain(read):
    """(what plain reading finds, "") or (None, why it finds nothing)."""
    try:
        return read(), ""
    except Unreadable as error:
        return None, str(error)


def _write_parts(settings: dict[str, str], path: Path) -> None:
    """The rows of each part of the split, as tokens and numbers, as the run had them."""
    words = list({**settings, "dataset": "shop"}.items())
    names = {name: value for name, value in words if name in ("model", "dataset")}
    config = Config(
        names["model"], "shop", arguments=[pair for pair in words if pair[0] not in names]
    )
    data = pipeline.split_dataset(config, pipeline.load_dataset(config))
    parts = {name: loader._dataset for name, loader in data.loaders.items() if loader}
    path.write_text(json.dumps({name: _rows(dataset) for name, dataset in parts.items()}))


def _rows(dataset) -> list[list]:
    feat = dataset.inter_feat
    columns = [
        [str(token) for token in dataset.id2token(field, np.asarray(feat[field]))]
        for field in (dataset.uid_field, dataset.iid_field)
    ]
    for name in ("rating", "timestamp"):
        there = dataset.field2type.get(name) and name in feat
        numbers = [float(x) for x in feat[name]] if there else [None] * len(columns[0])
        columns.append(numbers)
    return [list(row) for row in zip(*columns, strict=True)]


def _difference(kept: plain_reading.Kept, folder: Path, last: bool) -> str | None:
    """How the rows and counts of a run differ from those read plainly; None: in nothing."""
    parts = json.loads((folder / "parts.json").read_text())
    result = json.loads((folder / "result.json").read_text())
    rows = [row for part in parts.values() for row in part]
    card = result["split_card"]
    sizes = {name: size["rows"] for name, size in result["splits"].items() if size["rows"]}
    if sizes != {name: len(part) for name, part in parts.items()}:
        return f"sizes: {sizes}"
    removed = sum(card["data"]["removed"].values())
    if removed < kept.removed:  # rows of the tables are counted there too
        return f"removed: {kept.removed} rows, counted {card['data']['removed']}"
    if card["data"]["filled"].get("inter.rating", 0) != kept.filled:
        return f"filled: {kept.filled} ratings, counted {card['data']['filled']}"
    left_out = sum(n for why in card.get("left_out", {}).values() for n in why.values())
    expected = collections.Counter(_key(row) for row in kept.rows)
    found = collections.Counter(_key(row) for row in rows)
    lost, added = expected - found, found - expected
    if added or lost.total() != left_out:
        return (
            f"rows: {left_out} left out, lost {lost.most_common(2)}, added {added.most_common(2)}"
        )
    if last:
        return _wrong_last(kept, parts)
    return None


def _key(row) -> tuple:
    """A row as it is compared: numbers to the precision of RecBole's float32."""
    user, item, *numbers = row
    short = [None if x is None else float(np.float32(f"{np.float32(x):.6e}")) for x in numbers]
    return user, item, *("nan" if x is not None and math.isnan(x) else x for x in short)


def _wrong_last(kept: plain_reading.Kept, parts: dict[str, list]) -> str | None:
    """Whether a user is tested on another row than the latest; of equal times, the last one."""
    latest = {}
    for user, item, _, time in kept.rows:
        if user not in latest or time >= latest[user][1]:
            latest[user] = (item, time)
    for user, item, *_ in parts.get("test", []):
        if latest[user][0] != item:
            return f"latest row: {user} is tested on {item}, not {latest[user]}"
    return None


def _imported(rng: random.Random, folder: Path) -> tuple[str, str, str]:
    inter = plain_reading.atomic(shop(rng)[".inter"])
    separator, name = rng.choice([(",", "mine.csv"), ("\t", "mine.tsv")])
    header = rng.choice([["user_id", "item_id", "rating", "timestamp"],
                         ["userId", "movieId", "rating", "timestamp"]])  # fmt: skip
    rows = [[str(value) for value in row.values()] for row in inter.rows]
    text, change = changed(rng, table(header, rows, separator), separator)
    (folder / name).write_bytes(text)
    before = contents(folder)
    words = [name, "--dataset=made", "--user", header[0], "--item", header[1]]
    ended = in_child(lambda: import_data.COMMAND.run(words), folder)
    wanted, why = _plain(lambda: _table(text, separator, header))
    outcome = _outcome(ended, before, folder, wanted is not None)
    if outcome == "accepted":
        made = plain_reading.atomic((folder / "dataset/made/made.inter").read_bytes())
        if [_values(row) for row in made.rows] != wanted:
            outcome, why = "wrong: rows", f"{len(made.rows)} rows of {len(wanted)}"
    return f"import: {change}", outcome, f"{why}; {ended.err[-300:]}"


def _split(rng: random.Random, folder: Path) -> tuple[str, str, str]:
    files = shop(rng)
    files[".inter"], change = changed(rng, files[".inter"])
    home = folder / "dataset" / "shop"
    home.mkdir(parents=True)
    for name, text in files.items():
        (home / f"shop{name}").write_bytes(text)
    before = contents(folder)
    kind = rng.choice(["PS", "GT", "RS"])
    words = ["--dataset=shop", "--output=made", f"--split={kind}"]
    ended = in_child(lambda: split_data.COMMAND.run(words), folder)
    # A split copies lines; it reads ids, and times where it orders by them.
    read = {"user_id", "item_id", *(["timestamp"] if kind == "GT" else [])}
    wanted, why = _plain(lambda: plain_reading.atomic(files[".inter"], numbers=read).rows)
    outcome = _outcome(ended, before, folder, wanted is not None)
    if outcome == "accepted":
        made = folder / "dataset/made"
        card = json.loads((made / "made.split.json").read_text())
        texts = [path.read_bytes() for path in made.glob("*.inter")]
        parts = [plain_reading.atomic(text, numbers=read).rows for text in texts]
        found = collections.Counter(repr(row) for part in parts for row in part)
        lost = collections.Counter(map(repr, wanted)) - found
        left_out = sum(n for reasons in card["left_out"].values() for n in reasons.values())
        if found.total() + left_out != len(wanted) or lost.total() != left_out:
            outcome, why = "wrong: rows", f"{found.total()} of {len(wanted)}, {left_out} left out"
    return f"split: {change}", outcome, f"{why}; {kind}; {ended.err[-300:]}"


def _table(text: bytes, separator: str, header: list[str]) -> list[list]:
    """The rows that an import has to write: ids without blanks around them, numbers as numbers.

    Raises:
        Unreadable: the import has to refuse the file.
    """
    text = text.removeprefix(b"\xef\xbb\xbf")  # spreadsheets write it
    lines = plain_reading.records(text, separator)
    names = [field.strip() for field in lines[0]] if lines else []
    if any(names.count(name) != 1 for name in header[:2]):
        raise Unreadable(f"header {names}")
    used = [name for name in header if name in names]
    rows = []
    for line in lines[1:]:
        if len(line) != len(names):
            raise Unreadable(f"row {line}")
        row = {name: line[names.index(name)].strip() for name in used}
        if not row[header[0]] or not row[header[1]]:
            raise Unreadable(f"row {line} without an id")
        rows.append(_values(row))
    return rows


def _values(row: dict) -> list:
    """Ids as text, numbers as numbers, in order."""
    numbers = [
        value if isinstance(value, float) else plain_reading.number(str(value))
        for name, value in row.items()
        if name in ("rating", "timestamp")
    ]
    if not all(map(math.isfinite, numbers)):
        raise Unreadable(f"row {row}")
    return [*list(row.values())[:2], *numbers]
