import pytest

from recbole_dsl.settings import (
    Layers,
    UsageError,
    match_type,
    nearest,
    parse_value,
    read_yaml,
    require,
    split_flags,
)


def test_flags_come_with_equals_or_a_blank_and_values_may_hold_equals():
    given = ["--a=1", "--b", "2", "-m", "X", "--c=x=y", "--beta", "-3"]
    assert split_flags(given) == [("a", "1"), ("b", "2"), ("m", "X"), ("c", "x=y"), ("beta", "-3")]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--tau"], "--tau needs a value: --tau=VALUE"),
        (["--tau", "--epochs=3"], "--tau needs a value"),
        (["ml-100k"], "unexpected argument 'ml-100k'"),
    ],
)
def test_stray_words_and_missing_values_are_refused(given, message):
    with pytest.raises(UsageError, match=message):
        split_flags(given)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5", 5),
        ("True", True),
        ("None", None),
        ("NDCG@10", "NDCG@10"),
        ("[Recall, NDCG]", ["Recall", "NDCG"]),
        ("['Recall','NDCG']", ["Recall", "NDCG"]),
        ("{'split': {'RS': [0.8, 0.1, 0.1]}}", {"split": {"RS": [0.8, 0.1, 0.1]}}),
        ("__import__('os').system('false')", "__import__('os').system('false')"),
        ("1/0", "1/0"),
        ("a: b: c", "a: b: c"),
    ],
)
def test_values_are_yaml_and_never_code(text, value):
    assert parse_value("key", text) == value


def test_a_broken_list_is_named():
    with pytest.raises(UsageError, match="--topk: '\\[5, ' is not a list or map"):
        parse_value("topk", "[5, ")


def test_yaml_tags_build_no_objects(tmp_path):
    path = tmp_path / "evil.yaml"
    path.write_text("a: !!python/object/apply:os.getcwd []\n")
    with pytest.raises(UsageError, match="is not YAML"):
        read_yaml(path)


@pytest.mark.parametrize(
    ("text", "message"), [("- 1\n- 2\n", "must hold lines of"), ("a: [1\n", "is not YAML")]
)
def test_files_that_hold_no_map_are_refused(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_yaml(path)


def test_a_missing_file_is_named_and_an_empty_one_is_empty(tmp_path):
    with pytest.raises(UsageError, match="cannot read settings file .*none.yaml"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "empty.yaml") == {}


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


def test_nearest_ignores_case_and_knows_when_nothing_is_near():
    assert nearest("LIGHTGCN_dsl", ["MF_SL", "LightGCN_DSL"]) == "LightGCN_DSL"
    assert nearest("xyz", ["tau", "alpha"]) is None


def test_require_names_the_missing_setting():
    with pytest.raises(KeyError, match="setting 'tau' is missing"):
        require({}, "tau")
