import pytest

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
