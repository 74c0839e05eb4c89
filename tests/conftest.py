"""Shared fixtures: every test runs in its own folder, on the CPU, with an empty command line."""

import functools
import logging
import os
import sys

import pytest

# Workers of pytest-xdist share the processors: each computes, and lets its children compute, on one
# thread. Read by torch as it is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

from recbole_dsl.common import tensors


def pytest_collection_modifyitems(items):
    """Tests marked gpu are skipped where there is no GPU."""
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="no GPU"))


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    """A test's log/, saved/ and dataset/ land in its own folder; pytest's flags are no settings."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["run_recbole_dsl.py"])
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)  # a run sets its own
    _seed_torch()
    return tmp_path


def _seed_torch():
    """torch.manual_seed(0), which without a GPU remembers a stack trace for each call."""
    if torch.cuda.is_available():
        torch.manual_seed(0)
    else:
        torch.default_generator.manual_seed(0)


@pytest.fixture(params=[True, False], ids=["as_on_cpu", "as_on_gpu"])
def synchronous(request, monkeypatch):
    """Runs a test twice: as on the CPU, and as on a GPU, whose values must be awaited."""
    monkeypatch.setattr(tensors, "is_synchronous", lambda device: request.param)
    return request.param


def _write_dataset(folder, name, pairs, extra=None):
    home = folder / "dataset" / name
    home.mkdir(parents=True)
    lines = [f"{user}\t{item}" for user, item in pairs]
    (home / f"{name}.inter").write_text(
        "user_id:token\titem_id:token\n" + "\n".join(lines) + "\n", encoding="utf-8"
    )
    for suffix, text in (extra or {}).items():
        (home / f"{name}.{suffix}").write_text(text, encoding="utf-8")
    return name


@pytest.fixture
def make_dataset(own_folder):
    """Writes dataset/<name>/<name>.inter with (user, item) pairs; extra maps suffix -> text."""
    return functools.partial(_write_dataset, own_folder)


@pytest.fixture
def checkerboard(own_folder):
    """Users like the items of their own parity; each user's last liked item is the test item."""
    size = 20
    train, test = [], []
    for user in range(size):
        liked = [item for item in range(size) if (user + item) % 2 == 0]
        held = liked[(user // 2) % len(liked)]
        train += [(f"u{user}", f"i{item}") for item in liked if item != held]
        test.append((f"u{user}", f"i{held}"))
    header = "user_id:token\titem_id:token\n"

    def text(rows):
        return header + "".join(f"{user}\t{item}\n" for user, item in rows)

    _write_dataset(
        own_folder,
        "board",
        train + test,
        {"train.inter": text(train), "valid.inter": text(test), "test.inter": text(test)},
    )
    return "board"
