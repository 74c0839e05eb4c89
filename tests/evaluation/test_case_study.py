"""Scores and best items of chosen users: RecBole's numbers, for every user, by any loader."""

import re

import numpy as np
import pytest
import torch
from quick import QUICK, QUICK_PAIR
from recbole.data import create_samplers
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.utils import case_study as recboles
from recbole.utils import get_model, init_seed

from recbole_dsl import load_recommender, run
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation import case_study
from recbole_dsl.evaluation.case_study import full_sort_scores, full_sort_topk
from recbole_dsl.quick_start import load_data_and_model

LEAVE_ONE_OUT = {
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "RO", "mode": "full"},
    "topk": [5], "valid_metric": "MRR@5",
}  # fmt: skip
# Users u0 to u3 have rows in each part; u4, who has two rows, has none in valid, u5 none in test.
ROWS = [(f"u{u}", f"i{i}") for u in range(4) for i in range(u, u + 5)]
ROWS += [("u4", "i1"), ("u4", "i2"), ("u5", "i8")]


def _built(model, dataset, **given):
    config = Config(model, dataset, config_dict={**QUICK, **given})
    data = split_dataset(config, load_dataset(config))
    init_seed(7, True)
    net = config.model_class(config, data.train._dataset)
    return config, net, data.loaders["train"], data.loaders["valid"], data.loaders["test"]


def _recboles_loader(config, *loaders):
    parts = [loader._dataset for loader in loaders]
    config["eval_batch_size"] = 4096
    return FullSortEvalDataLoader(config, parts[2], create_samplers(config, parts[0], parts)[2])


@pytest.mark.slow
@pytest.mark.parametrize("model", ["BPR", "MF_SL", "LightGCN_DSL", "EASE"])
def test_all_users_of_ml_100k_get_what_recbole_gives_them(model):
    config, net, *loaders = _built(model, "ml-100k")
    test, users = loaders[2], np.arange(1, 944)
    assert len(test.uid_list) == 943  # so that RecBole's works for all
    theirs = _recboles_loader(config, *loaders)
    expected = recboles.full_sort_topk(users, net, theirs, 20)
    for loader in (test, theirs):
        found = full_sort_topk(users, net, loader, 20)
        assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])
    again = recboles.full_sort_topk(users, net, test, 20)  # RecBole's function, our loader
    assert torch.equal(again[1], expected[1])
    some = [5, 943, 5]
    scores = full_sort_scores(some, net, test)
    torch.testing.assert_close(scores, recboles.full_sort_scores(some, net, theirs))
    assert scores.isinf().sum(dim=1).tolist() == [
        len(theirs.uid2history_item[user]) + 1 for user in some
    ]


@pytest.fixture
def toy(make_dataset):
    return make_dataset("toy", ROWS)


@pytest.mark.parametrize("model", ["BPR", "MF_SL"])
@pytest.mark.parametrize("phase", ["valid", "test"])
def test_users_without_a_row_in_the_part_have_theirs_masked(model, phase, toy):
    config, net, *loaders = _built(model, toy, **LEAVE_ONE_OUT, embedding_size=4)
    test = dict(zip(("train", "valid", "test"), loaders, strict=True))[phase]
    parts = [loader._dataset for loader in loaders]
    users, items = parts[0].uid_field, parts[0].iid_field
    earlier = parts[:1] if phase == "valid" else parts[:2]
    host = create_samplers(config, parts[0], parts)[1 if phase == "valid" else 2]
    theirs = FullSortEvalDataLoader(config, test._dataset, host)
    everyone = parts[0].token2id(users, [f"u{u}" for u in range(6)])
    with pytest.raises(TypeError):
        recboles.full_sort_scores(everyone, net, theirs)
    scores = full_sort_scores(everyone, net, test)
    assert everyone[5] not in test.uid_list
    for row, user in enumerate(everyone):
        seen = {
            item
            for part in earlier
            for who, item in zip(part.inter_feat[users].tolist(), part.inter_feat[items].tolist(),
                                 strict=True)
            if who == user
        }  # fmt: skip
        assert set(scores[row].isinf().nonzero().flatten().tolist()) == {0, *seen}
    assert torch.equal(full_sort_scores(everyone, net, theirs), scores)
    assert torch.equal(recboles.full_sort_scores(everyone, net, test), scores)  # by our loader


