"""Our evaluation against RecBole's own path: the same numbers, metric by metric."""

import pytest
import torch
from quick import QUICK, QUICK_PAIR
from recbole.data import create_samplers
from recbole.data.dataloader import FullSortEvalDataLoader
from recbole.evaluator import metric_types
from recbole.evaluator.register import metrics_dict
from recbole.trainer import Trainer
from recbole.utils import EvaluatorType, init_seed

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.loaders.full_sort import BatchedFullSortLoader
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation import top_items
from recbole_dsl.models.recommender import PairRecommender
from recbole_dsl.training.trainer import trainer_class

RANKING = [  # RecBole's own
    name
    for name, kind in metric_types.items()
    if kind == EvaluatorType.RANKING and metrics_dict[name].__module__.startswith("recbole.")
]
VALUE = [name for name, kind in metric_types.items() if kind == EvaluatorType.VALUE]


def _trained(model, **settings):
    """A briefly trained model, its config and its test loader."""
    settings = {**(QUICK_PAIR if "_" in model else QUICK), **settings}
    config = Config(model, "ml-100k", config_dict=settings)
    train, valid, test = split_dataset(config, load_dataset(config)).loaders.values()
    init_seed(1, True)
    net = config.model_class(config, train._dataset)
    trainer = trainer_class(config)(config, net)
    trainer.fit(train, None, saved=False)
    trainer.tensorboard.close()  # its thread writes to a path relative to the current folder
    return config, net, trainer, test, train, valid


def _stock_loader(config, phase, train, valid, test):
    """RecBole's own loader of the same part, with RecBole's samplers."""
    parts = [loader._dataset for loader in (train, valid, test)]
    samplers = create_samplers(config, parts[0], parts)
    at = {"valid": 1, "test": 2}[phase]
    return FullSortEvalDataLoader(config, parts[at], samplers[at])


def _freeze_scores(net, loader):
    """Make a user's scores independent of who else is in the step and of how products round."""
    if isinstance(net, PairRecommender):
        with torch.no_grad():  # how a product rounds depends on its shape: here too little to tell
            tables = [table.double() for table in net.eval().embed()]
        net.embed = lambda: tables
        return
    users = torch.arange(loader._dataset.user_num)
    with torch.no_grad():
        table = net.eval().full_sort_predict({net.USER_ID: users}).view(len(users), -1)
    net.full_sort_predict = lambda batch: table[batch[net.USER_ID]].clone()


def _host_result(config, net, train, test):
    """The result of RecBole's Trainer on RecBole's loader, with more digits than it rounds to."""
    config["metric_decimal_place"] = 12
    host = Trainer(config, net)
    host.eval_collector.data_collect(train)
    host.tensorboard.close()
    return host.evaluate(test, load_best_model=False)


@pytest.fixture(scope="module")
def _module_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluation")


@pytest.fixture(autouse=True)
def _in_module_folder(own_folder, _module_folder, monkeypatch):
    monkeypatch.chdir(_module_folder)


def _assert_equal_metrics(ours, theirs):
    assert list(ours) == list(theirs)
    for name, value in theirs.items():
        # gauc sums ranks of up to 1,682 in float32, in an order that depends on the step's size.
        tolerance = 1e-6 if name == "gauc" else 1e-11
        assert ours[name] == pytest.approx(float(value), abs=tolerance), name


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "phase"),
    [
        ("LightGCN_SL", "test"),
        ("BPR", "test"),
        ("BPR", "valid"),
        ("EASE", "test"),
        ("MultiVAE", "test"),
    ],
)
def test_every_ranking_metric_is_recboles(model, phase):
    config, net, trainer, test, train, valid = _trained(
        model, metrics=RANKING, topk=[1, 10, 50], valid_metric="recall@10", eval_memory=2
    )
    asked = {"valid": valid, "test": test}[phase]
    assert isinstance(asked, BatchedFullSortLoader) and asked.step > 1 and len(asked) > 5
    stock = _stock_loader(config, phase, train, valid, test)
    assert stock.step == 2  # 4096 pairs over 1,683 items
    _freeze_scores(net, test)
    ours = trainer.evaluate(asked, load_best_model=False)
    assert len(ours) == 3 * (len(RANKING) - 1) + 1  # gauc has no k
    _assert_equal_metrics(ours, _host_result(config, net, train, stock))


TOPK_ONLY = [name for name in RANKING if name != "gauc"]


@pytest.mark.slow
@pytest.mark.parametrize("blocks", [(1 << 14, 1 << 22), (100, 10_000), (1, 1)])
def test_the_top_in_blocks_of_users_and_items_gives_recboles_metrics(blocks, monkeypatch):
    monkeypatch.setattr(top_items, "_ITEMS", blocks[0])
    monkeypatch.setattr(top_items, "_CPU_SCORES", blocks[1])
    config, net, trainer, test, train, valid = _trained(
        "MF_SL", metrics=TOPK_ONLY, topk=[1, 10, 50], valid_metric="recall@10", epochs=0
    )
    _freeze_scores(net, test)
    assert trainer.eval_collector.ranks_blocks(net, test)
    stock = _stock_loader(config, "test", train, valid, test)
    with monkeypatch.context() as context:
        context.setattr(net, "full_sort_predict", None)  # the whole of a user's scores is not asked
        ours = trainer.evaluate(test, load_best_model=False)
    _assert_equal_metrics(ours, _host_result(config, net, train, stock))


