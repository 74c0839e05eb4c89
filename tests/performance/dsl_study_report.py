"""From the store of dsl_study.py to its page: what came out, tables, pictures, what is missing."""

import statistics
from collections import Counter

import dsl_study_pictures as pictures
from dsl_study_data import IID, POPULARITY
from dsl_study_jobs import left
from dsl_study_plan import Cell, steps
from dsl_study_results import TEST_NAMES, Study, compared, own, percent
from dsl_study_settings import DSL, MF, SL
from dsl_study_tables import (
    STEPWISE,
    STEPWISE_TO_TRIALS,
    ablation_table,
    budget_table,
    groups_table,
    losses_table,
    main_table,
    readme_table,
    seconds_table,
    steps_table,
)
from dsl_study_validation import forms_table, options_table
from measuring import RESULTS, page_of
from measuring import write_page as replace_tables

README = RESULTS.parent.parent / "README.md"
AIM_SHIFTED, AIM_IID, AIM_WORST = 0.093, 0.02, -0.01


# Sentences ---------------------------------------------------------------------------------------


def verdict(study, losses=(DSL, SL)):
    """What became of the aims with MF, and where DSL does not win, from the numbers."""
    gains = compared(study, losses=losses)
    gains = {key: found for key, found in gains.items() if found is not None}
    lines = []
    for test, aim in ((POPULARITY, AIM_SHIFTED), (IID, AIM_IID)):
        found = {k: g for k, g in gains.items() if k[1] == MF and k[3] == test}
        if not found:
            lines.append(f"- {TEST_NAMES[test]} tests, MF: nothing has been tested yet.")
            continue
        mean = statistics.mean(g.relative for g in found.values())
        better = [g for g in found.values() if g.relative > 0]
        clear = [g for g in better if g.p_users is not None and g.p_users < 0.05]
        worst = min(found.values(), key=lambda g: g.relative)
        lines.append(
            f"- {TEST_NAMES[test]} tests, MF: DSL is above SL on {len(better)} of {len(found)} "
            f"sets, on {len(clear)} significantly over users (Holm); mean gain "
            f"{100 * mean:+.1f} % (aim {100 * aim:+.1f} %), lowest {100 * worst.relative:+.1f} %"
            + (f" (aim: none under {100 * AIM_WORST:+.0f} %)." if test == IID else ".")
        )
    lost = [
        f"{name}, {backbone}, {TEST_NAMES[test]} ({percent(found)})"
        for (name, backbone, _, test), found in gains.items()
        if found.relative <= 0 or found.p_users is None or found.p_users >= 0.05
    ]
    if gains:
        said = "; ".join(lost) if lost else "nowhere so far"
        lines.append(f"- Not above SL, or not significantly: {said}.")
    return lines


def _behind_others(study):
    """Where a loss of another paper is ahead of DSL."""
    for name, backbone, *where in study.tests(own):
        rival = study.rival(name, backbone, *where)
        found = rival and study.gain(Cell(name, backbone, DSL), rival, *where)
        if found and found.relative < 0:
            yield f"On {name}, {backbone}, {TEST_NAMES[where[1]]}, {rival} is ahead of DSL: " + (
                f"DSL over it {percent(found)}."
            )


def not_run(study):
    """What is missing, by part."""
    total, missing = Counter(step.part for step in steps()), {}
    for step, runs in left(study.runs):
        missing.setdefault(step.part, []).append((step, runs))
    lines = []
    for part, found in missing.items():
        runs = sum(count for _, count in found)
        begun = [s for s, _ in found if s.cell in study.runs.cells]
        lines.append(
            f"- Part {part}: {len(found)} of {total[part]} steps, {runs} runs"
            + (f"; begun: {', '.join(sorted({' '.join(s.cell) for s in begun}))}" if begun else "")
            + "."
        )
    return lines or ["- Nothing: all parts have run."]


# Page --------------------------------------------------------------------------------------------


def sections(study):
    """The lines between the marks of the page."""
    front, sensitivity = "dsl_study_front.svg", "dsl_study_sensitivity.svg"
    return [
        "## What came out", "", *verdict(study),
        *(f"- {sentence}" for sentence in _behind_others(study)),
        "", "## DSL against SL, and against the best of the others",
        "", "Each test by the validation of its own kind.", "", *main_table(study),
        "", "The shifted tests by a selection on i.i.d. validation, which does not know of them:",
        "", *main_table(_OnlyShifted(study), lambda test: IID),
        "", "## In steps, tested", "",
        "First SL, by its 12 trials; then as many runs more for each loss at SL's choice (6 for an",
        "i.i.d. test, 12 for a shifted one): SL looks closer, BSL tries temperatures of the",
        "positive, DSL its options one by one. MF; p over users, Holm's correction over a column.",
        "", *verdict(study, STEPWISE),
        "", "Against what SL's 12 trials choose alone, with up to 60 epochs where the runs in",
        "steps have 40:",
        "", *verdict(study, STEPWISE_TO_TRIALS), "", *steps_table(study),
        "", "## What each branch does, MF, and the forms that are tested", "",
        *ablation_table(study),
        "", "## One option at a time, on validation", "",
        "DSL over SL at the same learning rate and tau, SL's best of the set, after as many",
        "epochs; K is 20, and what a row does not name is off. No test is read.",
        "", "By the popularity validation:", "", *options_table(study, POPULARITY),
        "", "By the i.i.d. validation:", "", *options_table(study, IID),
        "", "## Forms of DSL, on validation", "",
        "The best of 12 trials of each form over the best of DSL's 12; no test is read.",
        "", *forms_table(study),
        "", "## By item popularity", "", "SL → DSL, contributions to NDCG@20.",
        "", *groups_table(study),
        "", "## Where each loss stands", "", f"![i.i.d. against shifted NDCG]({front})",
        "", "## Sensitivity", "", f"![validation by tau, beta, gamma]({sensitivity})",
        "", "## Every loss", "", *losses_table(study),
        "", "## Seconds of an epoch, and over SL's", "",
        "Wall clock, while other work ran beside it at times: no comparison of speed, which is in",
        "[A training step](step.md).", "",
        *seconds_table(study),
        "", "## Budgets", "", *budget_table(study),
        "", "## Not run yet", "", *not_run(study),
    ]  # fmt: skip


class _OnlyShifted(Study):
    """The same study, its shifted tests of MF alone: no other backbone has runs for them by a
    selection of another kind, but where that chooses the same trial."""

    def __init__(self, study):
        super().__init__(study.runs, study.store)

    def tests(self, selection_of, losses=(DSL, SL)):
        """As in :class:`Study`."""
        found = super().tests(selection_of, losses)
        return (key for key in found if key[1] == MF and key[3] == POPULARITY)


def write_page(runs, store):
    """Write the page of a store, and its pictures beside it; the text around them is kept.

    The README has a table of its own, by the store that lies here.
    """
    study = Study(runs, store)
    page = page_of(store)
    replace_tables(page, "tables", sections(study))
    if page.parent == RESULTS:
        replace_tables(README, "study", readme_table(study))
    pictures.save(study, page)
