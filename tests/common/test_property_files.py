from pathlib import Path

import pytest

from recbole_dsl.common import property_files
from recbole_dsl.common.errors import UsageError, nearest
from recbole_dsl.common.property_files import parse_value, read_yaml, require


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key 'a' is there twice, again in line 3"),
        ("a:\n  b: 1\n  b: 2\n", "the key 'b' is there twice, again in line 3"),
        ("a: &x [*x]\n", "an anchor that refers to itself"),
        ("a: &x {b: *x}\n", "an anchor that refers to itself"),
        ("a: 2020-13-45\n", "month must be in 1..12"),
        ("a: !!timestamp x\n", "is not YAML"),
        ("a: !!bool x\n", "is not YAML"),
        ("a: !!set {x}\n", "no word and no number"),
        (f"a: {'9' * 5000}\n", "is not YAML"),
        (f"a: {'[' * 5000}\n", "is not YAML"),
        (f"a: {'[' * 40}{']' * 40}\n", "it holds too much"),
        ("a: &a [x,x,x]\n" + "".join(
            f"{new}: &{new} [{','.join([f'*{old}'] * 30)}]\n"
            for old, new in zip("abcd", "bcde", strict=True)
        ), "it holds too much"),
        ("? {a: 1}\n: 2\n", "is not YAML"),
    ],
    ids=range(13),
)  # fmt: skip
def test_files_that_are_no_plain_settings_are_one_line(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value)


def test_anchors_that_end_are_read(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3}\ne: *x\n")
    values = read_yaml(path)
    assert values["d"] == {"b": 1, "c": 3} and values["e"] == values["a"] == {"b": 1, "c": 2}


@pytest.mark.parametrize("text", ["[5,inf)", "(0,1];[3,4)", " ", "\t"])
def test_intervals_and_blanks_are_themselves(text):
    assert parse_value("key", text) == text


def test_a_missing_file_is_named_and_an_empty_one_is_empty(tmp_path):
    with pytest.raises(UsageError, match="cannot read settings file .*none.yaml"):
        read_yaml(tmp_path / "none.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "empty.yaml") == {}


def test_nearest_ignores_case_and_knows_when_nothing_is_near():
    assert nearest("LIGHTGCN_dsl", ["MF_SL", "LightGCN_DSL"]) == "LightGCN_DSL"
    assert nearest("xyz", ["tau", "alpha"]) is None


def test_require_names_the_missing_setting():
    with pytest.raises(KeyError, match="setting 'tau' is missing"):
        require({}, "tau")


def test_a_preset_is_a_file_of_this_package_and_a_path_is_itself():
    path = property_files.settings_file("preset:ir_benchmark")
    assert path == property_files.properties_dir() / "presets" / "ir_benchmark.yaml"
    assert property_files.read_yaml(path)["valid_metric"] == "NDCG@20"
    for other in ("a.yaml", "./preset:x", Path("preset:ir_benchmark")):
        assert property_files.settings_file(other) is other
    with pytest.raises(UsageError) as caught:
        property_files.settings_file("preset:ir_benchmrk")
    assert str(caught.value) == (
        "unknown preset 'ir_benchmrk' (known: ir_benchmark, popularity_shift); "
        "did you mean ir_benchmark?"
    )
