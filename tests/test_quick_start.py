"""RecBole's names: scripts written for RecBole, with one import line changed."""

import inspect
import json
import os
import queue
import subprocess
import sys

import numpy as np
import pytest
import torch
from own_parts import write_guide_files
from quick import QUICK, QUICK_PAIR, ROOT

import recbole_dsl
from recbole_dsl import quick_start
from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.single_run import run

PAIRS = [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3]
RESULT = ["best_valid_score", "valid_score_bigger", "best_valid_result", "test_result"]
TINY = {**QUICK, "embedding_size": 8}


def _parameters(function):
    found = inspect.signature(function).parameters.values()
    return [(one.name, one.default) for one in found if one.kind is not one.KEYWORD_ONLY]


NONE = inspect.Parameter.empty


@pytest.mark.parametrize(
    ("name", "parameters"),
    [  # of RecBole 1.2.1, whose quick_start cannot be imported without Ray
        ("run", [("model", NONE), ("dataset", NONE), ("config_file_list", None),
                 ("config_dict", None), ("saved", True), ("nproc", 1), ("world_size", -1),
                 ("ip", "localhost"), ("port", "5678"), ("group_offset", 0)]),
        ("run_recbole", [("model", None), ("dataset", None), ("config_file_list", None),
                         ("config_dict", None), ("saved", True), ("queue", None)]),
        ("objective_function", [("config_dict", None), ("config_file_list", None),
                                ("saved", True)]),
        ("load_data_and_model", [("model_file", NONE)]),
        ("full_sort_scores", [("uid_series", NONE), ("model", NONE), ("test_data", NONE),
                              ("device", None)]),
        ("full_sort_topk", [("uid_series", NONE), ("model", NONE), ("test_data", NONE),
                            ("k", NONE), ("device", None)]),
    ],
)  # fmt: skip
def test_signatures_are_recboles(name, parameters):
    assert name in quick_start.__all__
    assert _parameters(getattr(quick_start, name)) == parameters


@pytest.fixture
def toy(make_dataset):
    return make_dataset("toy", PAIRS)


@pytest.mark.slow
@pytest.mark.parametrize("model", ["BPR", "MF_SL"])
def test_a_run_returns_what_recboles_does(model, toy):
    got, settings = queue.Queue(), QUICK_PAIR if model == "MF_SL" else TINY
    found = quick_start.run_recbole(model, toy, config_dict=settings, saved=False, queue=got)
    assert list(found) == RESULT and got.get_nowait() == found
    expected = run(model, toy, config_dict=settings, saved=False)
    assert {key: expected[key] for key in RESULT} == found
    assert found["best_valid_score"] == found["best_valid_result"]["mrr@10"]
    settings = {**settings, "model": model, "dataset": toy}
    tried = quick_start.objective_function(settings, saved=False)
    assert tried == {"model": model, **found}


@pytest.mark.slow
def test_settings_of_the_scripts_command_line_count(toy, monkeypatch, own_folder, caplog):
    words = ["script.py", "--model=BPR", "--dataset=toy", "--epochs=2", "--n_layers=3", "--mine=1"]
    monkeypatch.setattr("sys.argv", [*words, "--learning_rat=0.5", "--config_files=x.yaml"])
    settings = {**TINY, "state": "WARNING", "result_file": str(own_folder / "result.json")}
    quick_start.run_recbole(config_dict=settings)
    result = json.loads((own_folder / "result.json").read_text())
    assert (result["model"], len(result["epochs"])) == ("BPR", 2)
    for text in (
        "n_layers is not a setting of BPR, but of",
        "unknown setting 'mine' (command line)",
        "unknown setting 'learning_rat' (command line); did you mean learning_rate?; ignored",
        "unknown setting 'config_files' (command line)",
    ):
        assert text in caplog.text
    monkeypatch.setattr("sys.argv", ["script.py", "--epochs=many"])
    with pytest.raises(UsageError, match="epochs must be an integer"):
        quick_start.run_recbole("BPR", toy)
    with pytest.raises(UsageError, match="unknown setting 'mine' .config dict"):
        quick_start.run_recbole("BPR", toy, config_dict={"mine": 1})


