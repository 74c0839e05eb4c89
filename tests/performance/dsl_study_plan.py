"""The work of dsl_study.py in its order: which loss on which data set, its trials and its tests."""

from typing import NamedTuple

from dsl_study_data import DATA, IID, POPULARITY
from dsl_study_settings import (
    BSL,
    COUNTS,
    DSL,
    FORMS,
    GAP,
    IN_STEPS,
    KAPPA,
    LIGHTGCN,
    LOSSES,
    MF,
    PSL,
    SHARE,
    SL,
    SLATK,
    TALOS,
    TEMPERATURE,
    TESTED_FORMS,
    XSIMGCL,
)

ROUND = 6  # trials of a round
TRIALS, TRIALS_AROUND = 2 * ROUND, ROUND
SEEDS, SEEDS_AROUND = (2021, 2022, 2023, 2024, 2025), (2021, 2022, 2023)
METRIC = "ndcg@20"
EPOCHS, PATIENCE = 60, 5


class Cell(NamedTuple):
    """A loss on a backbone on a data set, which gets one budget of trials."""

    dataset: str
    backbone: str
    loss: str

    @property
    def model(self):
        """MF and "DSL, kappa alone" -> MF_DSL."""
        return f"{self.backbone}_{self.loss.split(',')[0]}"


class Step(NamedTuple):
    """A part of the work: a round of a cell's trials, or its final runs by one selection.

    Attributes:
        part: one of :data:`PARTS`. cell: what. stage: "first", "second", "final" or "option".
        selection: "iid" or "popularity", the validation that chooses; None: the first round.
    """

    part: str
    cell: Cell
    stage: str
    selection: str | None = None


_SHIFTED = tuple(name for name, found in DATA.items() if POPULARITY in found.tests)
_OTHERS = tuple(name for name in DATA if name not in _SHIFTED)
_OF_GRAPHS = (
    "amazon2014-health", "amazon2014-electronic", "amazon2014-electronic-popularity",
    "amazon2014-cd-popularity",
)  # fmt: skip
_OF_FORMS = (
    "amazon2014-health-ps", "amazon2014-electronic-popularity", "ml-100k-ps", "amazon2014-health",
)  # fmt: skip
ALL_LOSSES = (*LOSSES, *FORMS, *IN_STEPS.values())
PARTS = ("a", "b", "c", "d", "e", "f", "g", "h")


def steps(parts=PARTS):
    """All work, the most important first.

    In part e the forms of DSL have trials and no final runs, which part f has for two of them;
    graph backbones have one round of trials. In part g DSL has single options at SL's choice, in
    part h SL and BSL have as many runs there, and what each of the three chooses is tested.
    In part a the pairs (SL, DSL), then the ablations, then BSL and Talos, on all shifted sets; then
    what a selection that does not know of the shift would have chosen for the shifted test.
    """
    grid = {
        "a": [(_SHIFTED, MF, pair) for pair in ((SL, DSL), (KAPPA, TEMPERATURE), (BSL, TALOS))],
        "b": [(_OTHERS, MF, pair) for pair in ((SL, DSL), (KAPPA, TEMPERATURE), (BSL, TALOS))],
        "c": [(_OF_GRAPHS, backbone, (SL, DSL)) for backbone in (LIGHTGCN, XSIMGCL)],
        "d": [(_SHIFTED + _OTHERS, MF, (PSL, SLATK))],
        "e": [(_OF_FORMS, MF, (form,)) for form in FORMS],
        "f": [(_SHIFTED + _OTHERS, MF, (form,)) for form in TESTED_FORMS],
    }
    for part in parts:
        unaware = []
        if part in ("g", "h"):
            yield from _one_by_one(part)
            continue
        for datasets, backbone, losses in grid[part]:
            for cell in (Cell(name, backbone, loss) for name in datasets for loss in losses):
                tests = DATA[cell.dataset].tests
                if part == "f":
                    tests = tuple(kind for kind in tests if kind in TESTED_FORMS[cell.loss])
                if not shares_first(cell):
                    yield Step(part, cell, "first")
                yield from _of_selections(part, cell, tests)
                if part not in ("e", "f") and IID not in tests and backbone == MF:
                    unaware += _of_selections(part, cell, (IID,))
        yield from unaware


def _one_by_one(part):
    """Options at SL's choice: DSL's, and its similarities by counts (g); those of all losses in
    steps, and their tests (h)."""
    for losses in ((DSL,), (COUNTS,)) if part == "g" else ((SL, DSL), (BSL,)):
        for name in _SHIFTED + _OTHERS:
            for kind in DATA[name].tests:
                for loss in losses:
                    yield Step(part, Cell(name, MF, loss), "option", kind)
                    if part == "h":
                        yield Step(part, Cell(name, MF, IN_STEPS[loss]), "final", kind)


def _of_selections(part, cell, selections):
    """The second rounds and final runs of a cell; graph backbones have one round, forms no test."""
    stages = ["second"] * (cell.backbone == MF) + ["final"] * (part != "e")
    return [Step(part, cell, stage, kind) for kind in selections for stage in stages]


def shares_first(cell):
    """Whether a cell's first round is SL's: with its own options off the loss is SL."""
    return cell.backbone == MF and cell.loss not in (SL, TALOS, PSL, SLATK, SHARE, GAP)
