"""Checkpoints and kept states, damaged or made up: refused in one line, or loaded as they are.

Each is loaded, diagnosed, served or resumed in a process of its own.
"""

import copy
import json
import math
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from child import contents, fault_of, in_child
from odd_files import shop

from recbole_dsl import load_recommender
from recbole_dsl.cli import run as run_command
from recbole_dsl.common import seal
from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.diagnose_checkpoints import diagnose_checkpoints
from recbole_dsl.experiments.load_checkpoint import load
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training import last_checkpoint, sealed_file

PAIR = {"embedding_size": 4, "train_neg_sample_args": {"sample_num": 20}}
MODELS: dict[str, dict[str, Any]] = {
    "MF_SL": PAIR, "BPR": {"embedding_size": 4}, "EASE": {}, "LightGCN_AdvInfoNCE": PAIR,
}  # fmt: skip
_QUICK = {"state": "ERROR", "show_progress": False, "train_batch_size": 64, "checkpoint_every": 1,
          "epochs": 60, "stopping_step": 1000}  # fmt: skip
_MARK = "executed"  # made where a file's code ran
_ODD = [None, "", "x", "../x", "evil:X", "evil.pkl", -1, 0, 1e308, math.nan, math.inf, True, 10**12,
        [], [None], [[]], (1, 2), {}, {"a": 1}, torch.ones(2), torch.zeros(0)]  # fmt: skip


class _Evil:
    def __reduce__(self):
        return os.mkdir, (_MARK,)


def cases(number: int, seed: int) -> Iterator[tuple[str, str, str]]:
    """(alteration, outcome, example) of so many cases; half of them damage bytes."""
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        _write_data(home, rng)
        originals = _trained(home)
        for at in range(number):
            (model, kind), original = rng.choice(sorted(originals.items()))
            with tempfile.TemporaryDirectory() as other:
                folder = Path(other)
                shutil.copytree(home / "dataset", folder / "dataset")
                _write_evil(folder)
                alter = _damaged if at % 2 else _made_up
                case = _case(rng, folder, original, kind, alter, model)
            yield case


def _write_data(folder: Path, rng: random.Random) -> None:
    (folder / "dataset/toy").mkdir(parents=True)
    (folder / "dataset/toy/toy.inter").write_bytes(shop(rng)[".inter"])


def _write_evil(folder: Path) -> None:
    """A pickle and a module that leave a mark where they are opened or imported."""
    (folder / "evil.pkl").write_bytes(pickle.dumps(_Evil()))
    (folder / "evil.py").write_text(f"import os\n\nos.mkdir({_MARK!r})\n")


def _trained(folder: Path) -> dict[tuple[str, str], Path]:
    """(model, "best" or "last") -> a checkpoint; last: the state of a run that was killed."""
    found = {}
    for model in MODELS:
        whole = {**_settings(model), "checkpoint_dir": f"saved/{model}"}
        ended = in_child(lambda m=model, s=whole: _train(m, s), folder)
        assert ended.code == 0, ended.err
        found[model, "best"] = next((folder / "saved" / model).glob("*.pth"))
        if model != "EASE":  # it has one epoch
            found[model, "last"] = _killed(folder, model)
    return found


def _settings(model: str) -> dict[str, Any]:
    return {**_QUICK, **MODELS[model]}


def _train(model: str, settings: dict[str, Any]) -> int:
    run(model, "toy", config_dict=settings)
    return 0


def _killed(folder: Path, model: str) -> Path:
    """The state that a run has kept when it is killed."""
    process = os.fork()
    if process == 0:
        os.chdir(folder)
        _train(model, {**_settings(model), "checkpoint_dir": "kept"})
        os._exit(0)
    end = time.monotonic() + 60
    while not (found := list((folder / "kept").glob(f"{model}-*{last_checkpoint.SUFFIX}"))):
        assert time.monotonic() < end, "no state was kept"
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    assert found[0].exists(), "the run has ended before it was killed"
    return found[0]


def _case(rng, folder: Path, original: Path, kind: str, alter, model: str) -> tuple[str, str, str]:
    path = folder / f"x{last_checkpoint.SUFFIX if kind == 'last' else '.pth'}"
    opened = rng.choice([_load, _diagnose, _recommend]) if kind == "best" else _resume
    if opened is _recommend and alter is _made_up:
        alter = _made_up_section
    change = alter(rng, original, path)
    before = contents(folder)
    ended = in_child(lambda: _open(opened, path, model), folder)
    outcome = fault_of(ended, before, folder)
    if (folder / _MARK).exists():
        outcome = "code was run"
    if outcome is None:
        outcome = "accepted" if ended.code == 0 else "refused"
        if outcome == "accepted" and alter is _damaged:
            outcome = "wrong: damaged bytes are accepted"
        # of RecBole's own models
        has_none = "no diagnostics" in ended.err or "gives no vectors" in ended.err
        if outcome == "refused" and change.startswith("nothing") and not has_none:
            outcome = "wrong: an unaltered one is refused"
    return f"{kind}: {change}", outcome, f"{model} {opened.__name__}: {ended.err[-400:]}"


