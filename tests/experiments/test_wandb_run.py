"""The W&B run of a run, on a stand-in for the package."""

import importlib.util
import sys
import types

import pytest
from quick import QUICK_PAIR

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config import checks
from recbole_dsl.experiments.single_run import run


class _Wandb(types.ModuleType):
    """What RecBole and we use of wandb 0.31, noting what it is told."""

    class errors:
        class Error(Exception):
            pass

    def __init__(self):
        super().__init__("wandb")
        self.run, self.begun, self.logged, self.ended = None, [], [], []
        self.refuses = None

    def init(self, project, config):
        if self.refuses:
            raise self.errors.Error(self.refuses)
        assert self.run is None
        self.run = types.SimpleNamespace(summary={})
        self.begun.append((project, config))

    def define_metric(self, name, step_metric):
        pass

    def log(self, metrics, commit):
        self.logged.append(metrics)

    def finish(self, exit_code=0):
        self.run = None
        self.ended.append(exit_code)


@pytest.fixture
def wandb(monkeypatch):
    module = _Wandb()
    monkeypatch.setitem(sys.modules, "wandb", module)
    find = importlib.util.find_spec  # torch looks for modules of its own when first used

    def find_spec(name, package=None):
        return object() if name == "wandb" else find(name, package)

    monkeypatch.setattr(checks.importlib.util, "find_spec", find_spec)
    return module


@pytest.fixture
def settings(make_dataset):
    pairs = [(f"u{u}", f"i{i}") for u in range(20) for i in range(25) if (3 * u + i * i) % 5 < 2]
    make_dataset("toy", pairs)
    return {**QUICK_PAIR, "train_batch_size": 64, "epochs": 2, "log_wandb": True}


@pytest.mark.slow
def test_each_run_is_one_of_its_own_with_settings_and_curves(wandb, settings):
    results = [
        run("MF_DSL", "toy", config_dict={**settings, "beta": 1.0, "seed": seed}, saved=False)
        for seed in (1, 2)
    ]
    assert [config["seed"] for _, config in wandb.begun] == [1, 2] and wandb.ended == [0, 0]
    assert wandb.begun[0][0] == "recbole" and wandb.begun[0][1]["tau"] == 0.2
    assert all(type(x) in (str, int, float, bool, list, dict, type(None))
               for x in wandb.begun[0][1].values())  # fmt: skip
    losses = [x["train/mean_loss"] for x in wandb.logged if "train/mean_loss" in x]
    assert losses == [epoch["mean_loss"] for result in results for epoch in result["epochs"]]
    for name in ("tau_mean", "tau_min", "tau_max", "kappa_entropy", "kappa_max", "learning_rate"):
        steps = [x["train_step"] for x in wandb.logged if f"train/{name}" in x]
        assert steps == [0, 1, 0, 1], name
    for name, value in results[0]["epochs"][1]["valid"].items():
        shown = [x[f"valid/{name}"] for x in wandb.logged if f"valid/{name}" in x]
        assert len(shown) == 4 and shown[1] == pytest.approx(value, abs=5e-5)  # RecBole rounds


@pytest.mark.slow
def test_one_that_the_user_has_begun_is_used_and_left_open(wandb, settings):
    wandb.run = own = types.SimpleNamespace(summary={})
    run("MF_SL", "toy", config_dict=settings, saved=False)
    assert wandb.run is own and wandb.begun == wandb.ended == [] and wandb.logged


@pytest.mark.slow
def test_a_run_that_fails_ends_it_as_failed(wandb, settings):
    with pytest.raises(RuntimeError, match="lower the learning rate"):
        run("MF_BPR", "toy", config_dict={**settings, "learning_rate": 1e30}, saved=False)
    assert wandb.ended == [1]


def test_a_refusal_is_one_line_before_data_is_read(wandb, settings, own_folder):
    wandb.refuses = "No API key configured. Use `wandb login` to log in."
    (own_folder / "dataset/toy/toy.inter").write_text("no data")
    with pytest.raises(UsageError, match="^log_wandb: Weights & Biases says: No API key") as caught:
        run("MF_SL", "toy", config_dict=settings)
    assert "\n" not in str(caught.value)
    assert [path.name for path in own_folder.iterdir()] == ["dataset"]


@pytest.mark.slow
def test_nothing_is_begun_unasked(wandb, settings):
    run("MF_SL", "toy", config_dict={**settings, "log_wandb": False}, saved=False)
    assert not wandb.begun and not wandb.logged
