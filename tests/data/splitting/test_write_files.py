"""A split as files: lines kept, card true, RecBole reads them, all or nothing."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from odd_shop import HEADER, write_shop
from recbole.config import Config as RecBoleConfig
from recbole.data import create_dataset

from recbole_dsl.cli.split_data import report
from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.compat.apply import apply
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.data.splitting import inter_file, options, write_files
from recbole_dsl.data.splitting.write_files import write_split


@pytest.fixture
def shop(own_folder):
    return write_shop(own_folder)


def _lines(name, part):
    path = Path("dataset", name, f"{name}.{part}.inter")
    header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    assert header == HEADER
    return lines


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({}, ["train", "valid", "test"]),
        ({"split_shift": 0.5, "valid_shift": 0.75, "split_seed": 9}, ["train", "valid", "test"]),
        ({"test_sets": ["iid", "popularity"]}, ["train", "valid", "test_iid", "test_popularity"]),
        ({"split": "GT"}, ["train", "valid", "test"]),
        ({"split": "RS"}, ["train", "valid", "test"]),
    ],
)
def test_every_line_is_kept_as_it_is_in_one_part(shop, options, parts):
    result = write_split("shop", output="out", ratios=[6, 1, 1.5], **options)
    assert result["parts"] == parts
    kept = [line for part in parts for line in _lines("out", part)]
    assert sum(result["left_out"].get("test", {}).values()) == len(shop) - len(kept)
    order = {line: row for row, line in enumerate(shop)}
    assert len(set(shop)) == 600 and set(kept) <= set(shop) and len(set(kept)) == len(kept)
    for part in parts:
        places = [order[line] for line in _lines("out", part)]
        assert places == sorted(places)
    assert Path("dataset/out/out.item").read_bytes() == Path("dataset/shop/shop.item").read_bytes()
    assert sorted(p.name for p in Path("dataset/out").iterdir()) == sorted(
        [*(f"out.{part}.inter" for part in parts), "out.split.json", "out.item", "out.yaml"]
    )


def test_the_card_says_what_the_files_hold(shop):
    settings = {"split_seed": 5, "test_sets": ["iid", "popularity"], "split_shift": 0.75}
    settings["valid_shift"] = 0.25
    write_split("shop", output="out", ratios=[0.6, 0.1, 0.15], **settings)
    card = json.loads(Path("dataset/out/out.split.json").read_text())
    assert card["split"] == {"PS": [0.6, 0.1, 0.15]} and card["seed"] == 5
    assert card["shift"] == 0.75 and card["valid_shift"] == 0.25
    assert card["test_sets"] == ["iid", "popularity"]
    assert card["source"] == "shop.inter" and card["source_rows"] == 600
    users, items = {}, {}
    for part in ("train", "valid", "test_iid", "test_popularity"):
        rows = [line.split("\t") for line in _lines("out", part)]
        users[part], items[part] = Counter(r[0] for r in rows), Counter(r[1] for r in rows)
    known = sorted(set().union(*items.values()))
    for part, size in card["popularity"].items():
        counts = [items[part][item] for item in known]
        total = sum(counts)
        assert (size["rows"], size["users"]) == (total, len(users[part]))
        assert size["items"] == len(items[part])
        spread = sum(abs(a - b) for a in counts for b in counts)
        assert size["gini"] == pytest.approx(spread / (2 * len(known) * total))
        if part != "train":
            base = [items["train"][item] + 1 for item in known]
            kl = sum(
                c / total * np.log(c / total * sum(base) / b)
                for c, b in zip(counts, base, strict=True)
                if c
            )
            assert size["kl_train"] == pytest.approx(kl)
            assert size["new_user_rows"] == size["new_item_rows"] == 0
    assert card["reserved"] >= 20 and card["left_out"] == {}


def test_rows_without_user_or_item_are_left_out_and_counted(shop):
    path = Path("dataset/shop/shop.inter")
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\té 4\t1\t1\n\nu\t\t1\t1\nlast\té 4\t1\t1", encoding="utf-8")
    result = write_split("shop", output="out")
    assert result["source_rows"] == 603
    assert result["left_out"] == {"the source": {"no user or item": 2}}
    kept = [line for part in result["parts"] for line in _lines("out", part)]
    assert sorted(kept) == sorted([*shop, "last\té 4\t1\t1\n"])
    said = options.left_out_lines(result["reserved"], result["left_out"])
    assert said[-1] == "2 rows of the source left out (no user or item)"


def test_windows_line_ends_stay(shop):
    path = Path("dataset/shop/shop.inter")
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    result = write_split("shop", output="out")
    texts = [Path(f"dataset/out/out.{part}.inter").read_bytes() for part in result["parts"]]
    header = HEADER.replace("\n", "\r\n").encode()
    assert all(text.startswith(header) for text in texts)
    rows = [row for text in texts for row in text.removeprefix(header).splitlines(keepends=True)]
    assert sorted(rows) == sorted(line.replace("\n", "\r\n").encode() for line in shop)


@pytest.mark.parametrize("blank", ["\n", "  \n", " \r\n"])
def test_lines_of_blanks_are_no_rows(shop, blank):
    path = Path("dataset/shop/shop.inter")
    header, *rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text(header + blank + blank.join(rows) + blank, encoding="utf-8", newline="")
    result = write_split("shop", output="out")
    kept = [line for part in result["parts"] for line in _lines("out", part)]
    assert Counter(kept) == Counter(rows)


def test_large_files_are_copied_piece_by_piece(shop, monkeypatch):
    write_split("shop", output="whole")
    monkeypatch.setattr(inter_file, "LINES", 7)
    monkeypatch.setattr(inter_file, "PIECE", 16)
    write_split("shop", output="pieces")
    for part in ("train", "valid", "test"):
        assert _lines("whole", part) == _lines("pieces", part)


def _tokens(part):
    feat = part.inter_feat
    users = part.id2token("user_id", feat["user_id"].numpy())
    items = part.id2token("item_id", feat["item_id"].numpy())
    return Counter(zip(users.tolist(), items.tolist(), strict=True))


def _stock_parts(name, parts):
    """What RecBole itself makes of the files, by its own Config."""
    apply()
    settings = {"benchmark_filename": parts, "data_path": "dataset/", "state": "ERROR"}
    settings["load_col"] = {"inter": ["user_id", "item_id", "rating"]}
    config = RecBoleConfig("BPR", name, config_dict=settings)
    return create_dataset(config).build()


def test_stock_recbole_reads_the_files(shop):
    result = write_split("shop", output="out", test_sets=["iid", "popularity"])
    for parts in (["train", "valid", "test_iid"], ["train", "valid", "test_popularity"]):
        for name, part in zip(parts, _stock_parts("out", parts), strict=True):
            rows = [line.split("\t")[:2] for line in _lines("out", name)]
            assert _tokens(part) == Counter(map(tuple, rows))
            assert part.inter_feat["rating"].min() >= 1.5
    assert result["parts"] == ["train", "valid", "test_iid", "test_popularity"]


@pytest.mark.parametrize("settings", [{}, {"split": "GT", "test_sets": ["iid", "temporal"]}])
def test_a_run_makes_the_same_split_as_the_command(settings, shop):
    ratios = [0.5, 0.1, 0.2]
    result = write_split("ml-100k", output="out", ratios=ratios, **settings)
    name = settings.get("split", "PS")
    config_dict = {
        "eval_args": {"split": {name: ratios}},
        "test_sets": settings.get("test_sets"),
        "seed": 7,
    }
    config = Config("MF_SL", "ml-100k", config_dict=config_dict)
    loaders = split_dataset(config, load_dataset(config)).loaders.values()
    for loader, part in zip(loaders, result["parts"], strict=True):
        path = Path(f"dataset/out/out.{part}.inter")
        rows = [tuple(line.split("\t")[:2]) for line in path.read_text().splitlines()[1:]]
        assert _tokens(loader._dataset) == Counter(rows)


def test_a_failing_write_leaves_what_was_there(shop, monkeypatch):
    write_split("shop", output="out")
    before = {p.name: p.read_bytes() for p in Path("dataset/out").iterdir()}

    def fails(source, target):
        Path(target).write_text("half")
        raise OSError("No space left on device")

    monkeypatch.setattr(write_files.shutil, "copyfile", fails)
    for name in ("out", "new"):
        with pytest.raises(WriteError, match=f"^cannot write dataset.{name}: No space left"):
            write_split("shop", output=name, split_seed=1, overwrite=True)
    assert {p.name: p.read_bytes() for p in Path("dataset/out").iterdir()} == before
    assert sorted(p.name for p in Path("dataset").iterdir()) == ["out", "shop"]


def test_parts_of_the_split_that_was_there_are_not_mixed_with_the_new_ones(shop):
    write_split("shop", output="out", test_sets=["iid", "popularity"])
    Path("dataset/out/notes.txt").write_text("mine")
    with pytest.raises(UsageError, match="already holds .*out.test_iid.inter"):
        write_split("shop", output="out", split="RS")
    result = write_split("shop", output="out", split="RS", overwrite=True)
    assert result["removed"] == ["out.test_iid.inter", "out.test_popularity.inter"]
    assert "removed out.test_iid.inter, of the split" in report(result)
    there = {path.name for path in Path("dataset/out").iterdir()}
    assert there == {Path(path).name for path in result["files"]} | {"notes.txt"}


def test_files_that_are_there_are_replaced_only_with_overwrite(shop):
    write_split("shop", output="out")
    before = Path("dataset/out/out.test.inter").read_bytes()
    with pytest.raises(UsageError, match=r"already holds out\.train\.inter, .*; --overwrite"):
        write_split("shop", output="out", split_seed=1)
    assert Path("dataset/out/out.test.inter").read_bytes() == before
    write_split("shop", output="out", split_seed=1, overwrite=True)
    assert Path("dataset/out/out.test.inter").read_bytes() != before
    write_split("shop", output="shop")  # beside its source, which is not touched
    assert _lines("shop", "test") and len(list(Path("dataset/shop").iterdir())) == 7


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (HEADER, {}, "has no rows"),
        ("", {}, "has no rows"),
        (HEADER + 'a\t"b\nc"\t1\t1\n', {}, "a double quote opens a field"),
        (HEADER + "a\tb\t1\tnoon\n", {"split": "GT"}, "cannot read .*noon"),
        (HEADER + "a\tb\t1\t\n", {"split": "GT"}, "timestamps must be finite numbers: 1 of 1 rows"),
        (HEADER.replace("m_id:token", "m_id:float") + "a\t1\t1\t1\n", {}, "item_id:float must be"),
        (HEADER.replace("r_id:token", "r_id:token_seq") + "a\t1\t1\t1\n", {}, "be user_id:token$"),
        (
            HEADER.replace("timestamp:float", "timestamp:token") + "a\tb\t1\t1\n",
            {"split": "GT"},
            "the column timestamp:token must be timestamp:float",
        ),
        (HEADER + "a\tb\t1\t1\n", {"user": "item_id"}, "--user and --item name the same column"),
        (HEADER + "a\tb\t1\t1\nc\td\t1\t1\n", {}, "only 0 of 2 can leave train|no row of 2"),
    ],
)
def test_files_that_cannot_be_split_get_one_line(make_dataset, text, options, message):
    make_dataset("odd", [])
    Path("dataset/odd/odd.inter").write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=message) as caught:
        write_split("odd", **options)
    assert "\n" not in str(caught.value) and len(list(Path("dataset").iterdir())) == 1


def test_a_run_reads_the_parts_by_the_settings_that_are_written(shop):
    result = write_split("shop", output="out")
    assert result["settings"] == {
        "load_col": {"inter": ["user_id", "item_id", "rating", "timestamp"]},
        "benchmark_filename": ["train", "valid", "test"],
    }
    config = Config(
        "MF_SL", "out", config_dict={"state": "ERROR", "topk": [5], "valid_metric": "MRR@5"}
    )
    parts = split_dataset(config, load_dataset(config)).summary
    assert {name: size["rows"] for name, size in parts.items()} == {
        part: len(_lines("out", part)) for part in result["parts"]
    }


def test_settings_of_the_dataset_go_on_to_its_parts(shop):
    source = Path("dataset/shop/shop.inter")
    header, *rows = source.read_text(encoding="utf-8").splitlines(keepends=True)
    header = header.replace("user_id", "who").replace("rating", "stars").replace("timestamp", "at")
    source.write_text(header + "".join(rows), encoding="utf-8")
    Path("dataset/shop/shop.yaml").write_text(
        "USER_ID_FIELD: who\nRATING_FIELD: stars\nTIME_FIELD: at\nthreshold: {stars: 4}\n"
        'val_interval: {stars: "[1,5]"}\nsplit_seed: 3\n'
    )
    result = write_split("shop", output="out", split="GT")
    assert result["settings"] == {
        "load_col": {"inter": ["who", "item_id", "stars", "at"]},
        "USER_ID_FIELD": "who", "RATING_FIELD": "stars", "TIME_FIELD": "at",
        "threshold": {"stars": 4}, "benchmark_filename": ["train", "valid", "test"],
    }  # fmt: skip
    said = "not applied, of dataset/shop/shop.yaml: split_seed, val_interval"
    assert said in result["notes"] and said in report(result)
    config = Config("BPR", "out")
    assert config["USER_ID_FIELD"] == "who" and config["split_seed"] is None
    with pytest.raises(UsageError, match="has no column 'user_id'"):
        write_split("shop", output="more", user="user_id")
    Path("dataset/shop/shop.yaml").unlink()
    result = write_split("shop", output="named", split="RS", user="who")
    assert result["settings"]["USER_ID_FIELD"] == "who"
    assert result["settings"]["load_col"] == {"inter": ["who", "item_id"]}
