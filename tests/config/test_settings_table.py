import pytest

from recbole_dsl.common.property_files import SEARCH, properties_dir, read_yaml
from recbole_dsl.config.comments import Comment, read_comments
from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES
from recbole_dsl.config.run_config import Config
from recbole_dsl.config.settings_table import Setting, settings_table

OURS = sorted(set(properties_dir().rglob("*.yaml")) - {properties_dir() / "types.yaml"})


def _table(model, **config_dict):
    rows = settings_table(Config(model, "ml-100k", config_dict=config_dict))
    assert len({row.name for row in rows}) == len(rows)
    return {row.name: row for row in rows}


@pytest.mark.parametrize("path", OURS, ids=[str(p.relative_to(properties_dir())) for p in OURS])
def test_every_setting_of_our_own_files_has_a_type_and_a_meaning(path):
    comments = read_comments(path.read_text(encoding="utf-8"))
    values = read_yaml(path)
    values.pop(SEARCH, None)
    names = [(key,) for key in values]
    names += [(key, k) for key, value in values.items() if isinstance(value, dict) for k in value]
    assert names
    for name in names:
        assert comments[name].type and comments[name].meaning, name


def test_values_layers_types_and_meanings_come_together():
    table = _table("MF_DSL", tau=0.3)
    assert table["tau"] == Setting(
        "tau",
        0.3,
        "float > 0",
        "Base temperature: the geometric mean of the examples' own. Tune it first.",
        "config dict",
    )
    assert table["gamma"].layer == "properties/loss/DSL.yaml" and table["gamma"].value == 0.5
    assert table["device"].value == "auto"  # and not the device that it stands for here
    assert table["epochs"] == Setting(
        "epochs", 300, "int >= 0", "The number of training epochs.", "RecBole overall.yaml"
    )
    assert table["backbone"] == Setting("backbone", "MF", "", "", "model name")


def test_the_highest_file_that_has_a_setting_explains_it():
    assert _table("MF_SL")["train_batch_size"].meaning.startswith("Positives in a training step")
    assert _table("BPR")["train_batch_size"].meaning == "The training batch size."


def test_the_keys_of_a_map_are_explained_each_by_its_own_file():
    row = _table("MF_SL", train_neg_sample_args={"sample_num": 7})["train_neg_sample_args"]
    assert row.type == "dict" and row.layer == "config dict"
    assert row.value["sample_num"] == 7 and row.value["distribution"] == "uniform"
    assert row.meaning.startswith("Negatives, drawn on the device, never a training positive")
    for text in (
        "sample_num (int >= 1 or all): M, negatives per positive, or all: every other item.",
        "block (int >= 1): Rows of a batch that share",
        "dynamic (bool): Whether to use dynamic negative sampling.",
    ):
        assert text in row.meaning


def test_what_recbole_derives_and_what_is_only_for_tuning_are_left_out():
    config = Config("MF_SL", "ml-100k")
    names = {row.name for row in settings_table(config)}
    assert names == set(config.origins)
    assert not names & {"MODEL_TYPE", "eval_type", "valid_neg_sample_args", SEARCH}


def test_every_setting_of_recboles_general_files_has_a_type_and_a_meaning():
    for row in _table("BPR").values():
        assert row.type and row.meaning, row


@pytest.mark.parametrize(
    ("file", "key", "kind", "meaning"),
    [
        ("LightGCN", "n_layers", "int", "The number of layers in LightGCN."),
        ("AsymKNN", "k", "", "Number of neighbors to consider in the similarity calculation."),
        ("AsymKNN", "q", "", "Exponent for adjusting the 'locality of scoring function' after"),
        ("GCSAN", "weight", "float", "The weight to control the contribution of self-attention"),
        ("GCSAN", "n_layers", "int", "The number of transformer layers"),
        ("LightSANs", "k_interests", "int", "The number of latent interests dimension"),
        ("SLIMElastic", "l1_ratio", "", "alpha and l1_ratio are both float-type values"),
        ("SLIMElastic", "positive_only", "bool", "Whether to add the non-negativity"),
        ("NNCF", "neigh_info_method", "", "The method to use neighborhood information"),
        ("NNCF", "mlp_hidden_size", "list of int", "The hidden size of each layer in MLP."),
        ("DMF", "inter_matrix_type", "str", "Type of interaction matrix. Range in ['01'"),
        ("LDiffRec", "time-aware", "bool", "T-DiffRec or not"),
        ("NeuMF", "use_pretrain", "bool", "Whether to use the pre-trained parameters"),
        ("GRU4RecCPR", "partition_merging_mode", "str", 'If "replace", the logit from context'),
    ],
)
def test_recboles_comments_beside_and_above_a_key_are_read(file, key, kind, meaning):
    text = (RECBOLE_PROPERTIES / "model" / f"{file}.yaml").read_text(encoding="utf-8")
    found = read_comments(text)[key,]
    assert found.type == kind and found.meaning.startswith(meaning)


def test_comments_are_told_from_values():
    text = """
# About the file, and about no key, since a blank line follows.

a: "x # no comment"   # (str) In quotes, a # is a #.
b: x#y                # (str) Nor does one within a word begin a comment.
c: 1

# (int) One line,
# and its next.
d: 1
e: 1
f: 1                  # Temperature (in nats) of the softmax.
g: 1
h:                    # (dict) A map.
  a: 1                # (int) Of the map.
    # - a remark
i: {a: 1, b: 2}       # (dict) In one line.
"""
    assert read_comments(text) == {
        ("a",): Comment("str", "In quotes, a # is a #."),
        ("b",): Comment("str", "Nor does one within a word begin a comment."),
        ("d",): Comment("int", "One line, and its next."),
        ("e",): Comment("int", "One line, and its next."),
        ("f",): Comment("", "Temperature (in nats) of the softmax."),
        ("h",): Comment("dict", "A map."),
        ("h", "a"): Comment("int", "Of the map."),
        ("i",): Comment("dict", "In one line."),
    }
