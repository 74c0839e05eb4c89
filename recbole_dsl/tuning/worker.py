"""One process of a study: takes trials until none is left, and records what came of each."""

import multiprocessing
import statistics
import sys
import time
import traceback

import optuna
from optuna.trial import TrialState

from recbole_dsl import runner
from recbole_dsl.tuning import slots
from recbole_dsl.tuning.study import open_study, quiet, refill


class TrialFailed(Exception):
    """A trial ended in an error, which it has recorded; the study goes on."""


class NothingToSelectOnError(RuntimeError):
    """Trials have no validation score; str() says why."""


def work(plan):
    """Run trials of a plan's study until its slots are done or its seconds are spent.

    Raises:
        NothingToSelectOnError: the split has no validation rows.
    """
    parent = multiprocessing.parent_process()
    with quiet():
        study = open_study(plan)
        while parent is None or parent.is_alive():
            found = refill(study, plan)
            if not found.waiting or found.seconds >= plan.max_seconds:
                return
            study.optimize(
                Objective(plan), n_trials=1, catch=(TrialFailed,), callbacks=[_Progress(plan)]
            )


class Objective:
    """Trains one trial and evaluates it on validation, never on test."""

    def __init__(self, plan):
        self.plan = plan

    def __call__(self, trial):
        plan = self.plan
        trial.set_user_attr("process", slots.this_process())
        trials = trial.study.get_trials(deepcopy=False)
        slot = trial.user_attrs.get("slot", plan.trials)
        if slot >= plan.trials or slots.taken(trial, trials):
            trial.set_user_attr("surplus", True)
            raise TrialFailed("nothing was left for this process")
        best = {name: span.suggest(trial, name) for name, span in plan.ranges.items()}
        trial.set_user_attr("session", plan.session)
        trial.set_user_attr("seed", plan.seed)
        if (same := _same(trial, trials)) is not None:
            return _take_over(trial, same)
        return self._train(trial, best)

    def _train(self, trial, best):
        watch, started = _Watch(trial, self.plan), time.perf_counter()
        try:
            result = runner.run(
                **self.plan.at(best), saved=False, tested=False, after_validation=watch
            )
            if result["valid"] is None:
                raise NothingToSelectOnError(
                    "there is no validation score to select on: the split has no validation rows, "
                    "or eval_step is 0 or above epochs"
                )
            trial.set_user_attr("valid", result["valid"])
            return result["best_valid_score"]
        except optuna.TrialPruned:
            raise
        except (KeyboardInterrupt, NothingToSelectOnError):
            trial.set_user_attr("interrupted", True)
            raise
        except Exception as error:
            trial.set_user_attr("error", f"{type(error).__name__}: {error}")
            trial.set_user_attr("traceback", traceback.format_exc())
            raise TrialFailed(str(error)) from error
        finally:
            trial.set_user_attr("seconds", time.perf_counter() - started)
            trial.set_user_attr("best_epoch", watch.best_epoch)


class _Watch:
    """Reports each epoch's validation score to Optuna and ends a trial that it calls hopeless."""

    def __init__(self, trial, plan):
        self._trial, self._plan = trial, plan
        self._reported, self.best_epoch = {}, None

    def __call__(self, epoch, score):
        if epoch in self._reported:  # models that train in stages begin again
            return
        self._reported[epoch] = score
        choose = max if self._plan.bigger else min
        best = choose(self._reported.values())
        self.best_epoch = max(e for e, s in self._reported.items() if s == best)  # as RecBole does
        self._trial.report(score, epoch)
        if self._trial.should_prune():
            raise optuna.TrialPruned(f"epoch {epoch}")


def _same(trial, trials):
    """A complete trial with the same settings: the same seed would give the same numbers."""
    for other in trials:
        if other.state == TrialState.COMPLETE and other.params == trial.params:
            return other
    return None


def _take_over(trial, other):
    for name in ("valid", "best_epoch"):
        trial.set_user_attr(name, other.user_attrs[name])
    trial.set_user_attr("same_as", other.user_attrs["slot"])
    trial.set_user_attr("seconds", 0.0)
    return other.value


class _Progress:
    """A line for each trial as it ends, with an estimate of the time that is left."""

    def __init__(self, plan):
        self._plan = plan

    def __call__(self, study, trial):
        if not trial.user_attrs.get("surplus"):
            found = slots.sort(study.get_trials(deepcopy=False), self._plan.trials)
            print(line(self._plan, trial, found), file=sys.stderr, flush=True)


def outcome(plan, trial):
    """What came of a trial, in a few words."""
    attributes = trial.user_attrs
    if trial.state == TrialState.FAIL:
        return "failed: " + attributes.get("error", "its process was killed").splitlines()[0]
    if "same_as" in attributes:
        return f"{plan.metric} {trial.value:.4f}, the settings of trial {attributes['same_as']}"
    if trial.state == TrialState.PRUNED:
        return f"ended early after epoch {trial.last_step}, {attributes['seconds']:.0f} s"
    epoch, seconds = attributes["best_epoch"], attributes["seconds"]
    return f"{plan.metric} {trial.value:.4f} in epoch {epoch}, {seconds:.0f} s"


def line(plan, trial, found):
    """The progress line of a trial, given the slots of the study."""
    ended = len(found.done) + len(found.given_up)
    text = f"{ended} of {plan.trials}: trial {trial.user_attrs['slot']} {outcome(plan, trial)}"
    winner = slots.best(found, plan.bigger)
    if winner is not None:
        text += f"; best {winner[1].value:.4f} (trial {winner[0]})"
    taken = [t.user_attrs["seconds"] for t in found.done.values() if t.user_attrs.get("seconds")]
    left = plan.trials - ended
    if taken and left:
        seconds = statistics.mean(taken) * left / max(1, plan.jobs)
        text += f"; about {duration(seconds)} left"
    return text


def duration(seconds):
    """Seconds in words of a fitting size."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
