"""Runs of several gloo processes: what they share, what they leave, how they fail."""

import json
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import fake_runs
import pytest
import torch
from quick import SCRIPT
from ranks import facts_of, taken_port, training
from recbole.evaluator import metric_types
from recbole.evaluator.register import metrics_dict
from recbole.utils import EvaluatorType
from torch.multiprocessing.spawn import ProcessRaisedException

import recbole_dsl
from recbole_dsl.cli.run import COMMAND
from recbole_dsl.common.errors import NonFiniteLossError, ProcessError, UsageError, WriteError
from recbole_dsl.config.run_config import Config
from recbole_dsl.experiments import launch
from recbole_dsl.experiments.load_checkpoint import load
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training import checkpoint

RANKING = [  # RecBole's own
    name
    for name, kind in metric_types.items()
    if kind == EvaluatorType.RANKING and metrics_dict[name].__module__.startswith("recbole.")
]
GROUPS = {"item_popularity": {"head": 1, "mid": 1, "tail": 1}, "user_activity": 2}
USERS, ITEMS = 30, 25
PAIR = {"embedding_size": 8, "train_neg_sample_args": {"sample_num": 6}, "train_batch_size": 64}
# Each loss with state of its own, a graph with noise, a start that one process makes for all, and
# RecBole's loop, also over users.
MODELS = [
    ("MF_SLatK", PAIR),
    ("MF_Talos", PAIR),
    ("MF_AdvInfoNCE", {**PAIR, "adversarial_start": 1}),
    ("MF_AdapTau", {**PAIR, "warm_up_epochs": 1}),
    ("MF_BC", {**PAIR, "bias_epochs": 1}),
    ("XSimGCL_DSL", PAIR),
    ("LightGCN_SL", {**PAIR, "initialization": "spectral"}),
    ("BPR", {"embedding_size": 8, "train_batch_size": 64}),
    ("LightGCN", {"embedding_size": 8, "train_batch_size": 64}),
    ("MultiVAE", {"train_batch_size": 640, "mlp_hidden_size": [16], "latent_dimension": 4}),
    ("EASE", {}),
]
FAILS = [
    ("RecVAE", {}),
    ("BPR", {"clip_grad_norm": {"max_norm": 1.0}}),
    ("MF_SL", {"save_dataloaders": True}),
]


def _toy(folder):
    random.seed(0)
    pairs = [(u, i) for u in range(USERS) for i in range(ITEMS) if random.random() < 0.4]
    home = folder / "dataset" / "toy"
    home.mkdir(parents=True)
    text = "".join(f"u{user}\ti{item}\n" for user, item in pairs)
    (home / "toy.inter").write_text("user_id:token\titem_id:token\n" + text)
    return folder


@pytest.fixture
def toy(own_folder):
    return _toy(own_folder)


@pytest.fixture(scope="module", params=[2, 3])
def facts(request, tmp_path_factory):
    folder = _toy(tmp_path_factory.mktemp("processes"))
    models = MODELS if request.param == 2 else MODELS[:1]
    return facts_of(training, request.param, folder, models, FAILS, RANKING, GROUPS)


pytestmark = pytest.mark.slow


# Training ----------------------------------------------------------------------------------------


def test_all_processes_have_the_same_weights_after_each_step_and_in_the_end_the_same_state(facts):
    first, others = facts[0]["runs"], [fact["runs"] for fact in facts[1:]]
    for model in (name for name in first if not name.startswith("refused")):
        state = first[model]["state"]
        assert state
        for other in others:
            assert other[model]["steps"] == first[model]["steps"] != []
            for name, tensor in state.items():
                assert torch.equal(tensor, other[model]["state"][name]), (model, name)


def test_all_processes_report_the_same_numbers(facts):
    results = [
        [run["result"] for run in fact["runs"].values() if "result" in run] for fact in facts
    ]
    for same in zip(*results, strict=True):
        for key in ("test", "valid", "best_epoch", "world_size", "backend"):
            assert len({json.dumps(result[key]) for result in same}) == 1, key
        assert same[0]["world_size"] == len(facts) and same[0]["backend"] == "gloo"
        assert 0 < same[0]["test"]["recall@10"] <= 1


