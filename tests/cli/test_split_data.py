"""``recbole_dsl split``: its flags, its words, its exit codes."""

from pathlib import Path

import pytest
from odd_shop import write_shop

from recbole_dsl.cli import split_data


@pytest.fixture
def shop(own_folder):
    return write_shop(own_folder)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("", "--dataset=NAME is missing: the name of the dataset to split"),
        ("--dataset=shp", "there is no file dataset/shp/shp.inter; did you mean shop?"),
        ("-d shop --rato=1", "unknown flag --rato; did you mean ratios? (see --help)"),
        ("-d shop --dataset=x", "--dataset is given twice: 'shop' and 'x'"),
        ("-d shop --split=PSS", "unknown split 'PSS' (known: PS, GT, RS); did you mean PS?"),
        ("-d shop --split=LS", "unknown split 'LS' (known: PS, GT, RS)"),
        (
            "-d shop --ratios=0.8,0.2",
            "--ratios of PS takes the shares [train, valid, test], such as [0.7, 0.1, 0.2], train "
            "and test above 0, got [0.8, 0.2]",
        ),
        (
            "-d shop --ratios=6,2,2 --test_sets=iid,popularity,iid",
            "test_sets names one twice: ['iid', 'popularity', 'iid']",
        ),
        (
            "-d shop --test_sets=iid,popularty",
            "test_sets: PS has no test set 'popularty' (known: iid, popularity); did you mean "
            "popularity?",
        ),
        (
            "-d shop --test_sets=iid,popularity --ratios=0.5,0.1,0.5",
            "ratios [0.5, 0.1, 0.5]: 2 test sets of that share each leave nothing to train on",
        ),
        (
            "-d shop --split_seed=x",
            "split_seed must be an integer from 0 to 2**32 - 1, got 'x'",
        ),
        (
            "-d shop --split_shift=2",
            "split_shift must be from 0 (the data's popularity) to 1 (uniform over items), got 2",
        ),
        (
            "-d shop --valid_shift=-1",
            "valid_shift must be from 0 (the data's popularity) to 1 (uniform over items), got -1",
        ),
        (
            "-d shop --split=RS --valid_shift=1",
            "valid_shift 1 is for validation rows of split PS or of benchmark_valid, and the split "
            "is RS (valid_shift: 0 takes any split)",
        ),
        ("-d shop --overwrite=maybe", "--overwrite must be True or False, got 'maybe'"),
        ("-d shop --output=a/b", "--output must be the name of a folder, got 'a/b'"),
        (
            "-d shop --output=ml-100k",
            "RecBole reads its own copy of ml-100k, always: choose another --output",
        ),
        (
            "-d shop --user=user",
            "dataset/shop/shop.inter has no column 'user' (columns: user_id, item_id, rating, "
            "timestamp); did you mean user_id?",
        ),
    ],
)
def test_bad_input_gets_one_line_and_writes_nothing(shop, arguments, message, capsys):
    assert split_data.main(arguments.split()) == 2
    assert capsys.readouterr().err == f"error: {message}\n"
    assert [path.name for path in Path("dataset").iterdir()] == ["shop"]


def test_the_command_prints_a_table_and_the_line_to_use(own_folder, capsys):
    assert split_data.main(["-d", "ml-100k", "--output=mine", "--overwrite"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == (
        ["part", "rows", "users", "items", "Gini", "KL", "from", "train", "KL", "from", "uniform"]
    )
    assert lines[2].split()[:4] == ["train", "70,000", "943", "1,682"]
    assert lines[4].split()[:2] == ["test", "20,000"]
    assert "2,099 rows reserved for train, one of every user and item" in lines
    assert "wrote dataset/mine/mine.split.json" in lines and "wrote dataset/mine/mine.item" in lines
    assert lines[-1] == (
        "--dataset=mine reads mine.yaml: load_col: {inter: [user_id, item_id, rating, timestamp]}; "
        "benchmark_filename: [train, valid, test]"
    )
