"""Checkpoints that somebody made up: no path, no class and no code is taken from one."""

import os
import pickle
import sys

import pytest
import torch
from own_parts import write_distribution
from quick import QUICK, QUICK_PAIR

from recbole_dsl.cli import diagnose
from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.diagnose_checkpoints import diagnose_checkpoints
from recbole_dsl.experiments.load_checkpoint import load
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training import checkpoint, sealed_file

PAIRS = [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3]


class _Evil:
    def __reduce__(self):
        return os.mkdir, ("executed",)


@pytest.fixture
def crafted(make_dataset, own_folder):
    """Writes the checkpoint of a run with entries and settings of its own, its digest right."""
    make_dataset("toy", PAIRS)
    path = run("MF_SL", "toy", config_dict=QUICK_PAIR)["checkpoint"]
    (own_folder / "evil.pkl").write_bytes(pickle.dumps(_Evil()))
    (own_folder / "evil.py").write_text("import os\n\nos.mkdir('executed')\n")
    named = {"Evil": "evil:X"}
    groups = {"recbole_dsl.backbones": named, "recbole_dsl.losses": named}
    write_distribution(own_folder, "evil-plugin", groups)

    def write(config=None, **entries):
        state = checkpoint.read(path)
        state["config"].update(config or {})
        sealed_file.write(own_folder / "crafted.pth", {**state, **entries})
        return str(own_folder / "crafted.pth")

    return write


def _open_by_load(path):
    load(path)


def _open_by_diagnostics(path):
    diagnose_checkpoints([path])


@pytest.mark.parametrize(
    "open_it", [_open_by_load, pytest.param(_open_by_diagnostics, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ({"config": {"dataset_save_path": "evil.pkl"}}, "dataset_save_path 'evil.pkl': no path"),
        ({"config": {"dataloaders_save_path": "evil.pkl"}}, "dataloaders_save_path 'evil.pkl'"),
        ({"config": {"pre_model_path": "evil.pkl"}}, "pre_model_path 'evil.pkl'"),
        ({"config": {"data_path": "/etc"}}, "data_path '/etc': no path"),
        ({"config": {"warm_up": "evil.pkl"}}, "warm_up 'evil.pkl'"),
        ({"config": {"warm_up": torch.ones(2)}}, "warm_up .*: no path and no code"),
        ({"config": {"teacher": "__import__('evil')"}}, "teacher .*: no path and no code"),
        ({"config": {"benchmark_filename": ["../x", "y"]}}, "benchmark_filename '../x' is a path"),
        ({"dataset": "../toy"}, "dataset '../toy' is a path"),
        ({"model": "evil:X"}, "of a class of its own, evil:X: no class is imported"),
        ({"model": "MF_evil:X"}, "of a class of its own, MF_evil:X: no class is imported"),
        ({"model": "evil:X_SL"}, "of a class of its own, evil:X_SL: no class is imported"),
        ({"model": "Evil_SL"}, "Evil_SL, which is in evil-plugin 0.1 .evil:X.: no class is imp"),
        ({"model": "MF_Evil"}, "MF_Evil, which is in evil-plugin 0.1 .evil:X.: no class is imp"),
        ({"config": {"loss": "evil:X"}}, "loss 'evil:X' contradicts the model name"),
        ({"config": {"backbone": "evil:X"}}, "backbone 'evil:X' contradicts the model name"),
        ({"model": "NOPE"}, "unknown model 'NOPE'"),
        ({"config": {"embedding_size": 10**13}}, "there is not enough memory"),
    ],
)
def test_nothing_is_opened_or_imported_because_a_checkpoint_names_it(
    crafted, own_folder, open_it, entries, message, monkeypatch
):
    monkeypatch.syspath_prepend(own_folder)
    path = crafted(**entries)
    with pytest.raises(UsageError, match=message) as error:
        open_it(path)
    assert "\n" not in str(error.value)
    assert not (own_folder / "executed").exists() and "evil" not in sys.modules


def test_where_a_run_wrote_and_how_it_ran_is_of_no_meaning_for_loading(crafted, own_folder):
    odd = {"save_dataloaders": True, "save_dataset": True, "result_file": "/nowhere/x.json",
           "checkpoint_dir": "/nowhere", "cache_dir": "/nowhere", "dataset_cache": True,
           "log_wandb": True, "nproc": 4, "checkpoint_every": 3}  # fmt: skip
    loaded = load(crafted(config=odd))
    for key, value in odd.items():
        assert loaded.config[key] != value, key
    assert not (own_folder / "saved" / "toy-for-MF_SL-dataloader.pth").exists()


def test_the_caller_may_name_what_the_checkpoint_may_not(make_dataset, own_folder):
    make_dataset("toy", PAIRS)
    (own_folder / "dataset").rename(own_folder / "elsewhere")
    (own_folder / "my_losses.py").write_text(
        "from recbole_dsl.losses import SoftmaxLoss\n\n\nclass Mine(SoftmaxLoss):\n    pass\n"
    )
    (own_folder / "my_losses.yaml").write_text(
        "tau: 0.3\npositive_in_denominator: False\nscore: cosine\n"
    )
    model, settings = "MF_my_losses:Mine", {**QUICK_PAIR, "data_path": "elsewhere", "tau": 0.2}
    path = run(model, "toy", config_dict=settings)["checkpoint"]
    with pytest.raises(UsageError, match="say settings={'data_path': 'elsewhere'} if you trust it"):
        load(path, model=model)
    with pytest.raises(UsageError, match="say model='MF_my_losses:Mine' if it is yours"):
        load(path, settings={"data_path": "elsewhere"})
    other = r"is of the dataset 'toy'; settings cannot make it 'ml-100k'"
    with pytest.raises(UsageError, match=other):
        load(path, model=model, settings={"data_path": "elsewhere", "dataset": "ml-100k"})
    loaded = load(path, model=model, settings={"data_path": "elsewhere", "dataset": "toy"})
    assert (loaded.config["tau"], loaded.dataset.dataset_path) == (0.2, "elsewhere/toy")
    words = [path, f"--model={model}", "--data_path=elsewhere", "--rows=50"]
    assert diagnose.main(words) == 0


def test_renamed_tokens_are_changed_data(make_dataset, own_folder):
    make_dataset("toy", PAIRS)
    path = run("BPR", "toy", config_dict={**QUICK, "embedding_size": 8})["checkpoint"]
    load(path)
    file = own_folder / "dataset" / "toy" / "toy.inter"
    file.write_text(file.read_text().replace("i3\n", "i77\n"))
    with pytest.raises(UsageError, match="the training rows of 'toy' are not those it was trained"):
        load(path)
