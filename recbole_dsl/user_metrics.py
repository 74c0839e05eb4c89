"""What each user of a test set got: values of RecBole's top-k metrics, before the mean is taken."""

import functools
from pathlib import Path

import numpy as np
from recbole.evaluator.base_metric import TopkMetric

from recbole_dsl.checkpoint import write_atomically
from recbole_dsl.settings import UsageError


class UserMetrics:
    """Listens to an evaluator whose top-k metrics hand over their (N, K) values to be averaged.

    Args:
        evaluator: RecBole's Evaluator; what it returns stays as it is.

    Attributes:
        tests: test set -> {"users": (N,) str, metric@k: (N,) float64}, what :meth:`add` was given.
    """

    def __init__(self, evaluator):
        self.tests, self._last = {}, {}
        for metric in evaluator.metric_class.values():
            if isinstance(metric, TopkMetric):
                metric.topk_result = functools.partial(self._keep, metric.topk_result, metric.topk)

    def _keep(self, average, cutoffs, name, values):
        self._last.update({f"{name}@{k}": values[:, k - 1] for k in cutoffs})
        return average(name, values)

    def add(self, test_set, loader):
        """Keep the values of the evaluation that has just ended.

        Args:
            test_set: its name. loader: the one evaluated; None, an empty part, is left out.
        """
        if loader is None:
            return
        dataset, held_out = loader._dataset, loader.held_out
        tokens = dataset.id2token(dataset.uid_field, held_out.users.numpy())
        columns = {name: np.asarray(v, np.float64) for name, v in self._last.items()}
        self.tests[test_set] = {"users": np.asarray(tokens, str), **columns}
        self._last = {}

    def write(self, path):
        """Write all test sets to an .npz file, all of it or nothing; see :func:`read`."""
        arrays = {
            f"{test_set}/{name}": column
            for test_set, columns in self.tests.items()
            for name, column in columns.items()
        }

        def save(temporary):
            with open(temporary, "wb") as file:  # savez would add .npz to a name
                np.savez_compressed(file, **arrays)

        write_atomically(path, save)


def path_beside(result_file):
    """Where the values of a run go: ``<stem>.users.npz`` beside its result file."""
    return Path(result_file).with_suffix(".users.npz")


def read(path):
    """The values of a run: test set -> {"users": (N,) str, metric@k: (N,) float64}."""
    tests = {}
    with np.load(path, allow_pickle=False) as arrays:
        for key in arrays.files:
            test_set, name = key.rsplit("/", 1)
            tests.setdefault(test_set, {})[name] = arrays[key]
    return tests


def check(config):
    """Raise UsageError where ``user_metrics`` is on and the evaluation has no rows of single users.

    Only RecBole's full ranking of users has; sequential models are asked about rows, and sampled
    candidates come in RecBole's own order.
    """
    if config["user_metrics"] and (reason := why_not(config)):
        raise UsageError(f"user_metrics: {reason}; leave it out for this run")


def why_not(config):
    """Why values by user cannot be had with these settings, or None."""
    mode = config["eval_args"]["mode"]["test"]
    if mode != "full":
        return f"needs full ranking, mode: full in eval_args, got {mode!r}"
    if config["MODEL_TYPE"].name == "SEQUENTIAL":
        return f"{config['model']} is a sequential model, tested by row and not by user"
    return None
