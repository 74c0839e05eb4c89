"""tuning.html: how a study went, in Optuna's own figures."""

from pathlib import Path

import optuna
import optuna.visualization as figures

from recbole_dsl.pages import Section, write_page
from recbole_dsl.tuning.search import short

# Below so many complete trials, importance says more of chance than of the settings.
_ENOUGH = 10


def write(plan, found, report):
    """Write the page of a study; its path."""
    path, study = Path(plan.output) / "tuning.html", _counted(plan, found)
    target = dict(target_name=f"{plan.metric} on validation")
    sections = [
        Section(
            "Trials",
            "Each point is a trial; the line is the best so far.",
            [figures.plot_optimization_history(study, **target)],
        ),
        Section(
            "Settings",
            "The score of each trial over each setting that was tuned.",
            [figures.plot_slice(study, **target)],
        ),
    ]
    if _tells_importance(found):
        figure = figures.plot_param_importances(study, **target)
        text = (
            "How much each setting decides whether a trial is among the best, by Optuna's "
            "PED-ANOVA of the complete trials. With few trials this is a hint, no more."
        )
        sections.append(Section("Importance", text, [figure]))
    sections.append(
        Section(
            "Epochs",
            f"{plan.metric} on validation after each epoch. A curve that ends before the others "
            "was stopped without a gain, or ended early as hopeless.",
            [
                figures.plot_intermediate_values(study).update_layout(
                    xaxis_title="Epoch", yaxis_title=target["target_name"]
                )
            ],
        )
    )
    sections.append(Section("All trials", "Best first.", table=_table(plan, report)))
    intro = (
        f"Trial {report['trial']} is the best of {report['trials']['complete']} complete trials: "
        f"{plan.metric} {report['valid']:.4f} on validation in epoch {report['best_epoch']}. The "
        f"search did not look at the test rows.\n\n{plan.command}"
    )
    write_page(path, f"{plan.model} on {plan.dataset}, tuned", intro, sections)
    return str(path)


def _counted(plan, found):
    """A study in memory of the trials that count, by slot: no killed attempts, no doubles."""
    study = optuna.create_study(direction="maximize" if plan.bigger else "minimize")
    study.add_trials([trial for _, trial in sorted(found.done.items())])
    return study


def _tells_importance(found):
    """Whether there is something to explain: several settings and scores that differ."""
    complete = list(found.complete.values())
    varied = {
        name for t in complete for name, v in t.params.items() if v != complete[0].params[name]
    }
    differ = len({trial.value for trial in complete}) > 1
    return len(complete) >= _ENOUGH and differ and len(varied) > 1


def _table(plan, report):
    names = sorted(plan.ranges)
    rows = [["trial", plan.metric, "epoch", "seconds", *names, ""]]
    for row in report["table"]:
        valid = "" if row["valid"] is None else f"{row['valid']:.4f}"
        seconds = "" if row["seconds"] is None else f"{row['seconds']:.1f}"
        values = [short(row["settings"].get(name, "")) for name in names]
        epoch = "" if row["epoch"] is None else row["epoch"]
        rows.append([row["trial"], valid, epoch, seconds, *values, row["note"]])
    return rows
