"""What validation alone says in dsl_study.py: forms of DSL, and its options one by one."""

import statistics

from dsl_study_data import DATA, IID, POPULARITY
from dsl_study_jobs import chosen, key_of, option_jobs
from dsl_study_plan import METRIC, Cell
from dsl_study_results import TEST_NAMES
from dsl_study_settings import COUNT_OPTIONS, COUNTS, DSL, FORMS, MF, ONE_BY_ONE
from measuring import markdown_table


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