def test_models_with_loops_of_their_own_and_what_cannot_be_divided_are_refused(facts):
    for fact in facts:
        found = fact["runs"]
        assert "loop of its own, RecBole's RecVAETrainer" in found["refused RecVAE"]
        assert "clip_grad_norm is applied by RecBole to each" in found["refused BPR"]
        assert "save_dataloaders" in found["refused MF_SL"]


def test_losses_recorded_row_by_row_are_those_of_all_processes(facts):
    if "MF_AdapTau" in facts[0]["runs"]:
        rows = facts[0]["runs"]["MF_AdapTau"]["result"]["splits"]["train"]["rows"]
        seen = facts[1]["runs"]["MF_AdapTau"]["state"]["loss.per_user.n_rows"].sum()
        assert seen == -(-rows // len(facts)) * len(facts)


def test_a_step_of_all_processes_is_a_step_of_one_on_all_their_rows(facts):
    for model in ("MF_SL", "LightGCN_SL"):
        one = facts[0]["steps"][model]["one"]
        for fact in facts:
            for name, grad in fact["steps"][model]["all"].items():
                assert one[name].abs().max() > 1e-4
                torch.testing.assert_close(grad, one[name], atol=1e-6, rtol=1e-5)


def test_each_process_draws_negatives_of_its_own(facts):
    draws = [fact["steps"]["draws"] for fact in facts]
    for a in range(len(draws)):
        for b in range(a):
            assert (draws[a] != draws[b]).float().mean() > 0.8


def test_what_is_drawn_in_training_differs_between_processes(facts):
    """Noise, dropout and RecBole's own negatives follow the global seeds."""
    for model in (name for name in facts[0]["runs"] if not name.startswith("refused")):
        seeds = [fact["runs"][model]["seed"] for fact in facts]
        assert seeds[0] == 2020 and len(set(seeds)) == len(facts), model


def test_every_row_is_taken_in_an_epoch_in_as_many_steps_by_each_process(facts):
    steps = [fact["steps"] for fact in facts]
    rows, size = len(steps[0]["items"]), len(facts)
    for epoch in (0, 1):
        batches = [step[f"rows {epoch}"] for step in steps]
        assert len({tuple(map(len, each)) for each in batches}) == 1
        assert {len(batch) for batch in batches[0][:-1]} == {20 // size}
        taken = sorted(item for each in batches for batch in each for item in batch)
        assert len(taken) == rows + -rows % size
        left = list(taken)
        for item in steps[0]["items"]:
            left.remove(item)  # raises where a row was left out
        assert len(left) < size
    assert steps[0]["rows 0"] != steps[0]["rows 1"]


def test_a_loss_may_look_at_all_rows_in_whole_batches(facts):
    for fact in facts:
        whole = fact["steps"]["whole 0"]
        assert whole == facts[0]["steps"]["whole 0"]
        assert sorted(item for batch in whole for item in batch) == sorted(fact["steps"]["items"])
        assert len(whole[0]) == 20 // len(facts) * len(facts)


# Evaluation --------------------------------------------------------------------------------------


@pytest.mark.parametrize("users", ["all", "few"])
def test_every_metric_of_several_processes_is_that_of_one(facts, users):
    for fact in facts:
        together, alone = fact[users]["together"], fact[users]["alone"]
        assert list(together) == list(alone)
        groups = ("item_popularity", "user_activity")
        overall = [name for name in alone if not any(grouping in name for grouping in groups)]
        assert len(overall) == 2 * (len(RANKING) - 1) + 1
        assert alone["exposure_item_popularity_head@5"] > 0 and "users_user_activity_1" in alone
        parts = [alone[f"ndcg_item_popularity_{name}@5"] for name in ("head", "mid", "tail")]
        assert sum(parts) == pytest.approx(alone["ndcg@5"], abs=1e-12)
        assert alone["itemcoverage@5"] > 0 and alone["giniindex@5"] > 0
        for name, value in alone.items():
            assert together[name] == pytest.approx(value, abs=1e-12), name


# What a run leaves -------------------------------------------------------------------------------


def test_a_run_from_python_leaves_one_log_one_result_and_a_checkpoint_that_one_process_loads(toy):
    settings = {**PAIR, "nproc": 2, "epochs": 2, "device": "cpu", "stopping_step": 9}
    result = recbole_dsl.run("LightGCN_DSL", "toy", config_dict=settings)
    assert result["world_size"] == 2 and result["settings"]["nproc"]["value"] == 2
    saved = sorted(path.suffix for path in (toy / "saved").iterdir())
    assert saved == [".json", ".pth"] and len(list(toy.rglob("events*"))) == 2  # and its hparams
    log = next((toy / "log").rglob("*.log"))
    assert len(list((toy / "log").rglob("*.log"))) == 1
    assert log.read_text().count("epoch 1 training") == 1
    written = json.loads(Path(result["checkpoint"]).with_suffix(".json").read_text())
    assert written["test"] == result["test"] and written["backend"] == "gloo"

    loaded = load(result["checkpoint"])
    assert loaded.config["world_size"] == 1 and loaded.config["nproc"] == 1
    state = checkpoint.read(result["checkpoint"])["state_dict"]
    for name, tensor in loaded.model.state_dict().items():
        assert torch.equal(tensor, state[name])
    again = run(
        "LightGCN_DSL", "toy", config_dict={**settings, "nproc": 1, "epochs": 0}, saved=False
    )
    assert again["world_size"] == 1 and again["backend"] is None


# How runs fail -----------------------------------------------------------------------------------


def _script(*arguments, command=(sys.executable,)):
    return [*command, str(SCRIPT), "--dataset=toy", "--device=cpu", "--state=ERROR", *arguments]


def _ended(command):
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_a_loss_that_is_not_finite_ends_all_processes_with_one_line(toy):
    (toy / "many.yaml").write_text("nproc: 2\ntrain_batch_size: 64\n")
    done = _ended(_script("-m", "MF_BPR", "--learning_rate=1e30", "--config_files=many.yaml"))
    assert done.returncode == 1, done.stderr
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: the loss of MF_BPR is ")
    assert not list(toy.rglob("*.pth"))


def test_a_process_that_is_killed_ends_the_run_and_is_named(toy, monkeypatch):
    (toy / "dying.py").write_text(
        "import os, signal\n"
        "from recbole.model.general_recommender import BPR\n"
        "from recbole_dsl.common.distributed import world\n\n\n"
        "class Dying(BPR):\n"
        "    def calculate_loss(self, interaction):\n"
        "        if world().rank == 1:\n"
        "            os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().calculate_loss(interaction)\n"
    )
    monkeypatch.syspath_prepend(toy)
    settings = {"nproc": 2, "device": "cpu", "state": "ERROR", "embedding_size": 8}
    with pytest.raises(ProcessError, match="process 1 of 2 was ended by SIGKILL, often"):
        run("dying:Dying", "toy", config_dict=settings)


def _heed_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background jobs ignore it


def test_ctrl_c_ends_all_processes(toy):
    command = _script("-m", "MF_SL", "--nproc=2", "--epochs=100000", "--eval_step=0")
    options = dict(stderr=subprocess.PIPE, text=True, preexec_fn=_heed_ctrl_c)
    with subprocess.Popen(command, **options) as process:
        try:
            while not list(toy.rglob("*.pth")):  # it trains
                assert process.poll() is None
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == 130
    assert errors.splitlines() == [f"interrupted; {COMMAND.interrupted}"]


def test_a_port_that_is_taken_is_one_line():
    taken, port = taken_port()
    with taken, pytest.raises(UsageError, match=f"port {port} cannot be used: Address already"):
        run("MF_SL", "ml-100k", config_dict={"nproc": 2, "port": port, "device": "cpu"})


def test_torchrun_starts_the_processes_too(toy):
    torchrun = (sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2")
    arguments = ("-m", "MF_SL", "--epochs=1", "--train_batch_size=64", "--result_file=x.json")
    done = _ended(_script(*arguments, command=torchrun))
    assert done.returncode == 0, done.stderr
    assert json.loads((toy / "x.json").read_text())["world_size"] == 2


def test_a_process_that_is_aborted_as_it_exits_loses_nothing(caplog):
    config = Config("MF_SL", "ml-100k", config_dict={"nproc": 2, "device": "cpu"})
    assert launch.launch(fake_runs.abort_at_exit, config, {}) == {"done": True}
    assert "ended by SIGABRT, after its work" in caplog.text


def test_two_machines_meet_at_the_port_of_the_first(toy):
    taken, port = taken_port()
    taken.close()
    shared = ("-m", "MF_SL", "--epochs=1", "--train_batch_size=64", "--world_size=2")
    commands = [
        _script(*shared, f"--port={port}", f"--group_offset={offset}", f"--result_file={offset}")
        for offset in (1, 0)
    ]
    with subprocess.Popen(commands[0], stderr=subprocess.PIPE, text=True) as second:
        try:
            first = _ended(commands[1])
            _, errors = second.communicate(timeout=60)
        finally:
            second.kill()
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + errors
    assert json.loads((toy / "0").read_text())["world_size"] == 2 and not (toy / "1").exists()


@pytest.mark.parametrize(
    ("kind", "rank", "raised"),
    [
        ("UsageError", None, UsageError),
        ("NonFiniteLossError", 1, NonFiniteLossError),
        ("WriteError", 0, WriteError),
        ("OSError", 1, WriteError),
        ("ZeroDivisionError", 1, ProcessRaisedException),
        ("exit", 1, ProcessError),
    ],
)
def test_the_error_of_a_process_is_that_of_the_run(kind, rank, raised, capfd):
    config = Config("MF_SL", "ml-100k", config_dict={"nproc": 2, "device": "cpu"})
    arguments = {"kind": kind, "rank": rank, "message": "it was this"}
    with pytest.raises(raised) as caught:
        launch.launch(fake_runs.fail, config, arguments)
    text = str(caught.value)
    if kind == "ZeroDivisionError":  # not one that a user is told in a line: with its traceback
        assert "it was this" in text and "Traceback" in text
    elif kind == "exit":
        assert text == "process 1 of 2 ended: 3; the run has been stopped"
    else:
        assert text == "it was this"
    out, err = capfd.readouterr()
    # What the C++ runtime of torch may say of its threads when a process ends is not ours.
    assert out == "" and err in ("", "terminate called without an active exception\n")


def test_the_first_error_stays_and_one_that_is_cut_short_is_not_read(tmp_path, monkeypatch):
    write = Path.write_text

    def end_half_way(path, text, **options):
        write(path, text[: len(text) // 2], **options)
        raise SystemExit  # as a process that torch ends

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", end_half_way)
        with pytest.raises(SystemExit):
            launch._leave_error(tmp_path, 1, UsageError("cut short"))
    assert launch._cause(tmp_path, []) is None
    for rank, message in ((0, "the first"), (1, "the second")):
        launch._leave_error(tmp_path, rank, UsageError(message))
    assert str(launch._cause(tmp_path, [])) == "the first"


def test_the_first_error_is_told_although_another_process_ends_sooner():
    config = Config("MF_SL", "ml-100k", config_dict={"nproc": 2, "device": "cpu"})
    with pytest.raises(ProcessRaisedException, match=r"(?s)Process 1 .*Traceback.*it was this"):
        launch.launch(fake_runs.fail_and_end_last, config, {"message": "it was this"})


def test_a_killed_process_is_named_although_another_one_has_missed_it():
    config = Config("MF_SL", "ml-100k", config_dict={"nproc": 2, "device": "cpu"})
    with pytest.raises(ProcessError, match="process 1 of 2 ended: 3; the run has been stopped"):
        launch.launch(fake_runs.miss_one_that_is_killed, config, {})


def test_the_first_process_answers_for_all(tmp_path):
    config = Config("MF_SL", "ml-100k", config_dict={"nproc": 2, "device": "cpu"})
    folder = str(tmp_path)
    assert launch.launch(fake_runs.leave_rank, config, {"folder": folder}) == {"rank": 0}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0 of 2", "1 of 2"]
