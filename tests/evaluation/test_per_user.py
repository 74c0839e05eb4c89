import json

import numpy as np
import pytest
from planted_sequences import ITEMS, write_sequences
from planted_sequences import QUICK as QUICK_SEQUENCES
from quick import QUICK

from recbole_dsl.common.errors import UsageError
from recbole_dsl.evaluation import per_user
from recbole_dsl.experiments.single_run import run

METRICS = ["Recall", "MRR", "NDCG", "Hit", "Precision", "MAP", "ItemCoverage", "AveragePopularity"]
SETTINGS = {
    **QUICK, "metrics": METRICS, "topk": [3, 10], "user_metrics": True, "valid_metric": "NDCG@10",
    "result_file": "out/x.json",
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("model", ["MF_SL", "EASE"])
def test_the_mean_over_users_is_the_metric_reported_for_every_test_set(model, own_folder):
    split = {"eval_args": {"split": {"PS": [0.7, 0.1, 0.2]}}, "test_sets": ["iid", "popularity"]}
    result = run(model, "ml-100k", config_dict={**SETTINGS, **split}, saved=False)
    assert json.loads((own_folder / "out" / "x.json").read_text())["tests"] == result["tests"]
    by_user = per_user.read("out/x.users.npz")
    assert list(by_user) == ["iid", "popularity"]
    for name, metrics in result["tests"].items():
        columns = by_user[name]
        users = columns.pop("users")
        assert len(users) == len(set(users)) == result["splits"][f"test_{name}"]["users"]
        of_users = {key for key in metrics if not key.startswith(("itemcov", "averagepop"))}
        assert set(columns) == of_users and len(of_users) == 12
        for key, values in columns.items():
            assert values.dtype == np.float64 and values.shape == users.shape
            assert values.mean() == pytest.approx(metrics[key], rel=1e-12), key
            assert values.std() > 0, key


def test_each_value_belongs_to_the_user_named_beside_it(checkerboard, own_folder):
    """On the checkerboard EASE ranks the one liked item first that training lacks."""
    files = {"benchmark_filename": ["train", "valid", "test"]}
    settings = {**SETTINGS, **files, "metrics": ["NDCG"], "topk": [1]}
    settings["valid_metric"] = "NDCG@1"
    test = own_folder / "dataset" / checkerboard / f"{checkerboard}.test.inter"
    header, *rows = test.read_text().splitlines()
    missed = "u7"  # gets an item of the wrong parity, which the model ranks last
    rows = [row if row.split("\t")[0] != missed else f"{missed}\ti2" for row in rows]
    test.write_text("\n".join([header, *reversed(rows)]) + "\n")
    valid = test.with_name(f"{checkerboard}.valid.inter")
    valid.write_text("\n".join([header, "u0\ti0"]) + "\n")
    run("EASE", checkerboard, config_dict=settings, saved=False)
    found = per_user.read("out/x.users.npz")["test"]
    assert len(found["users"]) == 20 and set(found["users"][found["ndcg@1"] == 0]) == {missed}


@pytest.mark.slow
@pytest.mark.parametrize("model", ["GRU4Rec_SL", "GRU4Rec"])
def test_a_sequential_model_has_values_of_each_users_last_row(model, own_folder):
    """One user of the ring ends with another item than the next one, which the model misses."""
    home = own_folder / "dataset" / write_sequences(own_folder)
    path, missed = home / "ring.inter", "u7"
    head, *rows = path.read_text().splitlines()
    of_user = [at for at, row in enumerate(rows) if row.startswith(f"{missed}\t")]
    user, item, time = rows[of_user[-1]].split("\t")
    rows[of_user[-1]] = f"{user}\ti{(int(item[1:]) + 5) % ITEMS}\t{time}"
    path.write_text("\n".join([head, *reversed(rows)]) + "\n")
    own = {"loss_type": "CE", "train_neg_sample_args": None} if model == "GRU4Rec" else {}
    settings = {
        **QUICK_SEQUENCES, **own, "epochs": 40, "user_metrics": True, "result_file": "out/x.json",
        "strict_config": False,
    }  # fmt: skip
    result = run(model, "ring", config_dict=settings, saved=False)
    found = per_user.read("out/x.users.npz")["test"]
    assert len(set(found["users"])) == len(found["users"]) == 60
    assert set(found["users"][found["recall@1"] == 0]) == {missed}
    assert found["recall@1"].mean() == pytest.approx(result["test"]["recall@1"], abs=1e-4)


@pytest.mark.slow
def test_the_result_says_the_same_and_counts_parameters_without_values_by_user(own_folder):
    plain = {**SETTINGS, "user_metrics": False, "embedding_size": 8}
    result = run("BPR", "ml-100k", config_dict=plain, saved=False)
    assert not (own_folder / "out" / "x.users.npz").exists()
    assert result["parameters"] == (944 + 1683) * 8
    again = run("BPR", "ml-100k", config_dict={**plain, "user_metrics": True}, saved=False)
    assert again["test"] == result["test"]
    assert run("EASE", "ml-100k", config_dict=SETTINGS, saved=False)["parameters"] == 0


def test_sampled_candidates_have_no_values_by_user():
    settings = {**SETTINGS, "eval_args": {"mode": "uni10"}}
    with pytest.raises(UsageError, match="user_metrics: needs full ranking, .* got 'uni10'"):
        run("BPR", "ml-100k", config_dict=settings)
