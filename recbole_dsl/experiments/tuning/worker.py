"""One process of a study: runs trials until none is left, and stores what became of each."""

import multiprocessing
import statistics
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any

from recbole_dsl.common.errors import NothingToSelectOnError
from recbole_dsl.common.text import duration
from recbole_dsl.experiments import events, single_run
from recbole_dsl.experiments.tuning import attempts
from recbole_dsl.experiments.tuning.attempts import PLANNED, StudyState, study_state
from recbole_dsl.experiments.tuning.plan import Plan
from recbole_dsl.experiments.tuning.study import open_study, queue_trials, quiet

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial


class TrialFailed(Exception):
    """A trial ended in an error, which is stored with it; the study goes on."""


def work(plan: Plan) -> None:
    """Run trials of a plan's study until all are done or its seconds are spent.

    Raises:
        NothingToSelectOnError: the split has no validation rows.
    """
    import optuna

    parent = multiprocessing.parent_process()
    with quiet():
        study = open_study(plan)
        while parent is None or parent.is_alive():
            state = queue_trials(study, plan)
            if not state.queued or state.seconds >= plan.max_seconds:
                return
            try:
                study.optimize(
                    Objective(plan), n_trials=1, catch=(TrialFailed,), callbacks=[_Report(plan)]
                )
            except optuna.exceptions.UpdateFinishedTrialError:
                # No heartbeat for too long: the machine slept, or could not reach the database.
                print(
                    "a trial of this process was taken for killed and is run again", file=sys.stderr
                )


