"""What the tests of runs, studies and benchmarks share."""

import pytest

from recbole_dsl.experiments import single_run


@pytest.fixture
def runs(monkeypatch):
    """The arguments of every run that is made, as it begins."""
    made, real = [], single_run.run

    def run(*places, **arguments):
        made.append(arguments)
        return real(*places, **arguments)

    monkeypatch.setattr(single_run, "run", run)
    return made
