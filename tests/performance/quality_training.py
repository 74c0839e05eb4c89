"""One run of time_to_quality.py: trains a method and notes its validation NDCG@20 by seconds.

The clock runs while the model is built (the spectral start and the graphs among it) and trained;
it stands still while data is read and while a model is evaluated. All methods are evaluated by
recbole_dsl, on the same rows.
"""

import contextlib
import time
from pathlib import Path

import numpy as np
import torch
from quality_methods import ALS_FOLDER, FROM_ALS, LONGER, METHODS, SHORT_ALS, library
from recbole.utils import init_seed

from recbole_dsl.common import memory
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.evaluation.evaluator import plain_metrics
from recbole_dsl.evaluation.measures import Measures
from recbole_dsl.experiments import init_from
from recbole_dsl.experiments.determinism import deterministic
from recbole_dsl.experiments.result import versions
from recbole_dsl.serving.export import IDS, VECTORS
from recbole_dsl.training.trainer import trainer_class

PRESET = Path(__file__).parent.parent.parent / "properties/presets/ir_benchmark.yaml"
METRIC = "ndcg@20"
_SPLIT_SEED = 2020  # the same validation rows for all seeds
_READER = "MF_BPR"  # the model in whose name implicit's data is read: it draws no negatives here


class _EnoughError(Exception):
    """Ends a training that has had its seconds, or no gain for long."""


class _Factors(torch.nn.Module):
    """Tables of user and item vectors, as our evaluation takes them."""

    ranks_by_inner_product = True

    def __init__(self, user, item):
        super().__init__()
        self.embed = lambda: (torch.from_numpy(user), torch.from_numpy(item))


def train(job, data):
    """Train and evaluate one job in this process, in the current folder.

    Args:
        job: ``dataset``, ``method``, ``settings``, ``seed``, ``epochs``, ``budget`` (seconds of
            training), ``stage``: a ``final`` run is tested at its best epoch.
        data: folder of the imported data sets.
    Returns:
        dict: ``seconds`` and ``ndcg``, of training so far and on validation, after every epoch;
        ``start_seconds``, those of building the model; ``best_epoch``; ``ended``, by what;
        ``test``, its NDCG@20 or None; ``versions``.
    """
    method = METHODS[job["method"]]
    of_implicit = library(job["method"]) == "implicit"
    memory.keep_large_blocks()
    settings = {} if of_implicit else {**method.fixed, **job["settings"]}
    config = _config(_READER if of_implicit else method.model, job, data, settings)
    split = split_dataset(config, load_dataset(config))
    # RecBole alone does not ask for deterministic sums.
    ours = library(job["method"]) == "ours"
    with deterministic(config) if ours else contextlib.nullcontext():
        found = (_train_implicit if of_implicit else _train_torch)(job, config, split)
    return {**found, "versions": versions()}


def _config(model, job, data, settings):
    values = {
        "data_path": str(Path(data).resolve()),
        "checkpoint_dir": "saved",
        "state": "ERROR",
        "show_progress": False,
        "seed": job["seed"],
        "split_seed": _SPLIT_SEED,
        "epochs": job["epochs"],
        **settings,
    }
    name = job["dataset"]
    if not (Path(data) / name / f"{name}.train.inter").exists():  # not a ready split
        values["benchmark_filename"] = None
        values["eval_args"] = {"split": {"RS": [0.72, 0.08, 0.2]}}
    return Config(model, name, [str(PRESET)], values)


# RecBole's models and ours -----------------------------------------------------------------------


def _train_torch(job, config, split):
    started = time.perf_counter()
    init_seed(config["seed"], config["reproducibility"])
    model = config.model_class(config, split.train._dataset)
    trainer = trainer_class(config)(config, model)  # which makes the spectral start
    if job["method"] == FROM_ALS:
        _write_als(Path(ALS_FOLDER), job["seed"], split)
        init_from.apply(init_from.read(config), model, split)
    start = time.perf_counter() - started
    done = trainer.recorder.epochs_done

    def stop_in_time(epoch, score):
        if start + sum(epoch["train_seconds"] for epoch in done) >= job["budget"]:
            raise _EnoughError

    ended = "no gain"
    try:
        trainer.fit(split.train, split.valid, show_progress=False, callback_fn=stop_in_time)
        if len(done) == job["epochs"]:
            ended = "epochs"
    except _EnoughError:
        ended = "budget"
    trainer.tensorboard.close()
    test = trainer.evaluate(split.tests["test"])[METRIC] if job["stage"] == "final" else None
    return {
        "start_seconds": start,
        "seconds": (start + np.cumsum([epoch["train_seconds"] for epoch in done])).tolist(),
        "ndcg": [epoch["valid"][METRIC] for epoch in done],
        "best_epoch": trainer.recorder.best_epoch,
        "ended": ended,
        "test": test,
    }


