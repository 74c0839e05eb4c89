"""Commands that are killed at a random moment and then given once more.

After the kill no set of files is half written; given once more the command ends as an undisturbed
one, and nothing but its results is left.
"""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import optuna
from child import contents
from odd_files import table

from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.tuning.storage import open_storage
from recbole_dsl.training import last_checkpoint, sealed_file

ROOT = Path(__file__).parents[2]
SECONDS = 180  # after which a command hangs
_SETTINGS = ["--embedding_size=8", "--state=WARNING", "--show_progress=False",
             "--train_batch_size=256", "--device=cpu"]  # fmt: skip
_DRAWS = "--train_neg_sample_args={sample_num: 20}"
_GRID = "tau: [0.1, 0.2]\nlearning_rate: [0.001, 0.01]\n"


class Job(NamedTuple):
    """A command that is killed.

    Attributes:
        words: of the command line. again: what a user adds to go on.
        results: what an undisturbed run leaves, without times.
        half: what is half written in a folder after a kill, a sentence or None.
    """

    words: list[str]
    again: list[str]
    results: Callable[[Path], Any]
    half: Callable[[Path, "Reference"], str | None]


class Reference(NamedTuple):
    """An undisturbed run: seconds to the first change of a file, and in all; before, after: what
    the datasets hold; results: of the job."""

    first: float
    seconds: float
    before: dict[str, str]
    after: dict[str, str]
    results: Any


def _result(path: Path) -> dict[str, Any]:
    """A result file without times, and the weights of its checkpoint."""
    result = json.loads(path.read_text())
    for epoch in result["epochs"]:
        for key in [key for key in epoch if "seconds" in key]:
            del epoch[key]
    weights = sealed_file.read(path.parent / result["checkpoint"])["state_dict"]
    kept = {key: result[key] for key in ("epochs", "best_epoch", "valid", "test", "split_card")}
    return {**kept, "weights": {name: x.tolist() for name, x in weights.items()}}


def _datasets(folder: Path) -> dict[str, str]:
    return contents(folder / "dataset")


