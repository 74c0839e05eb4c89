"""Settings that name columns, against load_col and the headers of the files."""

import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config

ALL = {"inter": ["user_id", "item_id", "rating", "timestamp"]}


@pytest.fixture
def shop(make_dataset):
    name = make_dataset("shop", [("u1", "i1")])
    with open("dataset/shop/shop.inter", "w") as file:
        file.write("user_id:token\titem_id:token\trating:float\ttimestamp:float\tlang:token\n")
        file.write("u1\ti1\t3\t1\ten\n")
    return name


def _refused(model, dataset, **values):
    with pytest.raises(UsageError) as caught:
        Config(model, dataset, config_dict=values)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"load_col": {}}, "USER_ID_FIELD 'user_id' is not among the columns of .inter that load"),
        ({"load_col": {"inter": ["user_id"]}}, "ITEM_ID_FIELD 'item_id' is not among"),
        ({"USER_ID_FIELD": "userid"}, "load_col loads: user_id, item_id; did you mean user_id?"),
        ({"USER_ID_FIELD": "item_id"}, "name the same column, 'item_id'"),
        ({"LABEL_FIELD": "user_id"}, "LABEL_FIELD names a column of ids"),
        ({"unused_col": {"inter": ["user_id"]}}, "unused_col drops 'user_id', the USER_ID_FIELD"),
        ({"load_col": {**ALL, "users": ["age"]}}, "load_col has no file 'users' (known: inter, us"),
        ({"unused_col": {"user": ["age"]}}, "unused_col names 'user', of which load_col loads not"),
        ({"unload_col": {"inter": ["rating"]}}, "load_col and unload_col both name columns of 'in"),
        ({"threshold": {"rating": 3}}, "threshold: the column 'rating' is not loaded: load_col mu"),
        ({"threshold": {}}, "threshold must have one column"),
        ({"threshold": {"rating": 3, "a": 1}}, "threshold must have one column"),
        ({"normalize_field": ["rating"]}, "normalize_field: the column 'rating' is not loaded"),
        ({"alias_of_user_id": ["friend"]}, "alias_of_user_id: the column 'friend' is not loaded"),
        (
            {"discretization": {"rating": {}}, "numerical_features": ["rating"], "load_col": ALL},
            "discretization of rating must be {method: LD} or {method: ED, bucket: N}, got {}",
        ),
        ({"discretization": {"age": {"method": "LD"}}}, "'age' is not among numerical_features"),
        (
            {"load_col": ALL, "val_interval": {"rating": ["a"]}},
            'rating of val_interval must be an interval such as "[3,inf)", as the column is rating',
        ),
        (
            {"load_col": None, "val_interval": {"lang": "[0,1]"}},
            "lang of val_interval must be a list of the tokens to keep, as the column is lang",
        ),
        (
            {"load_col": None, "val_interval": {"rate": "[0,1]"}},
            "val_interval: no file of 'shop' has a column 'rate'",
        ),
        ({"benchmark_filename": []}, "benchmark_filename must name three parts"),
    ],
)
def test_columns_that_are_not_there_are_one_line(values, message, shop):
    assert message in _refused("MF_SL", shop, **values)


@pytest.mark.parametrize(
    "values",
    [
        {"load_col": None},
        {"load_col": {"inter": "*"}},
        {"load_col": ALL, "threshold": {"rating": 3}, "val_interval": {"rating": "[1,5]"}},
        {"load_col": ALL, "val_interval": {"rating": [1, 5]}},
        {"load_col": None, "val_interval": {"lang": ["en", "fr"], "user_id": [1, 2]}},
        {"load_col": {**ALL, "ent": ["x"]}, "additional_feat_suffix": "ent"},
    ],
)
def test_columns_that_are_there_pass(values, shop):
    Config("MF_SL", shop, config_dict=values)


def test_what_reads_labels_needs_them(shop):
    assert "eval_args: mode labeled needs labels: load_col must" in _refused("FM", shop)
    given = {"eval_args": {"mode": "uni1"}}
    assert "a model that predicts clicks needs labels" in _refused("FM", shop, **given)
    Config("FM", shop, config_dict={"load_col": ALL, "threshold": {"rating": 3}})
    Config("FM", shop, config_dict={**given, "train_neg_sample_args": {"sample_num": 2}})
