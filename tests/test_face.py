"""What ``import recbole_dsl`` offers, and what it loads."""

import subprocess
import sys

import pytest

import recbole_dsl
from recbole_dsl.experiments.load_checkpoint import load
from recbole_dsl.experiments.single_run import run
from recbole_dsl.experiments.tuning import tune


def test_the_face_offers_what_it_lists():
    assert (recbole_dsl.load, recbole_dsl.run, recbole_dsl.tune) == (load, run, tune)
    assert set(recbole_dsl.__all__) <= set(dir(recbole_dsl))
    with pytest.raises(AttributeError, match="module 'recbole_dsl' has no attribute 'rum'"):
        _ = recbole_dsl.rum


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "unloaded"),
    [("recbole_dsl", ("torch", "recbole", "optuna")), ("recbole_dsl.losses", ("recbole",))],
)
def test_importing_loads_only_what_is_needed(module, unloaded):
    code = f"import sys, {module}; assert not set({unloaded!r}) & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