def _benchmark(folder: Path) -> list[Any]:
    lines = (folder / "made/results.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return sorted(json.dumps([row["label"], row["seed"], row["test"]]) for row in rows)


def _study(folder: Path) -> dict[str, Any]:
    study = optuna.load_study(
        study_name="MF_SL-shop", storage=open_storage(str(folder / "made/study.log"))
    )
    done = [t for t in study.get_trials(deepcopy=False) if t.state.name == "COMPLETE"]
    trials = sorted(json.dumps([sorted(t.params.items()), t.value]) for t in done)
    return {"trials": trials, "best": (folder / "made/best.yaml").read_text().split("\n", 1)[1]}


def _no_half_set(folder: Path, reference: Reference) -> str | None:
    """The datasets are as before or as after."""
    found = {n: d for n, d in _datasets(folder).items() if not _is_hidden(Path(n))}
    complete = found in (reference.before, reference.after)
    return None if complete else f"dataset holds {sorted(found)}"


def _is_hidden(path: Path) -> bool:
    """Temporary files and folders are hidden ones."""
    return any(part.startswith(".") for part in path.parts)


def _no_half_file(folder: Path, reference: Reference) -> str | None:
    """Every file that is not hidden can be read."""
    for path in folder.rglob("*"):
        if not path.is_file() or _is_hidden(path.relative_to(folder)):
            continue
        try:
            if path.suffix == ".json":
                json.loads(path.read_text())
            elif path.suffix == ".pth":
                sealed_file.read(path)
        except (ValueError, UsageError) as error:
            return f"{path.name}: {error}"
    return None


def _run(model: str, *words: str) -> Job:
    """A run that keeps its state after every epoch, and goes on with the newest."""
    given = ["run", "-m", model, "-d", "shop", *_SETTINGS, *words, "--epochs=12",
             "--stopping_step=50", "--checkpoint_every=1", "--result_file=result.json"]  # fmt: skip
    return Job(given, ["--resume"], lambda folder: _result(folder / "result.json"), _no_half_file)


JOBS = {
    "run LightGCN_DSL": _run("LightGCN_DSL", _DRAWS),
    "run MF_AdvInfoNCE": _run(
        "MF_AdvInfoNCE", _DRAWS, "--adversarial_start=1", "--adversarial_every=2"
    ),
    "run XSimGCL_SLatK": _run("XSimGCL_SLatK", _DRAWS),
    "run MF_AdapTau": _run("MF_AdapTau", _DRAWS, "--warm_up_epochs=2"),
    "run MF_Talos --nproc=2": _run("MF_Talos", _DRAWS, "--nproc=2"),
    "run BPR": _run("BPR"),
    "import": Job(
        ["import", "shop.csv", "--dataset=made"], ["--overwrite"], _datasets, _no_half_set
    ),
    "import over another": Job(
        ["import", "shop.csv", "--dataset=old", "--overwrite"], [], _datasets, _no_half_set
    ),
    "split": Job(
        ["split", "--dataset=shop", "--output=made", "--test_sets=iid,popularity"],
        ["--overwrite"], _datasets, _no_half_set,
    ),
    "benchmark --jobs=2": Job(
        ["benchmark", "-m", "MF_SL,BPR", "-d", "shop", "--seeds=1,2", "--jobs=2", "--output=made",
         "--epochs=4", *_SETTINGS],
        [], _benchmark, _no_half_file,
    ),
    "tune --jobs=2": Job(
        ["tune", "-m", "MF_SL", "-d", "shop", "--sampler=grid", "--params_file=grid.yaml",
         "--jobs=2", "--output=made", "--epochs=4", *_SETTINGS, _DRAWS],
        [], _study, _no_half_file,
    ),
}  # fmt: skip


def cases(number: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """(command and signal, outcome, example) of so many kills, each command in turn."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        _write_data(home / "data", rng)
        references = {}
        for at in range(number):
            job_name = list(JOBS)[at % len(JOBS)]
            if job_name not in references:
                references[job_name] = _undisturbed(home, JOBS[job_name])
            folder = home / f"case-{at}"
            shutil.copytree(home / "data", folder)
            yield _case(rng, folder, job_name, references[job_name])
            shutil.rmtree(folder)


def _write_data(folder: Path, rng: random.Random) -> None:
    header = ["user_id", "item_id", "rating", "timestamp"]
    rows = [[f"u{rng.randrange(300)}", f"i{rng.randrange(200)}", str(rng.randint(1, 5)), str(at)]
            for at in range(6000)]  # fmt: skip
    kinds = ["token", "token", "float", "float"]
    typed = [f"{name}:{kind}" for name, kind in zip(header, kinds, strict=True)]
    for name, part in (("shop", rows), ("old", rows[:3000])):
        (folder / "dataset" / name).mkdir(parents=True)
        (folder / "dataset" / name / f"{name}.inter").write_bytes(table(typed, part))
    (folder / "shop.csv").write_bytes(table(header, rows * 60, ","))
    (folder / "grid.yaml").write_text(_GRID)


def _start(folder: Path, words: list[str]) -> subprocess.Popen:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    # Even where this process was started in the background of a shell, which ignores Ctrl-C.
    return subprocess.Popen(
        [sys.executable, "-m", "recbole_dsl", *words], cwd=folder, env=environment, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip


def _undisturbed(home: Path, job: Job) -> Reference:
    folder = home / "undisturbed"
    shutil.copytree(home / "data", folder)
    before, names = _datasets(folder), set(folder.rglob("*"))
    started, first = time.monotonic(), None
    process = _start(folder, job.words)
    while process.poll() is None:
        if first is None and set(folder.rglob("*")) != names:
            first = time.monotonic() - started
        time.sleep(0.02)
    seconds = time.monotonic() - started
    assert process.returncode == 0, process.stderr.read()
    found = Reference(first or 0.0, seconds, before, _datasets(folder), job.results(folder))
    shutil.rmtree(folder)
    return found


def _case(rng, folder: Path, name: str, reference: Reference) -> tuple[str, str, str]:
    job = JOBS[name]
    number = rng.choice([signal.SIGKILL] * 4 + [signal.SIGTERM, signal.SIGINT])
    to_group = rng.random() < 0.5
    after = rng.uniform(0.9 * reference.first, reference.seconds)
    process = _start(folder, job.words)
    try:
        done, outcome, detail = _killed(process, number, to_group, after)
        outcome = outcome or _half(job, folder, reference)
        if outcome is None:
            outcome, detail = _again(job, folder, reference)
    finally:
        _end(process)
    if outcome is None:
        outcome = "had ended" if done else "as undisturbed"
    group = "all processes" if to_group else "the first process"
    return f"{name}: {number.name} to {group}", outcome, f"after {after:.2f} s: {detail}"


def _killed(process, number, to_group: bool, after: float) -> tuple[bool, str | None, str]:
    """(whether it had ended before, fault, its standard error)."""
    try:
        process.wait(after)
        return True, None if process.returncode == 0 else "failed", process.stderr.read()
    except subprocess.TimeoutExpired:
        pass
    (os.killpg if to_group else os.kill)(process.pid, number)
    if number == signal.SIGKILL:
        process.wait()
        return False, None, ""
    try:
        _, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False, "hang", ""
    fault = "traceback" if "Traceback" in err else None
    # Before its work begins and after it has ended, the system ends it: a shell says 128 + number.
    if process.returncode not in (0, 128 + number, -number):
        fault = fault or f"exit code {process.returncode} after {number.name}"
    return False, fault, err


def _half(job: Job, folder: Path, reference: Reference) -> str | None:
    found = job.half(folder, reference)
    return f"half written: {found}" if found else None


def _again(job: Job, folder: Path, reference: Reference) -> tuple[str | None, str]:
    """(fault, example) of the command given once more."""
    process = _start(folder, [*job.words, *job.again])
    try:
        _, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        _end(process)
        return "hang when given again", ""
    if process.returncode or "Traceback" in err:
        return f"exit code {process.returncode} when given again", err[-500:]
    if job.results(folder) != reference.results:
        return "wrong: other results than undisturbed", err[-500:]
    left = [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.name.startswith(".") or path.name.endswith((last_checkpoint.SUFFIX, ".part"))
    ]
    return ("left behind", f"{left}") if left else (None, err[-300:])


def _end(process: subprocess.Popen) -> None:
    """Kill what is left of a command and of its workers."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