@pytest.mark.slow
def test_an_argument_wins_over_the_command_line_for_model_and_dataset(toy, monkeypatch):
    monkeypatch.setattr("sys.argv", ["script.py", "--model=MF_SL", "--dataset=ml-100k"])
    found = quick_start.objective_function({**TINY, "model": "BPR", "dataset": toy})
    assert found["model"] == "MF_SL"  # as in RecBole, over the dict
    found = quick_start.run_recbole("BPR", toy, config_dict=TINY)
    assert found["test_result"] is not None


@pytest.mark.slow
@pytest.mark.parametrize("split", [{"RS": [0.8, 0.1, 0.1]}, {"RS": [0.8, 0.0, 0.2]}])
def test_six_values_come_back(split, toy):
    given = {**QUICK_PAIR, "eval_args": {"split": split}}
    result = run("LightGCN_SL", toy, config_dict=given)
    config, model, dataset, train, valid, test = quick_start.load_data_and_model(
        result["checkpoint"]
    )
    assert (config["model"], dataset.dataset_name, model.training) == ("LightGCN_SL", toy, False)
    sizes = [0 if loader is None else len(loader.dataset) for loader in (train, valid, test)]
    assert sizes == [result["splits"][part]["rows"] for part in ("train", "valid", "test")]
    assert dataset.user_num == 9 and dataset.token2id("user_id", "u3") > 0
    state = recbole_dsl.load(result["checkpoint"]).model.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_several_test_sets_give_the_first(toy):
    arguments = {"split": {"PS": [0.6, 0.2, 0.2]}}
    given = {**TINY, "eval_args": arguments, "test_sets": ["iid", "popularity"]}
    result = run("BPR", toy, config_dict=given)
    *_, test = quick_start.load_data_and_model(result["checkpoint"])
    assert len(test.dataset) == result["splits"]["test_iid"]["rows"]


@pytest.mark.slow
def test_no_class_is_imported_because_a_checkpoint_names_it(toy, own_folder, monkeypatch):
    monkeypatch.setattr(sys, "path", sys.path[:])
    write_guide_files(own_folder)
    result = run("MF_hinge:HingeLoss", toy, config_dict=QUICK_PAIR)
    sys.modules.pop("hinge")
    with pytest.raises(
        UsageError, match="of a class of its own, MF_hinge:HingeLoss: no class is i"
    ):
        quick_start.load_data_and_model(result["checkpoint"])
    assert "hinge" not in sys.modules
    _, model, *_ = quick_start.load_data_and_model(result["checkpoint"], model="MF_hinge:HingeLoss")
    assert type(model.loss).__name__ == "HingeLoss"
    sys.modules.pop("hinge")


def test_a_pickle_of_recboles_is_not_opened(own_folder):
    torch.save({"config": {"model": "BPR"}, "state_dict": {}}, "theirs.pth")
    with pytest.raises(UsageError, match="theirs.pth is not a checkpoint of recbole_dsl"):
        quick_start.load_data_and_model("theirs.pth")


# Scripts -----------------------------------------------------------------------------------------


def _run_script(folder, text, *words, code=0):
    (folder / "script.py").write_text(text)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "script.py", *words],
        cwd=folder, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout if code == 0 else done.stderr


# What RecBole's run_example/case_study_example.py does; the second import may stay RecBole's.
CASE_STUDY = """
import sys

from {names} import full_sort_topk, full_sort_scores
from recbole_dsl.quick_start import load_data_and_model

if __name__ == "__main__":
    config, model, dataset, train_data, valid_data, test_data = load_data_and_model(
        model_file=sys.argv[1]
    )
    uid_series = dataset.token2id(dataset.uid_field, ["196", "186"])
    topk_score, topk_iid_list = full_sort_topk(
        uid_series, model, test_data, k=10, device=config["device"]
    )
    print(topk_score)
    print(topk_iid_list)
    external_item_list = dataset.id2token(dataset.iid_field, topk_iid_list.cpu())
    print(external_item_list)
    print()
    score = full_sort_scores(uid_series, model, test_data, device=config["device"])
    print(score)
    print(score[0, dataset.token2id(dataset.iid_field, ["242", "302"])])
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", ["BPR", "LightGCN_DSL"])
def test_recboles_case_study(model, own_folder):
    settings = {**(QUICK_PAIR if "_" in model else TINY), "epochs": 2}
    path = run(model, "ml-100k", config_dict=settings)["checkpoint"]
    ours, theirs = (
        _run_script(own_folder, CASE_STUDY.format(names=names), path)
        for names in ("recbole_dsl.quick_start", "recbole.utils.case_study")
    )
    assert ours == theirs
    assert "-inf" in ours
    if model == "LightGCN_DSL":
        recommended = recbole_dsl.load_recommender(path).recommend(
            ["196", "186"], k=10, exclude=["train", "valid"]
        )
        assert all(f"'{item}'" in ours for item in recommended["item"])


# What run_example/case_study_example.py did in earlier versions: RecBole's own Config, data and
# model, and the weights of a checkpoint.
OLD_CASE_STUDY = """
import sys

