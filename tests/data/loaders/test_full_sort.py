"""Our full-sort loader beside RecBole's: the same batches, from arrays."""

import pytest
import torch
from recbole.data import create_samplers
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.utils.case_study import full_sort_topk

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.loaders.full_sort import BatchedFullSortLoader
from recbole_dsl.data.pipeline import load_dataset, split_dataset

PAIRS = [("u1", "i1"), ("u1", "i2"), ("u1", "i1"), ("u2", "i3"), ("u2", "i1"), ("u3", "i2")]


def _loaders(model="MF_SL", dataset="ml-100k", **changes):
    config = Config(model, dataset, config_dict={"state": "ERROR", **changes})
    return config, list(split_dataset(config, load_dataset(config)).loaders.values())


def _pairs(index):
    rows, items = index
    return sorted(zip(rows.tolist(), items.tolist(), strict=True))


@pytest.mark.parametrize("phase", [1, 2])
@pytest.mark.parametrize("repeatable", [False, True])
def test_batches_are_recboles(phase, repeatable):
    config, loaders = _loaders("BPR", repeatable=repeatable, eval_batch_size=1683 * 100)
    config["eval_memory"] = 0  # RecBole's own steps
    ours = loaders[phase]
    ours.update_config(config)
    parts = [loader._dataset for loader in loaders]
    samplers = create_samplers(config, parts[0], parts)
    theirs = FullSortEvalDataLoader(config, parts[phase], samplers[phase])
    assert ours.step == theirs.step == 100 and len(ours.uid_list) == len(theirs.uid_list)
    for users in torch.arange(len(ours.uid_list)).split(100):
        own, host = ours.collate_fn(users.tolist()), theirs.collate_fn(users.tolist())
        assert torch.equal(own[0]["user_id"], host[0]["user_id"])
        assert _pairs(own[1]) == _pairs(host[1])
        assert _pairs(own[2:]) == _pairs(host[2:])


def test_each_user_is_evaluated_once_and_in_order():
    _, (_, _, test) = _loaders(eval_memory=2)
    users = torch.cat([batch["user_id"] for batch, *_ in test])
    assert torch.equal(users, torch.unique(test._dataset.inter_feat["user_id"]))
    assert len(test) > 5


def test_a_positive_that_was_met_in_training_is_not_masked(make_dataset):
    text = "user_id:token\titem_id:token\n"
    parts = {
        "train.inter": "u1\ti1\nu1\ti2\nu1\ti1\nu2\ti3\nu2\ti4\nu3\ti1\n",
        "valid.inter": "u2\ti1\n",
        "test.inter": "u1\ti1\nu1\ti1\nu1\ti3\nu2\ti2\n",
    }
    parts = {name: text + rows for name, rows in parts.items()}
    name = make_dataset("tiny", PAIRS, parts)
    _, (train, valid, test) = _loaders(
        dataset=name, benchmark_filename=["train", "valid", "test"], topk=[2], valid_metric="MRR@2"
    )
    users, items = (train._dataset.field2id_token[f] for f in ("user_id", "item_id"))

    def named(batch):
        interaction, history, *positives = batch
        who = [users[user] for user in interaction["user_id"].tolist()]
        return [
            sorted((str(who[row]), str(items[item])) for row, item in _pairs(index))
            for index in (history, positives)
        ]

    (batch,) = list(valid)
    assert named(batch) == [[("u2", "i3"), ("u2", "i4")], [("u2", "i1")]]
    (batch,) = list(test)
    assert named(batch) == [
        [("u1", "i2"), ("u2", "i1"), ("u2", "i3"), ("u2", "i4")],
        [("u1", "i1"), ("u1", "i3"), ("u2", "i2")],
    ]


def test_recboles_case_study_works_on_it():
    config, (train, _, test) = _loaders("BPR")
    net = config.model_class(config, train._dataset)
    users = [5, 7]
    _, items = full_sort_topk(users, net, test, k=10, device="cpu")
    seen = test.uid2history_item[users]
    for row, history in zip(items, seen, strict=True):
        assert len(history) > 0 and not set(row.tolist()) & set(history.tolist())


@pytest.mark.slow
def test_sequential_models_keep_recboles_rows():
    _, (_, _, test) = _loaders("GRU4Rec", train_neg_sample_args=None)
    assert isinstance(test, BatchedFullSortLoader) and test.held_out is None
    assert test.sample_size == len(test._dataset)
    assert test.step == 4096  # eval_batch_size


@pytest.mark.slow
def test_rows_of_sequential_models_take_no_more_memory_than_allowed():
    """RecBole's 4,096 rows of 1,682 scores would take 105 MiB."""
    _, (_, _, test) = _loaders("GRU4Rec", train_neg_sample_args=None, eval_memory=10)
    assert test.step == 10 * 2**20 // (1683 * 16)
    assert len(next(iter(test))[0]) == test.step


def test_saved_loaders_come_back_the_same():
    _, (_, _, test) = _loaders()
    _, (_, _, saved) = _loaders(save_dataloaders=True)
    assert torch.equal(saved.held_out.history.codes, test.held_out.history.codes)
    assert torch.equal(saved.held_out.users, test.held_out.users)


def test_more_items_than_there_are_cannot_be_ranked():
    with pytest.raises(UsageError, match="topk must be at most the 1682 items, got 1683"):
        _loaders(topk=[5, 1683], valid_metric="recall@5", metrics=["Recall"])
