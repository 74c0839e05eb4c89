"""From the results of dsl_study.py to the tables of its page, of what has run so far."""

import functools
import statistics

from dsl_study_comparison import corrected
from dsl_study_data import DATA, IID, POPULARITY
from dsl_study_jobs import budget, chosen, trials
from dsl_study_plan import Cell
from dsl_study_results import BACKBONES, TEST_NAMES, compared, marks, own, p_value, percent, score
from dsl_study_settings import (
    BSL,
    DSL,
    FORMS,
    IN_STEPS,
    KAPPA,
    LOSSES,
    MF,
    ONE_BY_ONE,
    SL,
    TEMPERATURE,
    TESTED_FORMS,
)
from measuring import markdown_table


def main_table(study, selection_of=own):
    """DSL against SL and against the best loss of another paper."""
    gains = compared(study, selection_of)
    rivals = {key: study.rival(*key) for key in gains}
    against = corrected(
        [
            study.gain(Cell(*key[:2], DSL), rival, *key[2:]) if rival else None
            for key, rival in rivals.items()
        ]
    )
    lines = []
    for (key, found), other in zip(gains.items(), against, strict=True):
        name, backbone, *where = key
        rival, at = rivals[key], functools.partial(Cell, name, backbone)
        lines.append(
            [
                name, backbone, TEST_NAMES[where[1]],
                *(score(study.result(at(loss), *where)) for loss in (SL, DSL)),
                percent(found), p_value(found and found.p_users), p_value(found and found.p_seeds),
                f"{rival} {score(study.result(at(rival), *where))}" if rival else "",
                percent(other), p_value(other and other.p_users),
            ]
        )  # fmt: skip
    head = [
        "data", "backbone", "test", "SL", "DSL", "DSL over SL", "p, users", "p, seeds",
        "best of the others", "DSL over it", "p, users",
    ]  # fmt: skip
    return markdown_table(head, lines)


def ablation_table(study):
    """Each branch of DSL alone, both, and the forms that are tested, over SL."""
    losses, lines = (KAPPA, TEMPERATURE, DSL, *TESTED_FORMS), []
    for name, backbone, *where in study.tests(own):
        gains = [study.gain(Cell(name, backbone, loss), SL, *where) for loss in losses]
        if backbone == MF:
            sl = study.result(Cell(name, backbone, SL), *where)
            lines.append([name, TEST_NAMES[where[1]], score(sl), *map(percent, gains)])
    return markdown_table(["data", "test", SL, *losses], lines)


# (a loss, the loss that it is compared with).
STEPWISE = (IN_STEPS[DSL], IN_STEPS[SL])
STEPWISE_TO_TRIALS = (IN_STEPS[DSL], SL)


def steps_table(study):
    """SL, BSL and DSL in steps on each test: what each chose, and one over another; and DSL over
    SL by its 12 trials alone, which may train for longer."""
    sl, bsl, dsl = (IN_STEPS[loss] for loss in (SL, BSL, DSL))
    pairs = (STEPWISE, (bsl, sl), (dsl, bsl), STEPWISE_TO_TRIALS)
    over = [compared(study, losses=pair) for pair in pairs]
    lines = []
    for name, backbone, *where in study.tests(own, STEPWISE):
        found = {loss: study.result(Cell(name, backbone, loss), *where) for loss in (sl, bsl, dsl)}
        shown = [
            f"{score(found[loss])} {_chosen_in_steps(study, name, loss, where[1])}"
            for loss in found
        ]
        gains = [of_pair.get((name, backbone, *where)) for of_pair in over]
        cells = [f"{percent(gain)} {p_value(gain and gain.p_users)}".strip() for gain in gains]
        lines.append([name, TEST_NAMES[where[1]], *shown, *cells])
    head = [
        "data", "test", SL, BSL, DSL, "DSL over SL, p", "BSL over SL, p", "DSL over BSL, p",
        "DSL over SL's 12 trials, p",
    ]  # fmt: skip
    return markdown_table(head, lines)


def _chosen_in_steps(study, name, loss, kind):
    """What a loss in steps chose beside SL's learning rate and tau, in brackets."""
    best = chosen(study.runs, Cell(name, MF, loss), kind)
    if best is None:
        return ""
    if best["trial"] == 0:
        return "(SL's choice)"
    settings = best["settings"]
    if loss == IN_STEPS[DSL]:
        said = ONE_BY_ONE[kind][best["trial"]]
    elif loss == IN_STEPS[BSL]:
        said = {"tau_pos / tau_neg": settings["tau_pos"] / settings["tau_neg"]}
    else:
        said = settings
    return f"({', '.join(f'{key} {value:.3g}' for key, value in said.items())})"


