"""Runs of stock RecBole, as its own ``run_recbole`` makes them, with nothing of ours but what its
dependencies need.

``python tests/support/stock_recbole.py CASES RESULTS`` reads a JSON list of
``[model, dataset, settings]`` and writes one of ``{"valid": metrics, "test": metrics}``.
"""

import functools
import importlib.util
import json
import sys
from logging import getLogger
from pathlib import Path

import torch

from recbole_dsl.compat import dependency_fixes, recbole_fixes

# Counting operations first, as run_recbole does, draws random numbers for these, so that what comes
# after it differs; we count none.
WITHOUT_FLOPS = ("BERT4Rec", "MacridVAE", "Random", "SGL")


def _run(model, dataset, settings):
    """``recbole.quick_start.run_recbole``, which needs ray to be imported."""
    from recbole.config import Config
    from recbole.data import create_dataset, data_preparation
    from recbole.data.transform import construct_transform
    from recbole.utils import get_flops, get_model, get_trainer, init_logger, init_seed

    config = Config(model=model, dataset=dataset, config_dict=settings)
    init_seed(config["seed"], config["reproducibility"])
    init_logger(config)
    whole = create_dataset(config)
    train, valid, test = data_preparation(config, whole)
    init_seed(config["seed"] + config["local_rank"], config["reproducibility"])
    net = get_model(config["model"])(config, train._dataset).to(config["device"])
    # From Python 3.12 on RecBole is installed without its dependencies, and without thop.
    if model not in WITHOUT_FLOPS and importlib.util.find_spec("thop"):
        get_flops(net, whole, config["device"], getLogger(), construct_transform(config))
    trainer = get_trainer(config["MODEL_TYPE"], config["model"])(config, net)
    _, best = trainer.fit(train, valid, saved=True, show_progress=False)
    tested = trainer.evaluate(test, load_best_model=True, show_progress=False)
    return {"valid": _plain(best), "test": _plain(tested)}


def _plain(metrics):
    return {name: float(value) for name, value in metrics.items()}


def _fit_for_today():
    """What RecBole needs to run at all with today's NumPy, SciPy, pandas and torch."""
    for name in ("numpy_aliases", "scipy_dok_update", "pandas_fillna", "pandas_agg"):
        getattr(dependency_fixes, name)()
    recbole_fixes.coverage_metrics()
    torch.load = functools.partial(torch.load, weights_only=False)


def main(cases, results):
    """Run all cases, one after the other."""
    sys.argv = sys.argv[:1]
    _fit_for_today()
    found = []
    for model, dataset, settings in json.loads(Path(cases).read_text()):
        try:
            found.append(_run(model, dataset, settings))
        except Exception as error:  # told by the test of the case
            found.append({"error": f"{type(error).__name__}: {error}"})
    Path(results).write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
