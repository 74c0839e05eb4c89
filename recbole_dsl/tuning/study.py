"""Optuna's side: the storage, the study and what it is tied to, samplers and pruner."""

import contextlib
import warnings
from pathlib import Path

import numpy as np
import optuna
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from recbole_dsl.settings import UsageError
from recbole_dsl.tuning import slots
from recbole_dsl.tuning.plan import difference

# A database is told every so many seconds that a trial's process lives; after so many without
# news, on whichever machine it was, the trial is taken for killed.
HEARTBEAT, GRACE = 20, 90
_IDENTITY = "recbole_dsl"
# How long a process may take from claiming a trial to signing it.
_UNSIGNED_SECONDS = 60


@contextlib.contextmanager
def quiet():
    """Optuna's own log, a line and a traceback a trial, stays out of ours."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # heartbeats
            yield
    finally:
        optuna.logging.set_verbosity(before)


def open_storage(where):
    """Optuna's storage: a database for a URL, else a journal file for one machine.

    Raises:
        UsageError: it cannot be reached or made.
    """
    try:
        if "://" in where:
            return optuna.storages.RDBStorage(
                where, heartbeat_interval=HEARTBEAT, grace_period=GRACE
            )
        Path(where).parent.mkdir(parents=True, exist_ok=True)
        return optuna.storages.JournalStorage(JournalFileBackend(where))
    except Exception as error:  # SQLAlchemy's, the driver's, JSON's and the file system's own
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise UsageError(f"storage {where}: {reason}") from error


class _PerSlot(BaseSampler):
    """A sampler seeded anew for every slot.

    What a slot draws then depends on the seed and the slot (and for TPE on the results so far),
    not on which process draws it nor on how often the study was interrupted.
    """

    def __init__(self, kind, seed):
        self._kind, self._seed, self._own = kind, seed, None

    def before_trial(self, study, trial):
        slot = trial.user_attrs.get("slot", trial.number)
        seed = int(np.random.SeedSequence([self._seed, slot]).generate_state(1)[0])
        self._own = self._kind(seed=seed)
        self._own.before_trial(study, trial)

    def infer_relative_search_space(self, study, trial):
        return self._own.infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        return self._own.sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution):
        return self._own.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study, trial, state, values):
        if self._own is not None:  # None: a killed trial is put away before any was taken
            self._own.after_trial(study, trial, state, values)


def pruner(plan):
    """Ends a trial whose best score so far is below the median of the others at that epoch.

    From the sixth trial and the fifth epoch on, and where three trials came that far.
    """
    if not plan.prune:
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=4, n_min_trials=3)


def open_study(plan, made=False):
    """The study of a plan; with ``made``, a new one where the storage has none.

    Raises:
        UsageError: the storage has a study of this name that tunes something else.
    """
    storage = open_storage(plan.storage)
    # A grid's points are all queued with their values, so that nothing is drawn.
    kind = RandomSampler if plan.sampler in ("random", "grid") else TPESampler
    options = dict(
        study_name=plan.study, storage=storage, sampler=_PerSlot(kind, plan.seed),
        pruner=pruner(plan),
    )  # fmt: skip
    if not made:
        return optuna.load_study(**options)
    direction = "maximize" if plan.bigger else "minimize"
    study = optuna.create_study(**options, direction=direction, load_if_exists=True)
    if _IDENTITY not in study.user_attrs:
        if study.get_trials(deepcopy=False):
            raise UsageError(f"study {plan.study} in {plan.storage} was not made by this command")
        study.set_user_attr(_IDENTITY, plan.identity)
    differs = difference(study.user_attrs[_IDENTITY], plan.identity)
    if differs:
        raise UsageError(
            f"study {plan.study} in {plan.storage} tunes something else: {differs}; another "
            "--study=NAME or --storage keeps them apart"
        )
    return study


def refill(study, plan):
    """Fail the attempts whose process has gone, queue the slots that nobody has; the slots then."""
    optuna.storages.fail_stale_trials(study)  # where the storage has heartbeats
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _gone(trial):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
    found = slots.sort(study.get_trials(deepcopy=False), plan.trials)
    points = plan.grid() if plan.sampler == "grid" and found.open else None
    for slot in found.open:
        study.enqueue_trial({} if points is None else points[slot], user_attrs={"slot": slot})
    return slots.sort(study.get_trials(deepcopy=False), plan.trials)


def _gone(trial):
    process = trial.user_attrs.get("process")
    if process is not None:
        return slots.is_dead(process)
    age = (trial.datetime_start.now() - trial.datetime_start).total_seconds()
    return age > _UNSIGNED_SECONDS
