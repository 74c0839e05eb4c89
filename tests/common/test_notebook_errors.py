"""Errors in a notebook: one line, and the same exception for whoever catches it."""

import subprocess
import sys

import pytest
from quick import ROOT

from recbole_dsl.common import errors

ONE_LINE = [
    errors.UsageError,
    errors.NonFiniteLossError,
    errors.ProcessError,
    errors.NoWinnerError,
    errors.NothingToSelectOnError,
    errors.WriteError,
]


@pytest.mark.parametrize("kind", ONE_LINE)
def test_what_a_command_says_in_one_line_is_rendered_in_one(kind):
    assert kind("two\n lines")._render_traceback_() == [f"{kind.__name__}: two lines"]


def test_what_catches_them_is_as_before():
    assert issubclass(errors.UsageError, ValueError) and issubclass(errors.WriteError, OSError)
    for kind in ONE_LINE[1:5]:
        assert issubclass(kind, RuntimeError)
    assert str(errors.UsageError("a")) == "a" and repr(errors.UsageError("a")) == "UsageError('a')"


_CELL = "import recbole_dsl\\nrecbole_dsl.run('MF_DLS', 'ml-100k')"
_CODE = f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance(colors="{{colors}}")
result = shell.run_cell("{_CELL}")
assert type(result.error_in_exec).__name__ == "UsageError"
shell.run_cell("1 / 0")
"""


@pytest.mark.slow
def test_ipython_shows_one_line_for_a_typo_and_a_traceback_for_a_fault(own_folder):
    pytest.importorskip("IPython")
    done = subprocess.run(
        [sys.executable, "-c", _CODE.format(colors="NoColor")],
        env={"PYTHONPATH": f"{ROOT}:{':'.join(filter(None, sys.path))}", "HOME": str(own_folder),
             "IPYTHONDIR": str(own_folder)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert lines[0].startswith("UsageError: unknown loss 'DLS' in model 'MF_DLS' (known: ")
    assert lines[0].endswith("; did you mean MF_DSL?") and "Traceback" not in lines[1]
    assert sum("ZeroDivisionError" in line for line in lines[1:]) == 2  # its own traceback