@pytest.mark.slow
@pytest.mark.parametrize("model", ["MF_SL", "LightGCN_DSL"])
def test_it_gives_every_user_what_the_recommender_gives_them(model, toy):
    settings = {**QUICK_PAIR, **LEAVE_ONE_OUT, "metrics": ["MRR"], "group_metrics": None}
    path = run(model, toy, config_dict=settings)["checkpoint"]
    _, net, dataset, _, _, test = load_data_and_model(path)
    users = np.arange(1, dataset.user_num)
    assert len(users) == 6 > len(test.uid_list)
    scores, items = full_sort_topk(users, net, test, dataset.item_num - 1)
    table = load_recommender(path).recommend(k=99, exclude=["train", "valid"])
    for user, own, ranked in zip(dataset.id2token("user_id", users), scores, items, strict=True):
        left = own.isfinite()
        expected = table[table["user"] == user]
        found = dataset.id2token("item_id", ranked[left].numpy()).tolist()
        assert found == expected["item"].tolist() and len(found) < dataset.item_num - 1
        np.testing.assert_allclose(own[left], expected["score"], atol=1e-6)
    assert table["user"].nunique() == 6


def test_what_was_seen_and_is_tested_again_is_not_masked(make_dataset):
    text = "user_id:token\titem_id:token\n"
    parts = {"train.inter": "u1\ti1\nu1\ti2\nu2\ti1\nu2\ti3\nu3\ti4\n", "valid.inter": "u2\ti2\n"}
    parts["test.inter"] = "u1\ti1\n"
    name = make_dataset("tiny", [("u", "i")], {key: text + rows for key, rows in parts.items()})
    given = {"benchmark_filename": ["train", "valid", "test"], "topk": 2, "valid_metric": "MRR@2"}
    _, net, train, _, test = _built("BPR", name, **given, embedding_size=4)
    items = train._dataset.field2token_id["item_id"]
    users = train._dataset.token2id("user_id", ["u1", "u2"])
    masked = full_sort_scores(users, net, test).isinf()
    assert masked.sum(dim=1).tolist() == [2, 4]  # with the padding item
    assert not masked[0, items["i1"]] and masked[0, items["i2"]]


def test_nothing_is_masked_where_users_meet_items_again(toy):
    _, net, *_, test = _built("BPR", toy, **LEAVE_ONE_OUT, embedding_size=4, repeatable=True)
    assert full_sort_scores([1, 5], net, test).isinf().sum().item() == 2


@pytest.mark.parametrize("at_once", [1, 3])
def test_blocks_of_users_change_nothing(at_once, toy, monkeypatch):
    _, net, *_, test = _built("MF_SL", toy, **LEAVE_ONE_OUT, embedding_size=4)
    users = torch.tensor([6, 1, 5, 2, 2])
    scores, top = full_sort_scores(users, net, test), full_sort_topk(users, net, test, 8)
    assert top[0].shape == (5, 8)
    monkeypatch.setattr(case_study, "_SCORES", at_once * test._dataset.item_num)
    torch.testing.assert_close(full_sort_scores(users, net, test), scores)
    assert torch.equal(full_sort_topk(users.tolist(), net, test, 8)[1], top[1])


def test_a_model_that_scores_pair_by_pair(toy):
    _, net, *_, test = _built("NeuMF", toy, **LEAVE_ONE_OUT)
    scores = full_sort_scores([1, 6], net, test)
    theirs = recboles.full_sort_scores([1, 6], net, test)
    assert scores.shape == (2, test._dataset.item_num)
    torch.testing.assert_close(scores, theirs)


def test_the_model_is_left_in_its_mode(toy):
    _, net, *_, test = _built("LightGCN_SL", toy, **LEAVE_ONE_OUT, embedding_size=4)
    for training in (True, False):
        net.train(training)
        full_sort_topk(1, net, test, 1)
        assert net.training is training


