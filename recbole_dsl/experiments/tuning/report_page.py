"""tuning.html: how a study went, in Optuna's own figures."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from recbole_dsl.common.html_page import Section, write_page
from recbole_dsl.common.text import short
from recbole_dsl.experiments.tuning.attempts import StudyState
from recbole_dsl.experiments.tuning.plan import Plan

if TYPE_CHECKING:
    import optuna

# With fewer complete trials, importance reflects chance more than the settings.
_TRIALS_FOR_IMPORTANCE = 10


def write(plan: Plan, state: StudyState, report: dict[str, Any]) -> str:
    """Write the page of a study.

    Args:
        state: of the study. report: what :func:`recbole_dsl.experiments.tuning.search.tune`
            returns.
    Returns:
        Its path.
    """
    path = Path(plan.output) / "tuning.html"
    sections = [
        *_figures(plan, state),
        Section("All trials", "Best first.", table=_table(plan, report)),
    ]
    intro = (
        f"Trial {report['trial']} is the best of {report['trials']['complete']} complete trials: "
        f"{plan.metric} {report['valid']:.4f} on validation in epoch {report['best_epoch']}. The "
        f"search did not look at the test rows.\n\n{plan.command}"
    )
    write_page(path, f"{plan.model} on {plan.dataset}, tuned", intro, sections)
    return str(path)


def _figures(plan: Plan, state: StudyState) -> list[Section]:
    from optuna import visualization

    study, score = _study_in_memory(plan, state), f"{plan.metric} on validation"
    sections = [
        Section(
            "Trials",
            "Each point is a trial; the line is the best so far.",
            (visualization.plot_optimization_history(study, target_name=score),),
        ),
        Section(
            "Settings",
            "The score of each trial over each setting that was tuned.",
            (visualization.plot_slice(study, target_name=score),),
        ),
    ]
    if _shows_importance(state):
        figure = visualization.plot_param_importances(study, target_name=score)
        text = (
            "How much each setting decides whether a trial is among the best, by Optuna's "
            "PED-ANOVA of the complete trials. With few trials this is a hint, no more."
        )
        sections.append(Section("Importance", text, (figure,)))
    curves = visualization.plot_intermediate_values(study)
    curves.update_layout(xaxis_title="Epoch", yaxis_title=score)
    text = (
        f"{plan.metric} on validation after each epoch. A curve that ends before the others "
        "was stopped without a gain, or ended early as hopeless."
    )
    return [*sections, Section("Epochs", text, (curves,))]


def _study_in_memory(plan: Plan, state: StudyState) -> "optuna.Study":
    """A study of the trials that count, in the order planned: no killed attempts, no duplicates."""
    import optuna

    study = optuna.create_study(direction="maximize" if plan.bigger else "minimize")
    study.add_trials([trial for _, trial in sorted(state.done.items())])
    return study


def _shows_importance(state: StudyState) -> bool:
    """Whether there is something to explain: several settings and scores that differ."""
    complete = list(state.complete.values())
    varied = {
        name for t in complete for name, v in t.params.items() if v != complete[0].params[name]
    }
    differ = len({trial.value for trial in complete}) > 1
    return len(complete) >= _TRIALS_FOR_IMPORTANCE and differ and len(varied) > 1


def _table(plan: Plan, report: dict[str, Any]) -> list[list[object]]:
    names = sorted(plan.ranges)
    rows: list[list[object]] = [["trial", plan.metric, "epoch", "seconds", *names, ""]]
    for row in report["table"]:
        valid = "" if row["valid"] is None else f"{row['valid']:.4f}"
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
        values = [short(row["settings"].get(name, "")) for name in names]
        epoch = "" if row["epoch"] is None else row["epoch"]
        rows.append([row["trial"], valid, epoch, seconds, *values, row["note"]])
    return rows
