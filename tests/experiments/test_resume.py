"""Runs that were stopped and go on: equal to the last bit to runs that were not."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from child import contents
from planted_sequences import write_sequences
from quick import SCRIPT

from recbole_dsl.cli import run as command
from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.load_checkpoint import load
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training import checkpoint, last_checkpoint, run_lock, sealed_file

PAIR = {"embedding_size": 8, "train_neg_sample_args": {"sample_num": 6}}
QUICK = {
    "epochs": 6, "train_batch_size": 64, "state": "ERROR", "show_progress": False,
    "checkpoint_every": 1,
}  # fmt: skip
MODELS = {
    "LightGCN_DSL": PAIR,
    "MF_DSL": {**PAIR, "centre": "running", "base_tau": "effective_share"},
    "MF_AdvInfoNCE": {**PAIR, "adversarial_start": 1, "adversarial_every": 2},
    "XSimGCL_SLatK": {**PAIR, "quantile_every": 3},
    "MF_AdapTau": {**PAIR, "warm_up_epochs": 1},
    "MF_Talos": PAIR,
    "MF_BC": {**PAIR, "bias_epochs": 1},
    "SGL_SL": PAIR,
    "DGCF_DSL": PAIR,
    "GRU4Rec_SLatK": {
        "embedding_size": 8, "hidden_size": 8, "train_neg_sample_args": {"sample_num": 6},
        "quantile_every": 3, "load_col": {"inter": ["user_id", "item_id", "timestamp"]},
    },
    "BPR": {"embedding_size": 8},
    "LightGCN": {"embedding_size": 8},
    "MultiVAE": {"train_batch_size": 640, "mlp_hidden_size": [16], "latent_dimension": 4},
    "LINE": {"embedding_size": 8},
    "RecVAE": {"train_batch_size": 640, "hidden_dimension": 16, "latent_dimension": 4},
}  # fmt: skip


@pytest.fixture
def toy(make_dataset, own_folder):
    write_sequences(own_folder, "ring")
    random.seed(0)
    return make_dataset(
        "toy", [(f"u{u}", f"i{i}") for u in range(30) for i in range(25) if random.random() < 0.4]
    )


class _Stop(Exception):
    pass


def _run(model, *, stop_at=None, resume=None, **settings):
    """A run; with stop_at one that ends in the middle, and leaves the generators as they are."""

    def watch(epoch, score):
        if epoch == stop_at:
            raise _Stop

    given = {**QUICK, **MODELS[model], **settings}
    try:
        data = "ring" if model.startswith("GRU4Rec") else "toy"
        return run(model, data, config_dict=given, after_validation=watch, resume=resume)
    except _Stop:
        torch.manual_seed(99), np.random.seed(99), random.seed(99)
        return next(Path("saved").glob("*.last.pth"), None)


def assert_same(result, other):
    """Weights, every epoch's record but its times, and all that was measured."""
    weights, others = (checkpoint.read(r["checkpoint"]) for r in (result, other))
    assert weights["epoch"] == others["epoch"] == result["best_epoch"]
    for part in ("state_dict", "optimizer"):
        _assert_equal(weights[part], others[part])
    for key in ("test", "valid", "groups", "best_epoch", "splits"):
        assert result[key] == other[key], key
    without_times = [
        [{k: v for k, v in epoch.items() if "seconds" not in k} for epoch in r["epochs"]]
        for r in (result, other)
    ]
    assert without_times[0] == without_times[1]


def _assert_equal(one, other):
    if isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            _assert_equal(one[key], other[key])
    elif isinstance(one, list):
        for a, b in zip(one, other, strict=True):
            _assert_equal(a, b)
    else:
        assert one == other


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # RecBole's LINE
@pytest.mark.parametrize("model", MODELS)
def test_a_stopped_run_that_goes_on_is_the_undisturbed_one(model, toy, own_folder):
    whole = _run(model, checkpoint_every=0)
    assert not list(own_folder.glob("saved/*.last.pth")) and "resumed_after" not in whole
    last = _run(model, stop_at=3)
    part = _run(model, resume=str(last))
    assert_same(part, whole)
    assert part["resumed_after"] == [2]
    assert part["checkpoint"] == str(last_checkpoint.best_beside(last)) and not last.exists()