def test_a_model_of_the_run_before_is_ranked_by_what_recbole_built(toy):
    """As in RecBole's older case study: its own Config, loaders and model."""
    from recbole.config import Config as RecBoleConfig
    from recbole.data import create_dataset, data_preparation

    given = {**QUICK, **LEAVE_ONE_OUT, "embedding_size": 4, "eval_batch_size": 10}
    config = RecBoleConfig("BPR", "toy", config_dict=given)
    dataset = create_dataset(config)
    train, _, test = data_preparation(config, dataset)
    net = get_model("BPR")(config, train._dataset)
    scores = full_sort_scores(dataset.token2id("user_id", ["u4", "u5", "u0"]), net, test)
    assert scores.isinf().sum(dim=1).tolist() == [2, 2, 5]  # with the padding item


@pytest.mark.parametrize(
    ("users", "k", "message"),
    [
        (
            ["u1"],
            1,
            "uid_series must be internal ids of users, integers from 1 to 6, got u1: datase",
        ),
        ([1, 7], 1, "integers from 1 to 6, got 7"),
        ([0], 1, "integers from 1 to 6, got 0"),
        ([1.0], 1, "integers from 1 to 6, got 1.0"),
        ([], 1, "uid_series names no user"),
        ([1], 0, "k must be an integer from 1 to the 9 items, got 0"),
        ([1], 10, "k must be an integer from 1 to the 9 items, got 10"),
        ([1], 2.0, "got 2.0"),
        ([1], True, "got True"),
    ],
)
def test_bad_input_is_one_line(users, k, message, toy):
    _, net, *_, test = _built("BPR", toy, **LEAVE_ONE_OUT, embedding_size=4)
    with pytest.raises(UsageError, match=re.escape(message)):
        full_sort_topk(users, net, test, k)


def test_a_loader_of_candidates_is_refused(toy):
    given = {**LEAVE_ONE_OUT, "eval_args": {**LEAVE_ONE_OUT["eval_args"], "mode": "uni2"}}
    _, net, *_, test = _built("BPR", toy, **given, embedding_size=4)
    for loader, got in ((test, "NegSampleEvalDataLoader"), (None, "None")):
        with pytest.raises(UsageError, match=f"must be a loader that ranks all items .* got {got}"):
            full_sort_scores([1], net, loader)


# Sequential models ----------------------------------------------------------------------------

TIMES = "user_id:token\titem_id:token\ttimestamp:float\n"
SEQUENCES = {"u0": "abcde", "u1": "bcdef", "u2": "ab", "u3": "cdefabcg", "u4": "g"}


@pytest.fixture
def sequences(own_folder):
    rows = [
        f"{user}\t{item}\t{time}\n"
        for user, items in SEQUENCES.items()
        for time, item in enumerate(items)
    ]
    home = own_folder / "dataset" / "seq"
    home.mkdir(parents=True)
    (home / "seq.inter").write_text(TIMES + "".join(rows))
    return "seq"


SEQUENTIAL = {
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "TO", "mode": "full"},
    "MAX_ITEM_LIST_LENGTH": 5, "train_neg_sample_args": None, "embedding_size": 8,
    "hidden_size": 8, "load_col": None, "topk": [5], "valid_metric": "MRR@5",
    "strict_config": False,
}  # fmt: skip


class _Seen(torch.nn.Module):
    """Gives back what a sequential model is given."""

    device = torch.device("cpu")

    def __init__(self, items):
        super().__init__()
        self.items = items

    def full_sort_predict(self, rows):
        self.rows = rows
        return torch.zeros(len(rows), self.items)


def test_sequences_hold_what_precedes_the_part_for_every_user(sequences):
    _, _, _, _, test = _built("GRU4Rec", sequences, **SEQUENTIAL)
    dataset = test._dataset
    users = dataset.token2id("user_id", ["u3", "u2", "u0", "u3"])
    seen = _Seen(dataset.item_num)
    full_sort_scores(users, seen, test)
    lists = [
        "".join(dataset.id2token("item_id", row[:length]))
        for row, length in zip(seen.rows["item_id_list"], seen.rows["item_length"], strict=True)
    ]
    assert lists == ["efabc"[-5:], "ab", "abcd", "efabc"]
    times = seen.rows["timestamp_list"]
    assert times[0].tolist() == [2, 3, 4, 5, 6][:5] and times[1].tolist() == [0, 1, 0, 0, 0]
    with pytest.raises(UsageError, match=re.escape("1 user(s) have no sequence to go on from: u4")):
        full_sort_scores(dataset.token2id("user_id", ["u0", "u4"]), seen, test)


