"""From the store of dsl_study.py to the tables of its page, of what has run so far."""

import functools
import statistics

from dsl_study_comparison import corrected, gain, result
from dsl_study_data import DATA, IID, POPULARITY
from dsl_study_jobs import budget, chosen, key_of, option_jobs, trials
from dsl_study_plan import METRIC, Cell
from dsl_study_settings import (
    BSL,
    COUNT_OPTIONS,
    COUNTS,
    DSL,
    FORMS,
    IN_STEPS,
    KAPPA,
    LIGHTGCN,
    LOSSES,
    MF,
    ONE_BY_ONE,
    RIVALS,
    SL,
    TEMPERATURE,
    TESTED_FORMS,
    XSIMGCL,
)
from measuring import markdown_table

from recbole_dsl.experiments.benchmark.report.significance import stars

BACKBONES = (MF, LIGHTGCN, XSIMGCL)
TEST_NAMES = {IID: "i.i.d.", POPULARITY: "popularity"}


class Study:
    """The rows of a store, and what its final runs found, looked up once.

    Args:
        runs: :class:`dsl_study_plan.Runs` of the store. store: its path, beside which the users'
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


def _shown(found):
    return "" if found is None else found.shown()


def percent(gain):
    """A gain and its interval, as text."""
    if gain is None:
        return ""
    return f"{100 * gain.relative:+.1f} % [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]"


def _p(value):
    if value is None:
        return ""
    return ("< 0.001" if value < 0.001 else f"{value:.3f}") + f" {_stars(value)}".rstrip()


def _stars(p):
    """As Markdown shows them; none where there is no p."""
    return "" if p is None else stars(p).replace("*", r"\*")


# Tables ------------------------------------------------------------------------------------------


def compared(study, selection_of=own, losses=(DSL, SL)):
    """A loss against another on each test: (data set, backbone, selection, test) -> Gain or None,
    by Holm over all of them."""
    keys = list(study.tests(selection_of, losses))
    gains = [study.gain(Cell(name, b, losses[0]), losses[1], *where) for name, b, *where in keys]
    return dict(zip(keys, corrected(gains), strict=True))


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
                *(_shown(study.result(at(loss), *where)) for loss in (SL, DSL)),
                percent(found), _p(found and found.p_users), _p(found and found.p_seeds),
                f"{rival} {_shown(study.result(at(rival), *where))}" if rival else "",
                percent(other), _p(other and other.p_users),
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
            lines.append([name, TEST_NAMES[where[1]], _shown(sl), *map(percent, gains)])
    return markdown_table(["data", "test", SL, *losses], lines)


def forms_table(study):
    """The best of each form's trials on validation, over the best of DSL's; no test is read."""
    lines = []
    for name in DATA:
        for kind in (IID, POPULARITY):
            best = {
                loss: _best_on_validation(study, Cell(name, MF, loss), kind)
                for loss in (DSL, *FORMS)
            }
            if best[DSL] is not None and any(best[form] is not None for form in FORMS):
                cells = [
                    "" if best[form] is None else f"{100 * (best[form] / best[DSL] - 1):+.1f} %"
                    for form in FORMS
                ]
                lines.append([name, TEST_NAMES[kind], f"{best[DSL]:.4f}", *cells])
    return markdown_table(["data", "validation", DSL, *FORMS], lines)


def _best_on_validation(study, cell, kind):
    best = chosen(study.runs, cell, kind)
    return None if best is None else best["valid"][kind][METRIC]


def options_table(study, kind):
    """DSL with one option at SL's choice of a validation, over SL there with as many epochs; the
    mean where all sets have it. No test is read."""
    gains, first = {}, {}
    for name, data in DATA.items():
        jobs = [
            job
            for loss in ((DSL, COUNTS) if kind in data.tests else ())
            for job in option_jobs(study.runs, Cell(name, MF, loss), kind)
        ]
        found = [_validated(study.runs.by_key.get(key_of(job)), kind) for job in jobs]
        if found and found[0] is not None:
            first[name] = f"{found[0]:.4f}"
            gains[name] = [None if value is None else value / found[0] - 1 for value in found]
    lines = [["none: SL", *first.values(), ""]] if gains else []
    tried = (*ONE_BY_ONE[kind], *COUNT_OPTIONS)
    for number, options in list(enumerate(tried))[1:] if gains else ():
        found = [of_set[number] for of_set in gains.values()]
        mean = None if None in found else statistics.mean(found)
        shown = ["" if gain is None else f"{100 * gain:+.1f} %" for gain in (*found, mean)]
        said = ", ".join(f"{key} {value}" for key, value in _in_words(options).items())
        lines.append([said, *shown])
    return markdown_table(["options", *gains, "mean"], lines)


def _in_words(options):
    """Settings as a table names them: numbers without needless digits, and whose beta it is."""
    words = {key: f"{value:g}" for key, value in options.items() if key != "similarity"}
    by_counts = {"co-occurrence, beta": words.pop("beta")} if "similarity" in options else {}
    return by_counts | words


def _validated(row, kind):
    """The best NDCG@20 of a trial; None where there is none, or it failed."""
    return None if row is None or "failed" in row else row["valid"][kind][METRIC]


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
            f"{_shown(found[loss])} {_chosen_in_steps(study, name, loss, where[1])}"
            for loss in found
        ]
        gains = [of_pair.get((name, backbone, *where)) for of_pair in over]
        cells = [f"{percent(gain)} {_p(gain and gain.p_users)}".strip() for gain in gains]
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
    return f"{100 * gain.relative:+.1f} % {_stars(gain.p_users)}".rstrip()


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
