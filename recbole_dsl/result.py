"""What a run reports: the result file and the table of its metrics."""

import importlib.metadata
import json
import platform
from pathlib import Path

from texttable import Texttable

from recbole_dsl.checkpoint import write_atomically
from recbole_dsl.settings import UsageError

_PACKAGES = ("recbole", "torch", "numpy", "scipy", "pandas")


def versions():
    """Versions of everything a number may depend on."""
    from recbole_dsl import __version__

    found = {"recbole_dsl": __version__, "python": platform.python_version()}
    return {**found, **{name: importlib.metadata.version(name) for name in _PACKAGES}}


def check_writable(path):
    """Raise UsageError now if the result could not be written after hours of training."""
    path = Path(path)
    if path.is_dir():
        raise UsageError(f"result_file {path} is a folder, not a file")
    folder = path.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"result_file {path}: cannot make {folder}: {error.strerror}") from error


def write(path, result):
    """Write the result as JSON, all of it or nothing."""
    text = json.dumps(result, indent=2, allow_nan=False) + "\n"
    write_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def table(result, decimals=4):
    """Validation and test metrics, a row each, as text; a row for each of several test sets."""
    tests = {f"test_{name}": metrics for name, metrics in result.get("tests", {}).items()}
    measured = {"valid": result["valid"], **(tests or {"test": result["test"]})}
    rows = [(name, metrics) for name, metrics in measured.items() if metrics]
    if not rows:
        return "no validation and no test rows: nothing was measured"
    names = list(dict.fromkeys(name for _, metrics in rows for name in metrics))
    drawn = Texttable(max_width=0)
    drawn.set_deco(Texttable.HEADER)
    drawn.set_precision(decimals)
    drawn.set_cols_dtype(["t"] + ["f"] * len(names))
    drawn.set_cols_align(["l"] + ["r"] * len(names))
    drawn.header(["", *names])
    for label, metrics in rows:
        drawn.add_row([label, *(metrics.get(name, "") for name in names)])
    return drawn.draw()