class Objective:
    """Trains one trial and evaluates it on validation, never on test."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __call__(self, trial: "optuna.Trial") -> float:
        """The best validation score of a trial.

        Raises:
            TrialFailed: training ended in an error, or the trial need not be run.
            optuna.TrialPruned: it was ended early. NothingToSelectOnError: no validation score.
        """
        try:
            return self._attempt(trial)
        except (KeyboardInterrupt, NothingToSelectOnError):
            # Also before the training begins: what is stored for a trial first takes its time.
            trial.set_user_attr("interrupted", True)
            raise

    def _attempt(self, trial: "optuna.Trial") -> float:
        plan = self.plan
        trial.set_user_attr("process", attempts.this_process())
        trials = trial.study.get_trials(deepcopy=False)
        number = trial.user_attrs.get(PLANNED, plan.trials)
        if number >= plan.trials or attempts.is_duplicate(trial, trials):
            trial.set_user_attr("unneeded", True)
            raise TrialFailed("another process has this trial already")
        settings = {name: span.suggest(trial, name) for name, span in plan.ranges.items()}
        trial.set_user_attr("session", plan.session)
        trial.set_user_attr("seed", plan.seed)
        if (equal := _equal_trial(trial, trials)) is not None:
            return _copy_result(trial, equal)
        return self._train(trial, settings)

    def _train(self, trial: "optuna.Trial", settings: dict[str, Any]) -> float:
        import optuna

        scores, started = _EpochScores(trial, self.plan), time.perf_counter()
        try:
            result = single_run.run(
                **self.plan.arguments(settings), saved=False, tested=False, after_validation=scores
            )
            if result["valid"] is None:
                raise NothingToSelectOnError(
                    "there is no validation score to select on: the split has no validation rows, "
                    "or eval_step is 0"
                )
            trial.set_user_attr("valid", result["valid"])
            score: float = result["best_valid_score"]
            return score
        except (
            optuna.TrialPruned,
            optuna.exceptions.UpdateFinishedTrialError,
            NothingToSelectOnError,
        ):
            raise
        except Exception as error:
            trial.set_user_attr("error", f"{type(error).__name__}: {error}")
            trial.set_user_attr("traceback", traceback.format_exc())
            raise TrialFailed(str(error)) from error
        finally:
            trial.set_user_attr("seconds", time.perf_counter() - started)
            trial.set_user_attr("best_epoch", scores.best_epoch)


class _EpochScores:
    """Reports each epoch's validation score to Optuna, and ends a trial that Optuna would prune."""

    def __init__(self, trial: "optuna.Trial", plan: Plan) -> None:
        self._trial, self._plan = trial, plan
        self._scores: dict[int, float] = {}
        self.best_epoch: int | None = None

    def __call__(self, epoch: int, score: float) -> None:
        import optuna

        if epoch in self._scores:  # models that train in stages begin again
            return
        self._scores[epoch] = score
        choose = max if self._plan.bigger else min
        best = choose(self._scores.values())
        self.best_epoch = max(e for e, s in self._scores.items() if s == best)  # as RecBole does
        self._trial.report(score, epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned(f"epoch {epoch}")


def _equal_trial(trial: "optuna.Trial", trials: "list[FrozenTrial]") -> "FrozenTrial | None":
    """A complete trial with the same settings: the same seed would give the same numbers."""
    for other in trials:
        if other.state.name == "COMPLETE" and other.params == trial.params:
            return other
    return None


def _copy_result(trial: "optuna.Trial", other: "FrozenTrial") -> float:
    for name in ("valid", "best_epoch"):
        trial.set_user_attr(name, other.user_attrs[name])
    trial.set_user_attr("same_as", other.user_attrs[PLANNED])
    trial.set_user_attr("seconds", 0.0)
    return other.values[0]


class _Report:
    """Prints a line for each trial as it ends, and adds an event where the plan names a file."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def __call__(self, study: "optuna.Study", trial: "FrozenTrial") -> None:
        if trial.user_attrs.get("unneeded"):
            return
        plan = self._plan
        state = study_state(study.get_trials(deepcopy=False), plan.trials)
        text = progress_text(plan, trial, state)
        left = seconds_left(plan, state)
        line = text if left is None else f"{text}; about {duration(left)} left"
        print(line, file=sys.stderr, flush=True)
        if plan.events is not None:
            events.append(
                plan.events,
                {
                    "event": "trial",
                    "trial": trial.user_attrs[PLANNED],
                    "ended": len(state.done) + len(state.given_up),
                    "planned": plan.trials,
                    "value": trial.value if trial.state.name == "COMPLETE" else None,
                    "seconds": trial.user_attrs.get("seconds", 0.0),
                    "text": text,
                },
            )


def outcome_text(plan: Plan, trial: "FrozenTrial") -> str:
    """What became of a trial, in a few words."""
    attributes = trial.user_attrs
    if trial.state.name == "FAIL":
        return "failed: " + str(attributes.get("error", "its process was killed")).splitlines()[0]
    if "same_as" in attributes:
        return f"{plan.metric} {trial.value:.4f}, the settings of trial {attributes['same_as']}"
    if trial.state.name == "PRUNED":
        return f"ended early after epoch {trial.last_step}, {attributes['seconds']:.0f} s"
    epoch, seconds = attributes["best_epoch"], attributes["seconds"]
    return f"{plan.metric} {trial.value:.4f} in epoch {epoch}, {seconds:.0f} s"


def progress_text(plan: Plan, trial: "FrozenTrial", state: StudyState) -> str:
    """``3 of 20: trial 2 mrr@10 0.3 in epoch 4, 5 s; best 0.31 (trial 1)``."""
    ended = len(state.done) + len(state.given_up)
    outcome = outcome_text(plan, trial)
    text = f"{ended} of {plan.trials}: trial {trial.user_attrs[PLANNED]} {outcome}"
    best = attempts.best_trial(state, plan.bigger)
    if best is not None:
        text += f"; best {best[1].value:.4f} (trial {best[0]})"
    return text


def seconds_left(plan: Plan, state: StudyState) -> float | None:
    """An estimate of the seconds until the study ends; None without a trial to go by, or to run."""
    seconds = [t.user_attrs["seconds"] for t in state.done.values() if t.user_attrs.get("seconds")]
    left = plan.trials - len(state.done) - len(state.given_up)
    if not seconds or not left:
        return None
    mean: float = statistics.mean(seconds)
    return max(1.0, mean * left / max(1, plan.jobs))  # not 0 s while a trial is left
