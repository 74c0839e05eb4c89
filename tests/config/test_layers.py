import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.layers import Layers, match_type


def test_later_layers_win_and_are_remembered():
    layers = Layers()
    layers.add("low", {"a": 1, "b": 1})
    layers.add("high", {"b": 2})
    assert layers.resolve() == ({"a": 1, "b": 2}, {"a": "low", "b": "high"})


def test_switches_are_merged_and_single_values_are_replaced():
    layers = Layers()
    layers.add(
        "low", {"eval_args": {"split": {"RS": [8, 1, 1]}, "order": "RO"}, "seq_len": {"a": 1}}
    )
    layers.add("high", {"eval_args": {"split": {"LS": "valid_and_test"}}, "seq_len": {"b": 2}})
    values, _ = layers.resolve()
    assert values["eval_args"] == {"split": {"LS": "valid_and_test"}, "order": "RO"}
    assert values["seq_len"] == {"b": 2}


def test_merging_leaves_the_layers_as_they_were():
    low, high = {"eval_args": {"order": "RO"}}, {"eval_args": {"order": "TO"}}
    layers = Layers()
    layers.add("low", low)
    layers.add("high", high)
    layers.resolve()
    assert low == {"eval_args": {"order": "RO"}}


@pytest.mark.parametrize(
    ("value", "default", "message"),
    [
        ("x", 0.1, "tau must be a number, got 'x'"),
        (1.5, 3, "tau must be an integer, got 1.5"),
        (True, 3, "tau must be an integer, got True"),
        (3, True, "tau must be True or False, got 3"),
        (3, {"a": 1}, "tau must be a map"),
        ([3], "word", "tau must be a word like 'word', got \\[3\\]"),
    ],
)
def test_values_of_another_type_are_refused(value, default, message):
    with pytest.raises(UsageError, match=message):
        match_type("tau", value, default)


def test_an_integer_is_a_number_and_a_word_keeps_its_text():
    assert match_type("tau", 1, 0.1) == 1
    assert match_type("dataset", 2018, "ml-100k", text="2018") == "2018"
    assert match_type("gpu_id", "0,1", "0", text="0,1") == "0,1"
    assert match_type("gpu_id", None, "0", text="") == ""
    assert match_type("state", 5, "INFO") == "5"
    assert match_type("anything", [1], None) == [1]