def _open(opened, path: Path, model: str) -> int:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return opened(path, model)
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _load(path: Path, model: str) -> int:
    loaded = load(path)
    stored = torch.load(path, weights_only=True)["state_dict"]
    for name, weights in loaded.model.state_dict().items():
        if not torch.equal(weights, stored[name]):
            raise AssertionError(f"other weights {name} than the file's")
    return 0


def _diagnose(path: Path, model: str) -> int:
    diagnose_checkpoints([str(path)])
    return 0


def _recommend(path: Path, model: str) -> int:
    recommender = load_recommender(path)
    table = recommender.recommend(k=3)
    if len(table) and not math.isfinite(table["score"].abs().max()):
        raise AssertionError("a score is not finite")
    recommender.recommend_for_items(recommender.items[:2], 3)
    recommender.similar_items(recommender.items[:2], 3)
    return 0


def _resume(path: Path, model: str) -> int:
    words = [f"--{key}={value}" for key, value in _settings(model).items()]
    return run_command.COMMAND.run(["-m", model, "-d", "toy", f"--resume={path}", *words])


def _damaged(rng: random.Random, original: Path, path: Path) -> str:
    """Write the file with some of its bytes changed; returns the kind of change."""
    data = bytearray(original.read_bytes())
    at, was = rng.randrange(len(data)), bytes(data)
    change = rng.choice(["flip", "flip", "flip", "cut", "insert", "zeros", "append", "other file"])
    if change == "flip":
        data[at] ^= 1 << rng.randrange(8)
    elif change == "cut":
        del data[at:]
    elif change == "insert":
        data.insert(at, rng.randrange(256))
    elif change == "zeros":
        data[at : at + 512] = bytes(len(data[at : at + 512]))
    elif change == "append":
        data += rng.choice([b"\0", b"PK\5\6" + bytes(18), bytes(data)])
    else:
        evil = pickle.dumps(_Evil())
        data = bytearray(rng.choice([b"", b"\0" * 100, b"{}", evil, b"PK\5\6" + bytes(18)]))
    if data == was:  # zeros in place of zeros
        data[at] ^= 1
    path.write_bytes(data)
    return change


def _made_up(rng: random.Random, original: Path, path: Path) -> str:
    """Write the file with other content and the right digest; returns the kind of change."""
    content = copy.deepcopy(sealed_file.read(original))
    place = content
    if rng.random() < 0.6 and isinstance(content.get("config"), dict):
        place = content["config"]
    elif rng.random() < 0.5:
        place = _inner(rng, content)
    change = rng.choice(["odd value", "odd value", "odd value", "lost", "added", "nan", "nothing"])
    names = sorted(map(str, place)) if isinstance(place, dict) else []
    name = rng.choice(names) if names else "x"
    if change == "lost":
        place.pop(name, None)
    elif change == "added":
        place[rng.choice(["x", "data_path", "dataset_save_path", "dataloaders_save_path",
                          "pre_model_path", "loss", "teacher", "warm_up"])] = rng.choice(
                              [*_ODD, "evil.pkl", "evil:X", "__import__('evil')"])  # fmt: skip
    elif change == "nan":
        tensors = [x for x in _tensors(content) if x.is_floating_point() and x.numel()]
        if tensors:
            rng.choice(tensors).view(-1)[0] = rng.choice([math.nan, math.inf, 1e38])
    elif change == "odd value":
        place[name] = rng.choice(_ODD)
    sealed_file.write(path, content)
    return f"{change}, digest right"


def _made_up_section(rng: random.Random, original: Path, path: Path) -> str:
    """Write the file with another section for serving and the right digest; returns the change."""
    change = rng.choice(["bytes", "bytes", "cut", "lost", "meta", "nothing"])
    with zipfile.ZipFile(original) as archive, zipfile.ZipFile(path, "w") as other:
        entries = archive.namelist()
        chosen = rng.choice([name for name in entries if "/serving/" in name])
        for name in entries:
            data = bytearray(archive.read(name))
            if name == chosen and change == "lost":
                continue
            if name == chosen and change == "bytes":
                data[rng.randrange(len(data))] = rng.randrange(256)
            elif name == chosen and change == "cut":
                del data[rng.randrange(len(data)) :]
            elif name.endswith("/serving/meta.json") and change == "meta":
                meta = json.loads(data)
                odd = [None, "", "x", -1, 1e308, True, [], [None], ["train"], {}, {"a": 1}]
                meta[rng.choice([*meta, "more"])] = rng.choice(odd)
                data = bytearray(json.dumps(meta).encode())
            other.writestr(zipfile.ZipInfo(name), bytes(data))
    seal.seal(path)
    return f"{change}, digest right"


def _inner(rng: random.Random, content: dict) -> dict:
    """The content itself, or a dict in it."""
    inner = [value for value in content.values() if isinstance(value, dict)]
    return rng.choice([content, *inner])


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _tensors(inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _tensors(inner)