@pytest.mark.slow
def test_a_user_with_fewer_than_k_items_left_counts_as_in_recbole(monkeypatch):
    """Masked items then fill the list, which coverage and popularity count."""
    monkeypatch.setattr(top_items, "_ITEMS", 100)  # more than one block of items
    config, net, trainer, test, train, valid = _trained(
        "MF_SL",
        metrics=["Recall", "ItemCoverage", "AveragePopularity", "GiniIndex"],
        topk=[1500],
        valid_metric="recall@1500",
        epochs=0,
    )
    assert bool((1682 - test.held_out.history.counts < 1500).any())
    _freeze_scores(net, test)
    ours = trainer.evaluate(test, load_best_model=False)
    stock = _stock_loader(config, "test", train, valid, test)
    _assert_equal_metrics(ours, _host_result(config, net, train, stock))


def test_parts_of_the_users_are_rows_of_the_whole():
    settings = {"metrics": ["Recall", "ItemCoverage"], "valid_metric": "recall@10", "epochs": 0}
    _, net, trainer, test, train, _ = _trained("MF_SL", **settings)
    trainer.eval_collector.data_collect(train)
    whole = trainer.eval_collector.collect(net.eval(), test)
    cuts = [slice(0, 300), slice(300, 301), slice(301, None)]
    parts = [trainer.eval_collector.collect(net, test, users) for users in cuts]
    for name in ("rec.topk", "rec.items"):
        assert torch.equal(torch.cat([part[name] for part in parts]), whole[name])
    assert len(whole["rec.topk"]) == len(test.held_out) and whole["data.num_items"] == 1683


def test_a_bar_is_shown_when_asked_for(capsys):
    _, _, trainer, test, *_ = _trained("MF_SL", epochs=0)
    trainer.evaluate(test, load_best_model=False)
    assert "Evaluate" not in capsys.readouterr().err
    trainer.evaluate(test, load_best_model=False, show_progress=True)
    assert "Evaluate" in capsys.readouterr().err


def test_evaluation_leaves_training_mode():
    """Dropout and noise are for training."""
    _, net, trainer, test, *_ = _trained("XSimGCL_SL", epochs=0)
    first = trainer.evaluate(test, load_best_model=False)
    net.train()
    assert trainer.evaluate(test, load_best_model=False) == first


def test_no_sampler_is_made_where_nothing_draws_from_it():
    settings = {"state": "ERROR", "eval_args": {"mode": {"valid": "full", "test": "uni50"}}}
    for model, changes, made in [
        ("MF_SL", {"state": "ERROR"}, False),
        ("MF_SL", settings, True),
        ("BPR", {"state": "ERROR"}, True),
    ]:
        config = Config(model, "ml-100k", config_dict=changes)
        loaders = split_dataset(config, load_dataset(config)).loaders.values()
        assert [loader._sampler is not None for loader in loaders] == [made] * 3


@pytest.mark.slow
@pytest.mark.parametrize("model", ["LightGCN_DSL", "BPR", "NGCF", "EASE", "MultiVAE", "SimpleX"])
def test_a_step_of_many_users_scores_as_steps_of_one(model):
    _, net, *_ = _trained(model, epochs=0)
    net.eval()
    users = torch.tensor([5, 1, 900, 44])
    with torch.no_grad():
        together = net.full_sort_predict({net.USER_ID: users}).view(4, -1)
        for row, user in enumerate(users):
            alone = net.full_sort_predict({net.USER_ID: user.view(1)}).view(-1)
            torch.testing.assert_close(together[row], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", RANKING)
def test_each_ranking_metric_works_alone(name):
    at = name if name == "gauc" else f"{name}@10"
    _, _, trainer, test, train, _ = _trained("MF_SL", metrics=[name], valid_metric=at, epochs=0)
    trainer.eval_collector.data_collect(train)
    assert set(trainer.evaluate(test, load_best_model=False)) == {at}


def test_a_model_that_scores_pair_by_pair_keeps_recboles_steps():
    test = _trained("NeuMF", epochs=0)[3]
    assert test.step == 2


def test_value_metrics_are_recboles():
    settings = {
        "metrics": VALUE,
        "valid_metric": "auc",
        "eval_args": {"mode": "labeled"},
        "threshold": {"rating": 4},
        "train_neg_sample_args": {"distribution": "uniform", "sample_num": 1},
    }
    config, net, trainer, test, train, _ = _trained("BPR", **settings)
    net.predict, predict = (lambda pairs: torch.sigmoid(predict(pairs))), net.predict
    ours = trainer.evaluate(test, load_best_model=False)
    theirs = _host_result(config, net, train, test)
    assert set(ours) == set(VALUE)
    for name, value in theirs.items():
        assert ours[name] == pytest.approx(float(value), abs=1e-11), name


@pytest.mark.slow
def test_sampled_evaluation_is_recboles():
    settings = {"eval_args": {"mode": "uni20"}, "metrics": ["Recall", "NDCG"]}
    config, net, trainer, test, train, _ = _trained("MF_SL", valid_metric="ndcg@10", **settings)
    init_seed(3, True)
    ours = trainer.evaluate(test, load_best_model=False)
    init_seed(3, True)
    theirs = _host_result(config, net, train, test)
    _assert_equal_metrics(ours, theirs)


def test_metrics_are_not_rounded_and_small_gains_count():
    _, _, trainer, test, *_ = _trained("MF_SL")
    result = trainer.evaluate(test, load_best_model=False)
    assert any(round(value, 6) != value for value in result.values())
    assert all(type(value) is float for value in result.values())


def test_memory_bounds_the_users_of_a_step():
    config = Config("MF_SL", "ml-100k", config_dict={"eval_memory": 4})
    test = split_dataset(config, load_dataset(config)).tests["test"]
    assert test.step == 4 * 2**20 // (1683 * 16)


@pytest.mark.parametrize("memory", [0, -1, 2.5, True, "much"])
def test_bad_memory_is_refused(memory):
    with pytest.raises(UsageError, match="eval_memory"):
        Config("MF_SL", "ml-100k", config_dict={"eval_memory": memory})
