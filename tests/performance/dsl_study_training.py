"""One run of dsl_study.py, in a process of its own: a trial or a final run.

A trial is validated after each epoch on both validation sets and stops when neither has gained for
PATIENCE epochs; each selection has the best epoch of its own. A final run trains on all training
rows for the chosen number of epochs and is tested once, without validation.
"""

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
from dsl_study_data import DATA, IID, POPULARITY, SELECTION_PARTS, selection_name
from dsl_study_plan import METRIC, PATIENCE, Cell
from recbole.utils import init_seed

import recbole_dsl
from recbole_dsl.common import memory
from recbole_dsl.common.errors import NonFiniteLossError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation import per_user
from recbole_dsl.evaluation.measures import Measures
from recbole_dsl.experiments.determinism import deterministic
from recbole_dsl.experiments.result import versions
from recbole_dsl.models.build import build_model
from recbole_dsl.training.pair_trainer import PairTrainer


def _values(job, data):
    """Settings that a trial and a final run share."""
    return {
        "data_path": str(Path(data).resolve()), "state": "ERROR", "show_progress": False,
        "seed": job["seed"], "epochs": job["epochs"], "stopping_step": PATIENCE, "eval_step": 1,
        "metrics": ["Recall", "NDCG"], "topk": [20], "valid_metric": "NDCG@20",
        "embedding_size": 64, "train_batch_size": 2048, "score": "cosine",
        "train_neg_sample_args": DATA[job["dataset"]].negatives, **job["settings"],
    }  # fmt: skip


class TwoValidations(PairTrainer):
    """Validates on a second part too, and goes on while either gains.

    Attributes:
        second: loader of the second validation set.
        curves: "iid" and "popularity" -> metrics after each epoch.
    """

    second = None

    def __init__(self, config, model):
        super().__init__(config, model)
        self.curves = {IID: [], POPULARITY: []}

    def _valid_epoch(self, valid_data, show_progress=False):
        _, shown = super()._valid_epoch(valid_data, show_progress)
        own = Measures(self.eval_collector, self.evaluator)
        shifted, _ = self.measure(self.second, own, load_best_model=False)
        self.curves[IID].append(self.recorder.epochs_done[-1]["valid"])
        self.curves[POPULARITY].append(shifted)
        gained = any(_gained([epoch[METRIC] for epoch in curve]) for curve in self.curves.values())
        # What early stopping compares: it rises as long as one of the two does.
        return (float(len(self.curves[IID])) if gained else -1.0), shown


def _gained(values):
    return values[-1] > max(values[:-1], default=-1.0)


def trial_settings(job, data):
    """All settings of a trial, or of one option's run, that are not its model and data set."""
    return {
        **_values(job, data), "benchmark_filename": SELECTION_PARTS, "group_metrics": None,
        "mask_at_test": "train",  # both validation sets alike: each ranks the other's items
        "stopping_step": job["epochs"] if job["stage"] == "option" else PATIENCE,
    }  # fmt: skip


def trial(job, data):
    """Train a trial on the rows that its data set has for it; no test row is in its files.

    Returns:
        dict: ``valid``, for each validation set its best epoch and that epoch's metrics;
        ``curves``, NDCG@20 after each epoch; ``epoch_seconds``, the median of its training.
    """
    memory.keep_large_blocks()
    values = trial_settings(job, data)
    config = Config(Cell(job["dataset"], job["backbone"], job["loss"]).model,
                    selection_name(job["dataset"]), config_dict=values)  # fmt: skip
    with deterministic(config):
        split = split_dataset(config, load_dataset(config))
        init_seed(config["seed"], config["reproducibility"])
        trainer = TwoValidations(config, build_model(config, split.train._dataset))
        trainer.second = split.tests["test"]
        trainer.fit(split.train, split.valid, saved=False, show_progress=False)
        trainer.tensorboard.close()
    found = {"valid": {}, "curves": {}}
    for kind, curve in trainer.curves.items():
        scores = [epoch[METRIC] for epoch in curve]
        best = int(np.argmax(scores))
        found["valid"][kind] = {"best_epoch": best, **curve[best]}
        found["curves"][kind] = [round(score, 5) for score in scores]
    seconds = [epoch["train_seconds"] for epoch in trainer.recorder.epochs_done]
    return {**found, "epoch_seconds": float(np.median(seconds)), "versions": versions()}


def final_settings(job, data):
    """All settings of a final run that are not its model and data set."""
    wanted = DATA[job["dataset"]]
    values = {**_values(job, data), "benchmark_filename": wanted.parts, "user_metrics": True}
    return values if wanted.two else {**values, "benchmark_valid": 0}


def final(job, data, users_file):
    """Train a final run and test it once, at its last epoch.

    Args:
        users_file: gets NDCG@20 of each user: test set -> (N,) float32, in the order of the ids.
    Returns:
        dict: ``tests``, its metrics; ``groups``, NDCG@20 by item popularity, which adds up;
        ``users``, a digest of the users of each test set; ``epoch_seconds``.
    """
    wanted = DATA[job["dataset"]]
    model = Cell(job["dataset"], job["backbone"], job["loss"]).model
    values = {**final_settings(job, data), "result_file": "result.json"}
    result = recbole_dsl.run(model, job["dataset"], config_dict=values, saved=False)
    by_user = per_user.read("result.users.npz")
    names = {"test": wanted.tests[0]}  # of the only one of a run
    of_users = {names.get(test, test): found for test, found in by_user.items()}
    arrays = {test: found[METRIC].astype(np.float32) for test, found in of_users.items()}
    np.savez_compressed(users_file, **arrays)
    metrics = result["groups"]["item_popularity"]["metrics"]
    seconds = [epoch["train_seconds"] for epoch in result["epochs"]]
    tests = result.get("tests") or {"test": result["test"]}
    return {
        "tests": {names.get(test, test): found for test, found in tests.items()},
        "groups": {names.get(test, test): found[METRIC] for test, found in metrics.items()},
        "users": {test: _digest(found["users"]) for test, found in of_users.items()},
        "epoch_seconds": float(np.median(seconds)),
        "versions": result["versions"],
    }


def _digest(users):
    return hashlib.sha256("\n".join(users).encode()).hexdigest()[:16]


def main():
    """Arguments: a JSON file of the job, the folder of the data, where the answer goes."""
    job_file, data, answer = sys.argv[1:]
    job = json.loads(Path(job_file).read_text())
    try:
        if job["stage"] == "final":
            found = final(job, data, Path(answer).with_suffix(".npz"))
        else:
            found = trial(job, data)
    except NonFiniteLossError as error:  # a result too: these settings do not train
        found = {"failed": str(error), "versions": versions()}
    Path(answer).write_text(json.dumps(found))


if __name__ == "__main__":
    main()