@pytest.mark.slow
def test_a_run_may_be_stopped_at_any_epoch_and_more_than_once(toy, own_folder):
    whole = _run("MF_Talos", eval_step=2, checkpoint_every=0)
    assert _run("MF_Talos", eval_step=2, stop_at=1)
    for stop_at in (3, 5):
        assert _run("MF_Talos", eval_step=2, resume=True, stop_at=stop_at)
    part = _run("MF_Talos", eval_step=2, resume=True)
    assert_same(part, whole)
    assert part["resumed_after"] == [0, 2, 4]


@pytest.mark.slow
def test_the_best_checkpoint_is_put_back_as_it_was_when_the_state_was_kept(toy, own_folder):
    """A later epoch may have replaced it; on a GPU that epoch may come out another time."""
    whole = _run("MF_Talos")
    last = _run("MF_Talos", stop_at=4)
    with pytest.raises(UsageError, match="is the state of a run that was stopped, for --resume"):
        load(last)
    best = last_checkpoint.best_beside(last)
    best.write_bytes(b"another one")
    assert_same(_run("MF_Talos", resume=str(last)), whole)


@pytest.mark.slow
def test_early_stopping_goes_on_too(toy, own_folder):
    settings = {"stopping_step": 1, "epochs": 40, "learning_rate": 0.05}
    whole = _run("BPR", **settings)
    n = len(whole["epochs"])
    assert 3 < n < 40
    assert _run("BPR", **settings, stop_at=n - 2)
    assert_same(_run("BPR", **settings, resume=True), whole)


@pytest.mark.slow
def test_other_settings_and_other_data_are_refused_and_named(toy, own_folder):
    last = _run("MF_Talos", stop_at=2)
    for resume in (True, str(last)):
        with pytest.raises(UsageError, match="other settings: tau 0.1.* there, 0.3 here") as error:
            _run("MF_Talos", resume=resume, tau=0.3)
        assert str(last) in str(error.value).replace("'", "")
    with pytest.raises(UsageError, match="processes 1 there, 2 here"):
        _run("MF_Talos", resume=str(last), nproc=2)
    with pytest.raises(UsageError, match="model 'MF_Talos' there, 'BPR' here"):
        _run("BPR", resume=str(last))
    file = own_folder / "dataset" / "toy" / "toy.inter"
    before = file.read_text()
    file.write_text(before.replace("i3\n", "i99\n"))
    with pytest.raises(UsageError, match="cannot go on with other data: the tokens have changed"):
        _run("MF_Talos", resume=True)
    lines = before.splitlines()
    file.write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    before = contents(own_folder)
    with pytest.raises(UsageError, match="other data: the rows of train, the rows of valid"):
        _run("MF_Talos", resume=str(last), checkpoint_dir="a/b")
    assert contents(own_folder) == before


@pytest.mark.slow
def test_the_command_goes_on_with_a_run_of_python(toy, own_folder):
    whole = _run("MF_Talos", checkpoint_every=0)
    last = _run("MF_Talos", stop_at=3)
    words = [f"--{key}={value}" for key, value in {**QUICK, **MODELS["MF_Talos"]}.items()]
    words += ["-m", "MF_Talos", "-d", "toy", "--result_file=r.json", f"--resume={last}"]
    assert command.COMMAND.run(words) == 0
    assert_same(json.loads(Path("r.json").read_text()), whole)


@pytest.mark.slow
def test_where_there_is_nothing_to_resume_the_run_starts_anew_and_says_so(toy, own_folder, caplog):
    whole = _run("MF_Talos")
    caplog.clear()
    again = _run("MF_Talos", resume=True, state="WARNING")
    assert "has no unfinished run of MF_Talos on toy: this one starts at epoch 0" in caplog.text
    assert again["test"] == whole["test"]
    with pytest.raises(UsageError, match="no checkpoint none.last.pth"):
        _run("MF_Talos", resume="none.pth")
    with pytest.raises(UsageError, match="there is no .*.last.pth beside .*: the run has ended"):
        _run("MF_Talos", resume=whole["checkpoint"])
    with pytest.raises(UsageError, match="saved is a folder: name a checkpoint in it"):
        _run("MF_Talos", resume="saved")
    with pytest.raises(UsageError, match="resume needs checkpoints"):
        run("MF_SL", "toy", resume=True, saved=False)


@pytest.mark.slow
def test_a_run_that_has_not_stopped_is_not_resumed(toy, own_folder, caplog):
    last = _run("MF_Talos", stop_at=3)
    whole, lock = last.read_bytes(), run_lock.RunLock(last_checkpoint.best_beside(last))
    assert lock.take() and not run_lock.RunLock(last_checkpoint.best_beside(last)).take()
    with pytest.raises(UsageError, match="has not stopped: a process trains it"):
        _run("MF_Talos", resume=str(last))
    _run("MF_Talos", resume=True, state="WARNING")
    assert "has no unfinished run" in caplog.text and last.read_bytes() == whole
    lock.release()
    assert _run("MF_Talos", resume=True)["resumed_after"] == [2]
    assert not list(own_folder.glob("saved/.*"))