def readme_table(study):
    """The README's rows, shifted tests first: over SL, DSL by 12 trials of its own options and, in
    steps, DSL and BSL; stars by p over users, Holm's correction over a column."""
    sl, bsl, dsl = (IN_STEPS[loss] for loss in (SL, BSL, DSL))
    columns = [compared(study, losses=pair) for pair in ((DSL, SL), (dsl, sl), (bsl, sl))]
    keys = dict.fromkeys(key for column in columns for key in column if key[1] == MF)
    lines = []
    order = [(name, test) for test in (POPULARITY, IID) for name in DATA]
    for key in sorted(keys, key=lambda key: order.index((key[0], key[3]))):
        name = key[0].removeprefix("amazon2014-").removesuffix("-popularity")
        gains = [column.get(key) for column in columns]
        lines.append([TEST_NAMES[key[3]], name, *map(_gain_and_stars, gains)])
    head = ["test", "data", "DSL, own options", "DSL, in steps", "BSL, in steps"]
    return markdown_table(head, lines)


def _gain_and_stars(gain):
    if gain is None:
        return ""
    return f"{100 * gain.relative:+.1f} % {marks(gain.p_users)}".rstrip()


def losses_table(study):
    """Every loss on every test, with what was chosen for it."""
    lines = []
    for backbone in BACKBONES:
        for name, data in DATA.items():
            for test in data.tests:
                for loss in (*LOSSES, *TESTED_FORMS, *IN_STEPS.values()):
                    cell = Cell(name, backbone, loss)
                    found = study.result(cell, test, test)
                    if found is not None:
                        best = chosen(study.runs, cell, test)
                        lines.append(
                            [
                                name, backbone, TEST_NAMES[test], loss,
                                ", ".join(f"{k} {v}" for k, v in best["settings"].items()),
                                best["valid"][test]["best_epoch"] + 1,
                                f"{best['valid'][test]['ndcg@20']:.4f}", found.shown(),
                                found.shown("recall@20"), len(found.runs),
                            ]
                        )  # fmt: skip
    head = [
        "data", "backbone", "test", "loss", "chosen on its validation", "epochs", "valid NDCG@20",
        "test NDCG@20", "Recall@20", "seeds",
    ]  # fmt: skip
    return markdown_table(head, lines)


def groups_table(study):
    """NDCG@20 of SL and DSL by item popularity; a row's three contributions add up."""
    lines = []
    for name, backbone, *where in study.tests(own):
        found = [study.result(Cell(name, backbone, loss), *where) for loss in (SL, DSL)]
        if None not in found:
            sl, dsl = (result.groups() for result in found)
            cells = [f"{sl[group]:.4f} → {dsl[group]:.4f}" for group in sl]
            lines.append([name, backbone, TEST_NAMES[where[1]], *cells])
    return markdown_table(["data", "backbone", "test", "head", "mid", "tail"], lines)


def seconds_table(study):
    """Median seconds of an epoch's training over the trials, and over those of SL."""
    lines = []
    for name in DATA:
        for backbone in BACKBONES:
            medians = {
                loss: statistics.median(row["epoch_seconds"] for row in trials)
                for loss in LOSSES
                if (trials := study.runs.trained(Cell(name, backbone, loss)))
            }
            if SL in medians:
                cells = [
                    f"{medians[loss]:.2f} ({medians[loss] / medians[SL]:.2f})"
                    if loss in medians else "" for loss in LOSSES
                ]  # fmt: skip
                lines.append([name, backbone, *cells])
    return markdown_table(["data", "backbone", *LOSSES], lines)


def budget_table(study):
    """Trials of each cell and selection: asked, done, failed; which losses share a line have the
    same."""
    shown = {}
    for name, data in DATA.items():
        for backbone in BACKBONES:
            for loss in (*LOSSES, *FORMS):
                cell = Cell(name, backbone, loss)
                for kind in (IID, POPULARITY):
                    rows = trials(study.runs, cell, kind)
                    if rows and (kind in data.tests or len(rows) > len(trials(study.runs, cell))):
                        failed = sum("failed" in row for row in rows)
                        key = (name, backbone, TEST_NAMES[kind], budget(cell), len(rows), failed)
                        shown.setdefault(key, []).append(loss)
    rows = [[*key[:3], "; ".join(losses), *key[3:]] for key, losses in shown.items()]
    head = ["data", "backbone", "validation", "losses", "trials asked", "run", "failed"]
    return markdown_table(head, rows)