import torch
from recbole_dsl.quick_start import full_sort_scores, full_sort_topk
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.utils import get_model, init_seed

if __name__ == "__main__":
    config = Config(model="BPR", dataset="ml-100k", config_dict={"embedding_size": 8})
    init_seed(config["seed"], config["reproducibility"])
    dataset = create_dataset(config)
    train_data, valid_data, test_data = data_preparation(config, dataset)
    model = get_model(config["model"])(config, train_data.dataset)
    checkpoint = torch.load(sys.argv[1])
    model.load_state_dict(checkpoint["state_dict"])
    model.eval()
    uid_series = dataset.token2id(dataset.uid_field, ["200"])
    topk_score, topk_iid_list = full_sort_topk(uid_series, model, test_data, k=10)
    print(dataset.id2token(dataset.iid_field, topk_iid_list)[0].tolist())
    score = full_sort_scores(uid_series, model, test_data)
    print(score[0, dataset.token2id(dataset.iid_field, ["242", "302"])].tolist())
"""


@pytest.mark.slow
def test_recboles_old_case_study(own_folder):
    path = run("BPR", "ml-100k", config_dict=TINY)["checkpoint"]
    found = _run_script(own_folder, OLD_CASE_STUDY, path).splitlines()[-2:]
    _, model, dataset, train, valid, _ = quick_start.load_data_and_model(path)
    (user,) = dataset.token2id("user_id", ["200"])
    scores = model.item_embedding.weight @ model.user_embedding.weight[user]
    for part in (train.dataset, valid.dataset):
        own = part.inter_feat["user_id"] == user
        scores[part.inter_feat["item_id"][own]] = -torch.inf
    scores[0] = -torch.inf
    best = dataset.id2token("item_id", scores.topk(10).indices)
    assert json.loads(found[0].replace("'", '"')) == list(best)
    expected = scores[dataset.token2id("item_id", ["242", "302"])].tolist()
    assert [float(text) for text in found[1].strip("[]").split(",")] == pytest.approx(expected)


# What RecBole's run_example/save_and_load_example.py does, both halves.
SAVE_AND_LOAD = """
import glob

from recbole_dsl.quick_start import run_recbole, load_data_and_model


def save_example():
    config_dict = {
        "checkpoint_dir": "../saved",
        "save_dataset": True,
        "save_dataloaders": True,
    }
    run_recbole(model="BPR", dataset="ml-100k", config_dict=config_dict)


def load_example():
    config, model, dataset, train_data, valid_data, test_data = load_data_and_model(
        model_file=glob.glob("../saved/BPR-*.pth")[0],
    )
    print(config["model"], dataset.dataset_name, len(train_data.dataset), len(test_data.dataset))


if __name__ == "__main__":
    save_example()
    load_example()
"""


@pytest.mark.slow
def test_recboles_save_and_load(own_folder):
    inside = own_folder / "inside"
    inside.mkdir()
    text = _run_script(inside, SAVE_AND_LOAD, "--epochs=1", "--train_batch_size=8192")
    assert text.splitlines()[-1] == "BPR ml-100k 80808 9596"
    assert (own_folder / "saved" / "ml-100k-Dataset.pth").exists()
    assert (own_folder / "saved" / "ml-100k-for-BPR-dataloader.pth").exists()


# What RecBole's run_example/session_based_rec_example.py does: nothing of quick_start, whose import
# is what lets RecBole's own classes run.
SESSIONS = """
import recbole_dsl.quick_start
from recbole.config import Config
from recbole.data import create_dataset
from recbole.data.utils import get_dataloader
from recbole.utils import get_model, get_trainer, init_logger, init_seed

