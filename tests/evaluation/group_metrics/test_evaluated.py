"""Group metrics through evaluator and collector, against loops and RecBole's overall metrics."""

import math

import numpy as np
import pytest
import torch
from quick import QUICK, QUICK_PAIR

from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation.grouped_tests import GroupedTests
from recbole_dsl.training.trainer import trainer_class

EVERY = ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP"]
ITEMS = {"item_popularity": {"head": 1, "mid": 1, "tail": 1}}


def measured(model, groups, dataset="ml-100k", **settings):
    """Report of groups and overall metrics of a model after an epoch, and what they came from."""
    settings = {"metrics": EVERY, "topk": [3, 10], "valid_metric": "recall@10", **settings}
    quick = QUICK_PAIR if "_" in model else QUICK
    config = Config(model, dataset, config_dict={**quick, "group_metrics": groups, **settings})
    train, valid, test = split_dataset(config, load_dataset(config)).loaders.values()
    torch.manual_seed(1)
    net = config.model_class(config, train._dataset)
    trainer = trainer_class(config)(config, net)
    grouped = GroupedTests(config, train)
    trainer.fit(train, None, saved=False)
    trainer.tensorboard.close()
    flat, _ = trainer.measure(test, grouped.measures, load_best_model=False)
    report = grouped.report({"test": flat})
    return report, grouped.overall(flat), (config, trainer, train, valid, test)


PATHS = [
    ("MF_SL", {}),  # blocks
    ("MF_SL", {"metrics": [*EVERY, "GAUC"]}),  # batches
    ("BPR", {}),
    ("EASE", {}),
    (  # scores pair by pair
        "NeuMF",
        {
            "eval_batch_size": 1683 * 400,
            "mf_embedding_size": 4,
            "mlp_embedding_size": 4,
            "mlp_hidden_size": [4],
        },
    ),
    ("BPR", {"eval_args": {"mode": "uni50"}}),  # sampled
    (  # a row for each test row, not for each user
        "GRU4Rec",
        {
            "train_neg_sample_args": None,
            "epochs": 0,
            "hidden_size": 8,
            "eval_args": {"split": {"LS": "valid_and_test"}},
        },
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "settings"), PATHS)
def test_groups_add_up_to_the_overall_metrics_on_every_path(model, settings):
    groups = {**ITEMS, "user_activity": {"rest": 1, "much": 3}, "user_field": "gender"}
    report, overall, _ = measured(model, groups, **settings)
    assert set(report) == set(groups)
    for k in (3, 10):
        items = report["item_popularity"]["metrics"]["test"]
        assert overall[f"ndcg@{k}"] > 0
        assert sum(items[f"ndcg@{k}"].values()) == pytest.approx(overall[f"ndcg@{k}"], abs=1e-12)
        assert sum(items[f"exposure@{k}"].values()) == pytest.approx(1, abs=1e-12)
        for grouping in ("user_activity", "user_field"):
            users = report[grouping]["users"]["test"]
            assert len(users) == 2 and min(users.values()) > 0
            for metric in map(str.lower, EVERY):
                values = report[grouping]["metrics"]["test"][f"{metric}@{k}"]
                mean = sum(values[n] * users[n] for n in users) / sum(users.values())
                assert mean == pytest.approx(overall[f"{metric}@{k}"], abs=1e-12), metric


@pytest.mark.slow
@pytest.mark.parametrize("model", ["MF_SL", "BPR"])
def test_one_group_of_all_items_has_the_overall_recall_and_hit(model):
    report, overall, (*_, test) = measured(model, {"item_popularity": 1})
    only = report["item_popularity"]
    for metric in ("recall@3", "hit@3", "ndcg@3", "recall@10", "hit@10", "ndcg@10"):
        value = only["metrics"]["test"][metric]["1"]
        assert value == pytest.approx(overall[metric], abs=1e-12)
    assert only["users"]["test"] == {"1": len(test.held_out)}
    assert only["metrics"]["test"]["exposure@10"] == {"1": 1.0}
    assert only["groups"][0]["size"] == 1682 and only["groups"][0]["share"] == 1


