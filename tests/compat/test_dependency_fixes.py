"""Each change for newer libraries, shown on the symptom it is for."""

import numpy as np
import scipy.sparse
import torch

from recbole_dsl.compat.apply import apply
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset

PAIRS = [(f"u{u}", f"i{i}") for u in range(6) for i in range(6) if (u + i) % 3]
USERS = "user_id:token\tage:float\tcity:token\ttags:token_seq\tpast:float_seq\n"


def _with_gaps(make_dataset):
    """Users with a missing number, a missing word, missing sequences, and one user not listed."""
    text = USERS + (
        "u0\t10\toslo\ta b\t1 2 3\n"
        "u1\t\tbern\tb\t4\n"
        "u2\t20\t\t\t5 6\n"
        "u3\t30\toslo\tc a b\t\n"
        "u4\t20\tbern\ta\t7\n"
    )
    name = make_dataset("gaps", PAIRS, {"user": text})
    options = {
        "load_col": {"inter": "*", "user": "*"},
        "filter_inter_by_user_or_item": False,
    }
    return load_dataset(Config("BPR", name, config_dict=options))


def test_missing_numbers_words_and_sequences_are_filled(make_dataset):
    dataset = _with_gaps(make_dataset)
    feat = dataset.user_feat
    row = {
        token: feat.loc[dataset.token2id("user_id", token)] for token in ("u1", "u2", "u3", "u5")
    }
    assert not dataset.user_feat[["user_id", "age", "city"]].isna().any().any()
    assert row["u1"]["age"] == row["u5"]["age"] == 20  # the mean of the listed ages
    assert row["u2"]["city"] == row["u5"]["city"] == 0  # padding
    assert list(row["u2"]["tags"]) == list(row["u5"]["tags"]) == []
    assert list(row["u3"]["past"]) == []
    features = dataset.build()[0].get_user_feature()
    assert not any(bool(torch.isnan(features[c].float()).any()) for c in features.columns)


def test_sequences_are_remapped_row_by_row(make_dataset):
    dataset = _with_gaps(make_dataset)
    tags = {}
    for user in ("u0", "u1", "u3", "u4"):
        ids = dataset.user_feat["tags"][dataset.token2id("user_id", user)]
        tags[user] = [dataset.id2token("tags", i) for i in ids]
    assert tags == {"u0": ["a", "b"], "u1": ["b"], "u3": ["c", "a", "b"], "u4": ["a"]}


def test_numpy_aliases_are_recboles_and_numpys_own_names_are_kept():
    own = {name: vars(np)[name] for name in ("bool", "long") if name in vars(np)}
    apply()
    assert np.float is np.float64 and np.int is np.int_ and np.object is np.object_
    assert all(vars(np)[name] is kind for name, kind in own.items())


def test_dok_update_sets_entries():
    apply()
    matrix = scipy.sparse.dok_matrix((2, 3), dtype=np.float32)
    matrix._update({(0, 1): 2.0, (1, 2): 3.0})
    assert matrix.toarray().tolist() == [[0, 2, 0], [0, 0, 3]] and matrix.nnz == 2


def test_recboles_lightgcn_graph_is_the_normalised_adjacency(make_dataset):
    name = make_dataset("toy", PAIRS)
    few = {"topk": [2], "valid_metric": "MRR@2"}  # fewer items than 10
    config = Config("LightGCN", name, config_dict=few)
    dataset = load_dataset(config)
    train = split_dataset(config, dataset).train._dataset
    model = config.model_class(config, train)
    pair = Config("LightGCN_SL", name, config_dict=few)
    ours = pair.model_class(pair, train).backbone
    users = train.user_num
    theirs = model.norm_adj_matrix.to_dense()
    torch.testing.assert_close(theirs[:users, users:], ours.graph.to_dense(), atol=1e-4, rtol=0)
    torch.testing.assert_close(theirs[users:, :users], ours.graph_t.to_dense(), atol=1e-4, rtol=0)
    assert not bool(theirs[:users, :users].any())
