"""What tuning gave each model before its runs: a table, and what has to be known of it."""

from recbole_dsl.benchmark.tables import seconds_text


def table(plan, word=str):
    """What each model got: rows of text, the first one the header; None without tuning.

    Args:
        plan: what :func:`recbole_dsl.benchmark.store.read_plan` gives. word: label -> text.
    """
    several = len(plan["protocol"]) > 1
    header = ["model", "trials", "complete", "ended early", "failed", "seconds", "valid"]
    rows = [["dataset"] * several + [*header, "settings"]]
    for outcome in plan.get("tuning") or ():
        cells = [outcome["dataset"]] * several + [word(outcome["label"])]
        if "error" in outcome:
            cells += [str(outcome["asked"]["trials"]), *[""] * 5, "failed, see below"]
        else:
            cells += _budget(outcome, word)
        rows.append(cells)
    return rows if len(rows) > 1 else None


def _budget(outcome, word):
    counted = outcome["trials"]
    cells = [str(counted[name]) for name in ("asked", "complete", "pruned", "failed")]
    if outcome["why_not"]:
        return [*cells, "", "", f"not tuned: {outcome['why_not']}"]
    best = ", ".join(f"{name}: {_short(value)}" for name, value in outcome["best"].items())
    valid = f"{outcome['metric']} {outcome['valid']:.4f}"
    return [*cells, seconds_text(outcome["seconds"]), valid, word(best)]


def _short(value):
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def note(plan):
    """What a reader has to know of :func:`table`, in a sentence or two."""
    some = plan["tuning"][0]
    cap = some["asked"]["seconds"]
    early = ", hopeless trials ended early" if some["sampler"] == "tpe" else ""
    said = (
        f"Tuned first: {some['asked']['trials']} trials for each model and dataset"
        + (f", none begun after {cap:g} s of them" if cap else "")
        + f", by {some['sampler']}{early}, on validation alone, with seed {some['seed']}."
    )
    idle = [outcome for outcome in plan["tuning"] if outcome["why_not"]]
    if idle:
        labels = ", ".join(dict.fromkeys(outcome["label"] for outcome in idle))
        said += f" Not tuned, 0 trials: {labels}."
    return said


def failures(plan):
    """A line for each study that found nothing, whose runs were not made."""
    return [
        f"tuning of {outcome['label']} on {outcome['dataset']}: {outcome['error'].splitlines()[-1]}"
        for outcome in plan.get("tuning") or ()
        if "error" in outcome
    ]