def toy(make_dataset, seed):
    random = np.random.default_rng(seed)
    weight = 1 / np.arange(1, 26)
    weight /= weight.sum()
    pairs = {
        (f"u{user}", f"i{item}")
        for user in range(20)
        for item in random.choice(
            25, random.integers(6, 14), replace=False, p=weight / weight.sum()
        )
    }
    users = "user_id:token\tcity:token\tage:float\n" + "".join(
        f"u{user}\t{['oslo', 'bern', ''][user % 3]}\t1\n" for user in range(17)
    )
    return make_dataset(f"toy{seed}", sorted(pairs), {"user": users + "stranger\tparis\t1\n"})


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("model", ["MF_SL", "BPR"])
def test_the_whole_way_agrees_with_a_loop_over_users(make_dataset, seed, model):
    """From tables of scores, training rows and test rows; groups and metrics by hand."""
    settings = {"topk": [4], "valid_metric": "recall@4", "eval_args": {"split": {"RS": [6, 1, 3]}}}
    if model == "MF_SL":
        settings["train_neg_sample_args"] = {"sample_num": 5}
    groups = {**ITEMS, "user_field": "city"}
    report, _, made = measured(model, groups, toy(make_dataset, seed), **settings)
    _, trainer, train, valid, test = made
    net = trainer.model.eval()
    every = torch.arange(train._dataset.user_num)
    with torch.no_grad():
        scores = net.full_sort_predict({net.USER_ID: every}).view(len(every), -1)

    def rows(loader):
        feat = loader._dataset.inter_feat
        return list(zip(feat["user_id"].tolist(), feat["item_id"].tolist(), strict=True))

    counts = np.bincount([item for _, item in rows(train)], minlength=net.n_items)
    order = sorted(range(1, net.n_items), key=lambda item: (-counts[item], item))
    member, before = {}, 0
    for item in order:
        member[item] = min(3 * before // counts.sum(), 2) if counts[item] else 2
        before += counts[item]
    field = train._dataset.field2id_token["user_id"]
    cities = {"u": [*(["oslo", "bern", "(none)"][u % 3] for u in range(17)), *["(none)"] * 3]}
    found = {name: [[], [], []] for name in ("recall", "hit", "ndcg", "exposure")}
    by_city = {"oslo": [], "bern": [], "(none)": []}
    wanted_by = {}
    for user, item in rows(test):
        wanted_by.setdefault(user, set()).add(item)
    for user, wanted in wanted_by.items():
        seen = {i for u, i in rows(train) + rows(valid) if u == user} | {0}
        ranked = sorted(set(range(net.n_items)) - seen, key=lambda i: -scores[user, i].item())[:4]
        ideal = sum(1 / math.log2(r + 2) for r in range(min(4, len(wanted))))
        city = cities["u"][int(str(field[user])[1:])]
        by_city[city].append(len(wanted & set(ranked)) / len(wanted))
        for group in range(3):
            own = {i for i in wanted if member[i] == group}
            gain = [1 / math.log2(r + 2) for r, i in enumerate(ranked) if i in own]
            found["ndcg"][group].append(sum(gain) / ideal)
            found["exposure"][group].append(sum(member[i] == group for i in ranked) / 4)
            if own:
                found["recall"][group].append(len(gain) / len(own))
                found["hit"][group].append(bool(gain))
    for name, values in found.items():
        ours = list(report["item_popularity"]["metrics"]["test"][f"{name}@4"].values())
        assert ours == pytest.approx([np.mean(of) if of else None for of in values]), name
    ours = report["user_field"]
    assert ours["field"] == "city" and [g["name"] for g in ours["groups"]] == sorted(by_city)
    assert ours["metrics"]["test"]["recall@4"] == pytest.approx(
        {city: np.mean(of) if of else None for city, of in by_city.items()}
    )
    assert sum(group["size"] for group in ours["groups"]) == 20
    for grouping in report.values():
        assert sum(group["share"] for group in grouping["groups"]) == pytest.approx(1)
    described = report["item_popularity"]["groups"]
    for group, one in enumerate(described):
        of_group = [counts[item] for item in member if member[item] == group]
        assert (one["size"], one["edges"]) == (len(of_group), [min(of_group), max(of_group)])


def test_parts_of_the_users_are_rows_of_the_whole():
    groups = {**ITEMS, "user_activity": 3}
    _, _, (config, trainer, train, _, test) = measured("MF_SL", groups, epochs=0)
    collector = GroupedTests(config, train).measures.collector
    whole = collector.collect(trainer.model.eval(), test)
    parts = [
        collector.collect(trainer.model, test, cut) for cut in (slice(0, 400), slice(400, None))
    ]
    for name in ("rec.topk", "rec.items", "rec.users", "rec.group_positives"):
        assert torch.equal(torch.cat([part[name] for part in parts]), whole[name]), name
    assert torch.equal(whole["rec.users"], test.held_out.users)
    assert torch.equal(whole["rec.group_positives"].sum(dim=1), whole["rec.topk"][:, -1].long())


def test_a_group_with_nothing_to_measure_has_no_value(make_dataset):
    """Three groups by rows where one item has nearly all: the second one is empty."""
    pairs = [(f"u{u}", "hit") for u in range(30)] + [(f"u{u}", f"i{u % 3}") for u in range(6)]
    rows = [f"{user}\t{item}" for user, item in pairs]
    text = "user_id:token\titem_id:token\n"
    files = {
        "train.inter": text + "\n".join(rows) + "\n",
        "test.inter": text + "u8\ti1\nu9\ti2\n",
    }
    name = make_dataset("one", pairs, files)
    report, overall, _ = measured(
        "MF_SL",
        {**ITEMS, "user_activity": {"a": 1, "b": 20}},
        name,
        benchmark_filename=["train", "test"],
        benchmark_valid=0,
        topk=[2],
        valid_metric="recall@2",
        train_neg_sample_args={"sample_num": 2},
    )
    items = report["item_popularity"]
    assert [group["edges"] for group in items["groups"]] == [[30, 30], None, [2, 2]]
    assert items["users"]["test"] == {"head": 0, "mid": 0, "tail": 2}
    values = items["metrics"]["test"]
    assert values["recall@2"]["head"] is values["recall@2"]["mid"] is values["hit@2"]["mid"] is None
    assert values["ndcg@2"]["mid"] == values["exposure@2"]["mid"] == 0
    assert values["recall@2"]["tail"] == pytest.approx(overall["recall@2"])
    assert items["fairness"]["test"]["recall@2"] == {
        "worst": values["recall@2"]["tail"], "worst_group": "tail", "spread": 0,
    }  # fmt: skip
    users = report["user_activity"]
    assert users["users"]["test"] == {"a": 0, "b": 2}
    assert users["metrics"]["test"]["recall@2"]["a"] is None


def test_rows_that_repeat_in_sampled_evaluation_count_once(make_dataset):
    pairs = [(f"u{u}", f"i{(u + i) % 9}") for u in range(12) for i in range(6)]
    text = "user_id:token\titem_id:token\n"
    train = [p for n, p in enumerate(pairs) if n % 3]
    test = [p for n, p in enumerate(pairs) if n % 3 == 0 for _ in range(2)]
    files = {
        f"{part}.inter": text + "".join(f"{u}\t{i}\n" for u, i in rows)
        for part, rows in (("train", train), ("valid", test), ("test", test))
    }
    name = make_dataset("twice", pairs, files)
    settings = dict(benchmark_filename=["train", "valid", "test"], topk=[3], metrics=["Recall"])
    settings.update(valid_metric="recall@3", eval_args={"mode": "uni5"})
    report, overall, (_, trainer, *_, loader) = measured(
        "BPR", {"item_popularity": 1}, name, **settings
    )
    positives = trainer.eval_collector
    assert overall["recall@3"] == report["item_popularity"]["metrics"]["test"]["recall@3"]["1"]
    for scored, rows, positive_u, positive_i in loader:
        scores = torch.zeros(int(rows.max()) + 1, loader._dataset.item_num)
        positives.eval_batch_collect(scores, scored, positive_u, positive_i)
        break
    counts = positives.get_data_struct()["rec.topk"][:, -1]
    assert counts.tolist() == [2] * len(counts)  # of four rows each
