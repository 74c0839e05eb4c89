"""The setting group_metrics: what it refuses, when, and what it leaves alone."""

import numpy as np
import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation.group_metrics.build import build_groups
from recbole_dsl.evaluation.metrics.groups import by_name
from recbole_dsl.experiments.single_run import run

PAIRS = [(f"u{u}", f"i{i}") for u in range(12) for i in range(6) if (u + i) % 3]
SMALL = {"topk": [2], "valid_metric": "recall@2", "metrics": ["Recall"]}


def _config(model="MF_SL", dataset="ml-100k", arguments=(), **settings):
    return Config(model, dataset, config_dict=settings, arguments=arguments)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("head", r"group_metrics must be a map \{key: value\} or empty, got 'head'"),
        (
            {"item_popularty": 3},
            r"no key 'item_popularty' .*; did you mean item_popularity\?",
        ),
        (
            {"item_popularity": 0},
            "item_popularity of group_metrics must be an integer >= 1 or a map .key: value., got 0",
        ),
        ({"item_popularity": None}, "item_popularity of group_metrics must be .* got None"),
        ({"user_activity": {"few": -1}}, "user_activity: groups must be .* got {'few': -1}"),
        ({"user_activity": {1: 1, "1": 2}}, "user_activity: two groups have one name"),
        ({"user_field": 3}, "user_field must be the name of a token field .* got 3"),
        ({"user_field": "gendre"}, "'gendre' is not among the token fields .*mean gender"),
        ({"user_field": "user_id"}, "'user_id' is not among the token fields .*: age, gender"),
    ],
)
def test_wrong_groups_are_refused_before_anything_is_read(value, message):
    with pytest.raises(UsageError, match=message) as found:
        _config(group_metrics=value)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"metrics": ["GAUC"], "valid_metric": "gauc", "group_metrics": {"user_activity": 2}},
         r"user_activity averages metrics of single users, of which metrics \['GAUC'\] has none"),
        ({"metrics": ["Recall", "UserFieldGroups"], "valid_metric": "Recall@10"},
         "metrics: userfieldgroups needs user_field in group_metrics"),
        ({"metrics": ["Recall", "ItemPopularityGroups"], "valid_metric": "ItemPopularityGroups@10"},
         "valid_metric 'ItemPopularityGroups@10' has a value for each group"),
    ],
)  # fmt: skip
def test_groups_that_do_not_go_with_the_metrics_are_refused(settings, message):
    with pytest.raises(UsageError, match=message):
        _config(**settings)


VALUE = {"metrics": ["AUC"], "valid_metric": "AUC", "eval_args": {"mode": "labeled"}}
VALUE["threshold"] = {"rating": 4}


def test_metrics_of_single_scores_have_no_groups_and_a_run_says_so():
    config = _config("BPR", **VALUE)
    assert config["group_metrics"] == {}
    (warning,) = config.warnings
    assert warning == (
        "group_metrics are of ranked lists, and the metrics ['AUC'] rank nothing: no groups are "
        "reported"
    )
    with pytest.raises(UsageError, match="metrics .'AUC'. rank nothing: leave it out"):
        _config("BPR", **VALUE, group_metrics={"item_popularity": 2})
    assert not _config("BPR", **VALUE, group_metrics=None).warnings


def test_the_default_is_replaced_whole_and_turned_off_by_none():
    assert _config()["group_metrics"] == {"item_popularity": {"head": 1, "mid": 1, "tail": 1}}
    assert _config(group_metrics={"user_activity": 2})["group_metrics"] == {"user_activity": 2}
    for off in (_config(arguments=[("group_metrics", "None")]), _config(group_metrics={})):
        assert off["group_metrics"] == {} and not off.warnings


@pytest.mark.parametrize(
    ("users", "message"),
    [
        (None, r"user_field 'city': there is no file .*toy\.user"),
        ("user:token\tcity:token\nu1\toslo\n", r"toy\.user has no column 'user_id'"),
        ("user_id:token\tcity:float\nu1\t3\n", "'city' is not among .*: there are none"),
    ],
)
def test_a_user_field_that_is_not_there_is_refused_before_reading(make_dataset, users, message):
    make_dataset("toy", PAIRS, {} if users is None else {"user": users})
    with pytest.raises(UsageError, match=message):
        _config(dataset="toy", group_metrics={"user_field": "city"}, **SMALL)


def test_a_field_of_too_many_values_is_refused_before_training(own_folder):
    with pytest.raises(UsageError, match="user_field 'zip_code' has 795 values, at most 100"):
        run("MF_SL", "ml-100k", config_dict={"group_metrics": {"user_field": "zip_code"}})
    assert not list(own_folder.rglob("*.pth"))


def test_groups_of_a_field_by_hand(make_dataset):
    """Quotes, a user without a row, one without a value, one listed twice, one who has no rows."""
    users = (
        'user_id:token\tage:token\nu1\t30\nu2\t"4"\nu3\t\nu1\t99\nu4\t200\nu5\t30\nstranger\t7\n'
    )
    pairs = [(f"u{u}", f"i{i}") for u in range(1, 7) for i in range(u)]
    make_dataset("toy", pairs, {"user": users})
    settings = {**SMALL, "eval_args": {"split": {"RS": [1, 0, 0]}}}
    for options in ({}, {"load_col": {"inter": ["user_id", "item_id"], "user": ["user_id", "age"]},
                         "filter_inter_by_user_or_item": False}):  # fmt: skip
        config = _config(dataset="toy", group_metrics={"user_field": "age"}, **settings, **options)
        train = split_dataset(config, load_dataset(config)).train._dataset
        groups, counts = build_groups(config, train, "user_field")
        member = {
            str(train.id2token("user_id", user)): groups.names[groups.member[user]]
            for user in range(1, train.user_num)
        }
        wanted = {"u1": "30", "u2": "4", "u3": "(none)", "u4": "200", "u5": "30", "u6": "(none)"}
        assert {user: member[user] for user in wanted} == wanted
        assert groups.member[0] == -1 and counts.sum() == len(pairs)
    assert "stranger" in member  # RecBole's own loading counts it as a user


def test_names_that_are_numbers_come_in_their_order():
    groups = by_name(np.array([0, 5, 1, 3, 2]), ["x", "10", "9", "100", "9"])
    assert groups.names == ("9", "10", "100")
    assert groups.member.tolist() == [-1, 1, 0, 2, 0]
    assert groups.edges == ((1, 2), (5, 5), (3, 3))
    assert by_name([0, 1, 1], ["x", "10", "b"]).names == ("10", "b")
