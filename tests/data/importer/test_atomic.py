"""RecBole reads back what went in."""

import csv

import numpy as np
import pandas as pd
import pytest
from import_files import lines, write

from recbole_dsl.config.run_config import Config
from recbole_dsl.data.importer import atomic, import_interactions
from recbole_dsl.data.importer.summary import report
from recbole_dsl.data.pipeline import load_dataset

ODD = [
    "007", "7", "1.0", "1e5", "12345678901234567890", "a b", "a,b", 'a"b', '"a"', '"', '""', '"a',
    'a"', "it's", "#c", "a\\b", "a\\", "True", "na", "none", "NAN", "[pad]", "é", "日本", "-",
    "a\u00a0b", "a\u2028b", "a\u0085b", "0", "-0", "+1", "0x1F", "1_000", "inf", "user_id:token",
]  # fmt: skip


def _dataset(name="mine", **settings):
    """The dataset as RecBole loads it."""
    return load_dataset(Config("MF_SL", name, config_dict={"state": "ERROR", **settings}))


def _tokens(dataset):
    """RecBole's interactions as pairs of ids."""
    rows = dataset.inter_feat
    users = dataset.id2token("user_id", np.asarray(rows["user_id"]))
    items = dataset.id2token("item_id", np.asarray(rows["item_id"]))
    return list(zip(users.tolist(), items.tolist(), strict=True))


def test_recbole_reads_every_odd_id_back_exactly(own_folder):
    pairs = [(user, item) for user in ODD for item in ODD[:3]] + [("u", item) for item in ODD]
    with open("r.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file, quoting=csv.QUOTE_ALL).writerows([("user", "item"), *pairs])
    import_interactions("r.csv", dataset="mine")
    assert _tokens(_dataset()) == pairs


def test_recbole_reads_numbers_back_exactly():
    stars = ["0.1", "5", "-3", "1e-7", "3.3333333333333335"]
    times = ["1400000000", "1400000000.25", "0", "9007199254740993", "1.5e18"]
    rows = "".join(f"u{n},i,{s},{t}\n" for n, (s, t) in enumerate(zip(stars, times, strict=True)))
    result = import_interactions(write("r.csv", "user,item,rating,time\n" + rows), dataset="mine")
    hint = report(result).splitlines()[-1]
    assert hint.endswith(" mine.yaml: load_col: {inter: [user_id, item_id, rating, timestamp]}")
    written = [line.split("\t")[2:] for line in lines()[1:]]
    assert [float(star) for star, _ in written] == list(map(float, stars))
    assert [float(time) for _, time in written] == list(map(float, times))
    loaded = _dataset().inter_feat  # by mine.yaml
    assert np.asarray(loaded["rating"]).tolist() == pytest.approx([float(s) for s in stars])


def test_recbole_reads_a_split_with_the_settings_that_are_written():
    train = write("train.tsv.gz", "user_procid\titem_procid\n" + "0\t5\n1\t5\n2\t07\n" * 2)
    test = write("test.tsv.gz", 'user_procid\titem_procid\n0\t"6"\n"1"\t07\n')
    result = import_interactions(train=train, valid=test, test=test, dataset="mine")
    assert report(result).endswith("; benchmark_filename: [train, valid, test]")
    dataset = _dataset()
    assert _tokens(dataset)[-2:] == [("0", "6"), ("1", "07")]
    assert [len(part) for part in dataset.build()] == [6, 2, 2]


def test_every_word_that_pandas_takes_for_missing_is_refused():
    frame = pd.DataFrame({"user_id:token": sorted(atomic.MISSING)})
    frame.to_csv("words.tsv", index=False, quoting=csv.QUOTE_ALL)
    read = pd.read_csv("words.tsv", delimiter="\t", dtype=str, engine="python")
    lost = read["user_id:token"].isna()
    # Each version of pandas has its own list; ours holds the words of all of them.
    assert lost.sum() >= 17
    from pandas._libs.parsers import STR_NA_VALUES

    assert STR_NA_VALUES - {""} <= atomic.MISSING
    for word in atomic.MISSING:
        with pytest.raises(atomic.BadValue, match="missing value"):
            atomic.token(f" {word} ")