def test_a_full_sequence_drops_its_first_item(own_folder):
    """Of users who are in train alone, as their rows are the earliest ones."""
    rows = [f"early\t{item}\t{time}\n" for time, item in enumerate("abcdefg")]
    rows += [f"short\t{item}\t{time}\n" for time, item in enumerate("gf")]
    rows += [f"late\t{item}\t{time + 50}\n" for time, item in enumerate("abcdefgabc")]
    home = own_folder / "dataset" / "seq"
    home.mkdir(parents=True)
    (home / "seq.inter").write_text(TIMES + "".join(rows))
    arguments = {"split": {"RS": [0.6, 0.2, 0.2]}, "order": "TO", "mode": "full"}
    given = {**SEQUENTIAL, "eval_args": {**arguments, "group_by": None}}
    _, _, _, _, test = _built("GRU4Rec", "seq", **given)
    dataset = test._dataset
    assert set(dataset.inter_feat["user_id"].tolist()) == {dataset.token2id("user_id", "late")}
    seen = _Seen(dataset.item_num)
    full_sort_scores(dataset.token2id("user_id", ["early", "short"]), seen, test)
    lists = [list(dataset.id2token("item_id", row)) for row in seen.rows["item_id_list"]]
    assert lists == [list("cdefg"), ["g", "f", "[PAD]", "[PAD]", "[PAD]"]]
    assert seen.rows["item_length"].tolist() == [5, 2]
    assert seen.rows["timestamp_list"].tolist() == [[2, 3, 4, 5, 6], [0, 1, 0, 0, 0]]


@pytest.mark.slow
@pytest.mark.parametrize("model", ["GRU4Rec", "SASRec"])
def test_sequential_scores_are_recboles_where_users_are_tested(model, sequences):
    _, net, _, _, test = _built(model, sequences, **SEQUENTIAL)
    users = test._dataset.token2id("user_id", ["u3", "u0", "u1"])
    net.eval()
    expected = recboles.full_sort_topk(users, net, test, 5)
    found = full_sort_topk(users, net, test, 5)
    torch.testing.assert_close(found[0], expected[0])
    assert torch.equal(found[1], expected[1])
    assert full_sort_topk(test._dataset.token2id("user_id", ["u2"]), net, test, 3)[1].shape == (
        1,
        3,
    )


def test_several_rows_of_a_user_are_one(sequences):
    arguments = {"split": {"RS": [0.4, 0.2, 0.4]}, "order": "TO", "mode": "full"}
    _, _, _, _, test = _built("GRU4Rec", sequences, **{**SEQUENTIAL, "eval_args": arguments})
    dataset = test._dataset
    counts = torch.bincount(dataset.inter_feat["user_id"])
    (user,) = dataset.token2id("user_id", ["u3"])
    assert counts[user] > 1
    seen = _Seen(dataset.item_num)
    full_sort_scores([user], seen, test)
    lengths = dataset.inter_feat["item_length"][dataset.inter_feat["user_id"] == user]
    assert seen.rows["item_length"].tolist() == [lengths.min().item()]


def test_recboles_loader_does_not_know_earlier_sequences(sequences):
    config, _, _, _, test = _built("GRU4Rec", sequences, **SEQUENTIAL)
    theirs = FullSortEvalDataLoader(config, test._dataset, None)
    seen = _Seen(test._dataset.item_num)
    full_sort_scores(test._dataset.token2id("user_id", ["u0"]), seen, theirs)
    with pytest.raises(UsageError, match="u2 .test_data does not know the rows before its own"):
        full_sort_scores(test._dataset.token2id("user_id", ["u2"]), seen, theirs)