if __name__ == "__main__":
    config_dict = {
        "USER_ID_FIELD": "session_id",
        "load_col": None,
        "train_neg_sample_args": None,
        "benchmark_filename": ["train", "test"],
        "alias_of_item_id": ["item_id_list"],
        "topk": [5],
        "metrics": ["Recall", "MRR"],
        "valid_metric": "MRR@5",
    }
    config = Config(model="GRU4Rec", dataset="shop-session", config_dict=config_dict)
    init_seed(config["seed"], config["reproducibility"])
    init_logger(config)
    dataset = create_dataset(config)
    train_dataset, test_dataset = dataset.build()
    train_data = get_dataloader(config, "train")(config, train_dataset, None, shuffle=True)
    test_data = get_dataloader(config, "test")(config, test_dataset, None, shuffle=False)
    model = get_model(config["model"])(config, train_data.dataset).to(config["device"])
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, model)
    test_score, test_result = trainer.fit(train_data, test_data, saved=True, show_progress=False)
    print(test_score)
"""


@pytest.mark.slow
def test_recboles_sessions(own_folder):
    home = own_folder / "dataset" / "shop-session"
    home.mkdir(parents=True)
    header = "session_id:token\titem_id_list:token_seq\titem_id:token\n"
    for part, first in (("train", range(12)), ("test", range(4))):
        rows = [
            f"{part}{at}_{length}\t{' '.join(f'i{(at + n) % 12}' for n in range(length))}"
            f"\ti{(at + length) % 12}\n"
            for at in first
            for length in range(1, 6)
        ]
        (home / f"shop-session.{part}.inter").write_text(header + "".join(rows))
    words = ["--epochs=30", "--stopping_step=30", "--learning_rate=0.05", "--hidden_size=16"]
    assert float(_run_script(own_folder, SESSIONS, *words).splitlines()[-1]) > 0.9
    if int(np.__version__.partition(".")[0]) >= 2:  # which lacks names that RecBole needs
        without = SESSIONS.replace("import recbole_dsl.quick_start", "")
        assert "`np.float_` was removed" in _run_script(own_folder, without, code=1)


# What RecBole's run_recbole.py and run_recbole_group.py do.
RUN_GROUP = """
import argparse

from recbole_dsl.quick_start import run
from recbole.utils import list_to_latex

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model_list", "-m", type=str, default="BPR", help="name of models")
    parser.add_argument("--dataset", "-d", type=str, default="ml-100k", help="name of datasets")
    parser.add_argument("--config_files", type=str, default=None, help="config files")
    parser.add_argument("--valid_latex", type=str, default="./valid.tex", help="a file")
    parser.add_argument("--nproc", type=int, default=1)
    parser.add_argument("--world_size", type=int, default=-1)
    args, _ = parser.parse_known_args()
    files = args.config_files.strip().split(" ") if args.config_files else None
    rows = []
    for model in args.model_list.strip().split(","):
        result = run(
            model, args.dataset, config_file_list=files, nproc=args.nproc,
            world_size=args.world_size,
        )
        rows.append({"Model": model, **result["best_valid_result"]})
    columns = list(result["best_valid_result"])
    _, text = list_to_latex(rows, bigger_flag=result["valid_score_bigger"], subset_columns=columns)
    with open(args.valid_latex, "w") as file:
        file.write(text)
"""


@pytest.mark.slow
@pytest.mark.parametrize("nproc", [1, 2])
def test_recboles_group_of_models(nproc, own_folder, toy):
    (own_folder / "mine.yaml").write_text("epochs: 1\nembedding_size: 8\n")
    words = ["-m", "BPR,MF_SL", "--dataset=toy", "--config_files=mine.yaml", "--tau=0.3"]
    _run_script(own_folder, RUN_GROUP, *words, f"--nproc={nproc}", "--valid_latex=out.tex")
    text = (own_folder / "out.tex").read_text()
    assert "BPR" in text and "MF" in text and "mrr" in text
    results = [json.loads(path.read_text()) for path in (own_folder / "saved").glob("*.json")]
    assert {result["world_size"] for result in results} == {nproc}
    assert {result["settings"].get("tau", {}).get("value") for result in results} == {None, 0.3}