def _write_als(folder, seed, split):
    """Vectors of a short ALS, as recbole_dsl export writes those of a model."""
    from implicit.als import AlternatingLeastSquares  # as below

    als = AlternatingLeastSquares(
        factors=64,
        random_state=seed,
        num_threads=torch.get_num_threads(),
        use_gpu=False,
        **SHORT_ALS,
    )
    train = split.train._dataset
    als.fit(train.inter_matrix(form="csr").astype(np.float32), show_progress=False)
    folder.mkdir(exist_ok=True)
    for kind, field, factors in (
        ("user", train.uid_field, als.user_factors),
        ("item", train.iid_field, als.item_factors),
    ):
        np.save(folder / VECTORS[kind], factors[1:])
        (folder / IDS[kind]).write_text("\n".join(train.field2id_token[field][1:]), "utf-8")


# implicit's --------------------------------------------------------------------------------------


class _Watch:
    """Called by implicit after every epoch: evaluates, with the clock stopped.

    Args:
        model: implicit's. evaluate: (user vectors, item vectors) -> NDCG@20.
        budget: seconds of training after which it ends. patience: epochs without a gain.
    """

    def __init__(self, model, evaluate, budget, patience):
        self._model, self._evaluate = model, evaluate
        self._budget, self._patience = budget, patience
        self.seconds, self.ndcg, self.best_epoch, self.best = [], [], 0, None
        self.ended = "epochs"
        self._spent, self._started = 0.0, time.perf_counter()

    def __call__(self, epoch, *_):
        self._spent += time.perf_counter() - self._started
        factors = self._model.user_factors, self._model.item_factors
        self.seconds.append(self._spent)
        self.ndcg.append(self._evaluate(*factors))
        if self.best is None or self.ndcg[-1] >= self.ndcg[self.best_epoch]:
            self.best_epoch, self.best = epoch, tuple(table.copy() for table in factors)
        if self._spent >= self._budget:
            self.ended = "budget"
        elif epoch - self.best_epoch > self._patience:
            self.ended = "no gain"
        if self.ended != "epochs":
            raise _EnoughError
        self._started = time.perf_counter()


def _implicit_model(job):
    # Not a dependency of this package: installed for this comparison alone.
    from implicit.als import AlternatingLeastSquares
    from implicit.bpr import BayesianPersonalizedRanking

    kinds = {"ALS": AlternatingLeastSquares, "BPR": BayesianPersonalizedRanking}
    return kinds[METHODS[job["method"]].model](
        factors=64,
        iterations=job["epochs"] * LONGER,
        random_state=job["seed"],
        num_threads=torch.get_num_threads(),
        use_gpu=False,
        **job["settings"],
    )


def _train_implicit(job, config, split):
    model = _implicit_model(job)
    rows = split.train._dataset.inter_matrix(form="csr").astype(np.float32)
    measures = Measures.of(config)
    measures.collector.data_collect(split.train)

    def ndcg(user, item, loader=split.valid):
        struct = measures.collector.collect(_Factors(user, item), loader)
        return plain_metrics(measures.evaluator.evaluate(struct))[METRIC]

    watch = _Watch(model, ndcg, job["budget"], config["stopping_step"] * LONGER)
    with contextlib.suppress(_EnoughError):
        model.fit(rows, show_progress=False, callback=watch)
    return {
        "start_seconds": 0.0,
        "seconds": watch.seconds,
        "ndcg": watch.ndcg,
        "best_epoch": watch.best_epoch,
        "ended": watch.ended,
        "test": ndcg(*watch.best, split.tests["test"]) if job["stage"] == "final" else None,
    }
