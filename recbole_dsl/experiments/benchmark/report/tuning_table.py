"""What tuning gave each model before its runs: a table and a note on it."""

from collections.abc import Callable, Mapping
from typing import Any

from recbole_dsl.common.text import short
from recbole_dsl.experiments.benchmark.report.tables import Rows, seconds_cell


def table(plan: Mapping[str, Any], word: Callable[[str], str] = str) -> Rows | None:
    """Budget and best settings of each model: rows of text, first the header; None without tuning.

    Args:
        plan: what :func:`store.read_plan` gives. word: label -> text.
    """
    several = len(plan["protocol"]) > 1
    header = ["model", "trials", "complete", "ended early", "failed", "seconds", "valid"]
    rows = [["dataset"] * several + [*header, "settings"]]
    for outcome in plan.get("tuning") or ():
        cells = [outcome["dataset"]] * several + [word(outcome["label"])]
        if "error" in outcome:
            cells += [str(outcome["budget"]["trials"]), *[""] * 5, "failed, see below"]
        else:
            cells += _cells(outcome, word)
        rows.append(cells)
    return rows if len(rows) > 1 else None


def _cells(outcome: Mapping[str, Any], word: Callable[[str], str]) -> list[str]:
    counts = outcome["trials"]
    cells = [str(counts[name]) for name in ("asked", "complete", "pruned", "failed")]
    if outcome["why_not"]:
        return [*cells, "", "", f"not tuned: {outcome['why_not']}"]
    best = ", ".join(f"{name}: {short(value)}" for name, value in outcome["best"].items())
    valid = f"{outcome['metric']} {outcome['valid']:.4f}"
    return [*cells, seconds_cell(outcome["seconds"]), valid, word(best)]


def note(plan: Mapping[str, Any]) -> str:
    """What a reader has to know of :func:`table`, in a sentence or two."""
    first = plan["tuning"][0]  # budget, sampler and seed are those of all studies
    trials, seconds = first["budget"]["trials"], first["budget"]["seconds"]
    early = ", hopeless trials ended early" if first["sampler"] == "tpe" else ""
    text = (
        f"Tuned first: {trials} trials for each model and dataset"
        + (f", none begun after {seconds:g} s of them" if seconds else "")
        + f", by {first['sampler']}{early}, on validation alone, with seed {first['seed']}."
    )
    not_tuned = [outcome for outcome in plan["tuning"] if outcome["why_not"]]
    if not_tuned:
        labels = ", ".join(dict.fromkeys(outcome["label"] for outcome in not_tuned))
        text += f" Not tuned, 0 trials: {labels}."
    return text


def failures(plan: Mapping[str, Any]) -> list[str]:
    """A line for each study that found nothing, whose runs were not made."""
    return [
        f"tuning of {outcome['label']} on {outcome['dataset']}: {outcome['error'].splitlines()[-1]}"
        for outcome in plan.get("tuning") or ()
        if "error" in outcome
    ]