def test_a_model_with_a_loop_of_its_own_cannot_be_resumed(toy):
    with pytest.raises(UsageError, match="RaCT has a training loop of its own"):
        run("RaCT", "toy", config_dict={"state": "ERROR"}, resume=True)


def _altered(last, change):
    content = last_checkpoint.read(last)
    change(content)
    sealed_file.write(last, content)


@pytest.mark.slow
def test_a_state_that_somebody_made_up_is_one_line(toy, own_folder):
    last = _run("MF_AdvInfoNCE", stop_at=3)
    whole = last.read_bytes()
    changes = [
        lambda content: content.pop("best"),
        lambda content: content["state"].pop("records"),
        lambda content: content["state"]["weights"].popitem(),
        lambda content: content["state"]["buffers"].update(more=torch.ones(1)),
        lambda content: content["state"]["attributes"].update({"": {"train": 1.0}}),
        lambda content: content["state"]["losses"].update(other={}),
        lambda content: content["state"]["optimizers"]["optimizer"]["param_groups"].pop(),
        lambda content: content["generators"].pop(),
        lambda content: content["generators"][0].update(python=[3, [1], None]),
        lambda content: content["generators"][0]["loaders"].pop(),
        lambda content: content.update(epoch=-5),
        lambda content: content.update(best=torch.ones(3).byte()),
        lambda content: content.update(best=torch.ones(3)),
    ]
    for change in changes:
        last.write_bytes(whole)
        _altered(last, change)
        with pytest.raises(UsageError, match=r"\.last\.pth") as error:
            _run("MF_AdvInfoNCE", resume=str(last))
        assert "\n" not in str(error.value)
    last.write_bytes(whole[:-9])
    with pytest.raises(UsageError, match=r"\.last\.pth is not a checkpoint of recbole_dsl"):
        _run("MF_AdvInfoNCE", resume=True)


@pytest.mark.slow
def test_runs_of_one_second_share_no_checkpoint_and_no_log(toy, own_folder):
    results = [_run("BPR", epochs=1) for _ in range(3)]
    assert len({result["checkpoint"] for result in results}) == 3
    assert len(list(own_folder.glob("log/BPR/*.log"))) == 3


# Killed processes --------------------------------------------------------------------------------


def _command(model, *words):
    settings = {**MODELS[model], "epochs": 8, "train_batch_size": 64, "checkpoint_every": 1}
    given = [f"--{key}={str(value).replace(' ', '')}" for key, value in settings.items()]
    command = [sys.executable, str(SCRIPT), f"--model={model}", "--dataset=toy", *given, *words]
    return [word.replace("{'sample_num':6}", "{sample_num: 6}") for word in command]


def _killed_after(epoch, model, *words):
    """Start the command and kill it, with all its processes, when an epoch's state is there."""
    with open("killed.log", "w") as log:
        process = subprocess.Popen(
            _command(model, *words), stdout=log, stderr=log, start_new_session=True
        )
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline and process.poll() is None:
            for path in Path("saved").glob("*.last.pth"):
                if last_checkpoint.read(path)["epoch"] >= epoch:
                    return
            time.sleep(0.005)
    finally:
        os.killpg(process.pid, signal.SIGKILL) if process.poll() is None else None
        process.wait()
    raise AssertionError(Path("killed.log").read_text()[-2000:])


def _result_of(model, *words):
    done = subprocess.run(
        [*_command(model, *words), "--result_file=result.json"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return json.loads(Path("result.json").read_text())


TWO = ("--nproc=2", "--device=cpu")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "words"), [("LightGCN_DSL", ()), ("MF_AdvInfoNCE", TWO), ("BPR", TWO)]
)
def test_a_killed_run_that_goes_on_is_the_undisturbed_one(model, words, toy, own_folder):
    whole = _result_of(model, *words)
    for path in Path("saved").iterdir():
        path.rename(own_folder / path.name)
    whole["checkpoint"] = Path(whole["checkpoint"]).name
    _killed_after(2, model, *words)
    part = _result_of(model, *words, "--resume")
    assert part["resumed_after"] and part["resumed_after"][0] >= 2
    assert_same(part, whole)
