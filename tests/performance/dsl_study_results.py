"""What the final runs of dsl_study.py found: each loss, one over another, and both in words."""

import functools

from dsl_study_comparison import corrected, gain, result
from dsl_study_data import DATA, IID, POPULARITY
from dsl_study_plan import Cell
from dsl_study_settings import DSL, LIGHTGCN, MF, RIVALS, SL, XSIMGCL

from recbole_dsl.experiments.benchmark.report.significance import stars

BACKBONES = (MF, LIGHTGCN, XSIMGCL)
TEST_NAMES = {IID: "i.i.d.", POPULARITY: "popularity"}


class Study:
    """The rows of a store, and what its final runs found, looked up once.

    Args:
        runs: :class:`dsl_study_jobs.Runs` of the store. store: its path, beside which the users'
            values lie.
    """

    def __init__(self, runs, store):
        self.runs, self.store = runs, store

    @functools.cache  # noqa: B019
    def result(self, cell, selection, test):
        """:func:`dsl_study_comparison.result`, None where there is none."""
        return result(self.runs, self.store, cell, selection, test)

    @functools.cache  # noqa: B019
    def gain(self, cell, loss, selection, test):
        """:class:`dsl_study_comparison.Gain` of a cell over another loss; None without both."""
        ours = self.result(cell, selection, test)
        other = self.result(cell._replace(loss=loss), selection, test)
        return None if ours is None or other is None else gain(ours, other)

    def tests(self, selection_of, losses=(DSL, SL)):
        """(data set, backbone, selection, test) where one of the losses has been tested.

        Args:
            selection_of: test -> the selection whose runs are shown.
        """
        for backbone in BACKBONES:
            for name, data in DATA.items():
                for test in data.tests:
                    key = (selection_of(test), test)
                    if any(self.result(Cell(name, backbone, loss), *key) for loss in losses):
                        yield (name, backbone, *key)

    def rival(self, name, backbone, selection, test):
        """The loss of another paper that is best on the test; None where none has been tested."""
        found = {loss: self.result(Cell(name, backbone, loss), selection, test) for loss in RIVALS}
        found = {loss: result for loss, result in found.items() if result is not None}
        return max(found, key=lambda loss: found[loss].mean, default=None)


def own(test):
    """Each test by the validation of its own kind."""
    return test


def compared(study, selection_of=own, losses=(DSL, SL)):
    """A loss against another on each test: (data set, backbone, selection, test) -> Gain or None,
    by Holm over all of them."""
    keys = list(study.tests(selection_of, losses))
    gains = [study.gain(Cell(name, b, losses[0]), losses[1], *where) for name, b, *where in keys]
    return dict(zip(keys, corrected(gains), strict=True))


# In words ----------------------------------------------------------------------------------------


def score(found):
    """A result's mean and deviation, as text."""
    return "" if found is None else found.shown()


def percent(gain):
    """A gain and its interval, as text."""
    if gain is None:
        return ""
    return f"{100 * gain.relative:+.1f} % [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def p_value(value):
    """A p and its stars, as text."""
    if value is None:
        return ""
    return ("< 0.001" if value < 0.001 else f"{value:.3f}") + f" {marks(value)}".rstrip()


def marks(p):
    """Stars as Markdown shows them; none where there is no p."""
    return "" if p is None else stars(p).replace("*", r"\*")
