"""Optuna's side: the study and the plan it is tied to, sampler and pruner.

Optuna is imported where it is used, so that this file can be imported without it.
"""

import contextlib
import datetime
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.tuning import attempts
from recbole_dsl.experiments.tuning.attempts import PLANNED, StudyState, study_state
from recbole_dsl.experiments.tuning.plan import Plan, difference
from recbole_dsl.experiments.tuning.storage import open_storage, without_password

if TYPE_CHECKING:
    import optuna

_IDENTITY = "recbole_dsl"
# How long a process may take from getting a trial to storing in it which process it is.
_UNSIGNED_SECONDS = 60


def need_optuna() -> None:
    """Raise UsageError where Optuna is not installed."""
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise UsageError("tuning needs Optuna: pip install recbole_dsl[tuning]") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without Optuna's own log, a line and a traceback for each trial."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # heartbeats
            yield
    finally:
        optuna.logging.set_verbosity(before)


def _sampler(
    kind: "Callable[..., optuna.samplers.BaseSampler]", seed: int
) -> "optuna.samplers.BaseSampler":
    """A sampler of some kind that is seeded anew for every planned trial.

    What a trial samples then depends on the seed and its planned number (and for TPE on the results
    so far), not on which process samples it nor on how often the study was interrupted.
    """
    import optuna

    class SeededByPlannedTrial(optuna.samplers.BaseSampler):
        """Hands all work to a sampler that is made before each trial."""

        def __init__(self) -> None:
            self._own: optuna.samplers.BaseSampler | None = None

        def before_trial(self, study: Any, trial: Any) -> None:
            number = trial.user_attrs.get(PLANNED, trial.number)
            own_seed = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
            self._own = kind(seed=own_seed)
            self._own.before_trial(study, trial)

        def infer_relative_search_space(self, study: Any, trial: Any) -> Any:
            assert self._own is not None
            return self._own.infer_relative_search_space(study, trial)

        def sample_relative(self, study: Any, trial: Any, search_space: Any) -> Any:
            assert self._own is not None
            return self._own.sample_relative(study, trial, search_space)

        def sample_independent(
            self, study: Any, trial: Any, param_name: str, param_distribution: Any
        ) -> Any:
            assert self._own is not None
            return self._own.sample_independent(study, trial, param_name, param_distribution)

        def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
            if self._own is not None:  # None: a killed trial is failed before any was sampled
                self._own.after_trial(study, trial, state, values)

    return SeededByPlannedTrial()


def _pruner(plan: Plan) -> "optuna.pruners.BasePruner":
    """Ends a trial whose best score so far is below the median of the others at that epoch.

    From the sixth trial and the fifth epoch on, and where three trials came that far.
    """
    import optuna

    if not plan.prune:
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=4, n_min_trials=3)


def open_study(plan: Plan, create: bool = False) -> "optuna.Study":
    """The study of a plan; with ``create``, a new one where the storage has none.

    Raises:
        UsageError: the storage has a study of this name that tunes something else.
    """
    import optuna

    storage = open_storage(plan.storage, patient=not create)
    place = without_password(plan.storage)
    # A grid's points are all queued with their values, so that nothing is sampled.
    at_random = plan.sampler in ("random", "grid")
    kind = optuna.samplers.RandomSampler if at_random else optuna.samplers.TPESampler
    sampler, pruner = _sampler(kind, plan.seed), _pruner(plan)
    if not create:
        return optuna.load_study(
            study_name=plan.study, storage=storage, sampler=sampler, pruner=pruner
        )
    study = optuna.create_study(
        study_name=plan.study,
        storage=storage,
        sampler=sampler,
        pruner=pruner,
        direction="maximize" if plan.bigger else "minimize",
        load_if_exists=True,
    )
    if _IDENTITY not in study.user_attrs:
        if study.get_trials(deepcopy=False):
            raise UsageError(f"study {plan.study} in {place} was not made by this command")
        study.set_user_attr(_IDENTITY, plan.identity)
    differs = difference(study.user_attrs[_IDENTITY], plan.identity)
    if differs:
        raise UsageError(
            f"study {plan.study} in {place} tunes something else: {differs}; another "
            "--study=NAME or --storage keeps them apart"
        )
    return study


def queue_trials(study: "optuna.Study", plan: Plan) -> StudyState:
    """Fail the attempts whose process has ended, and queue the planned trials that nobody has.

    Returns:
        The state of the study after that.
    """
    import optuna

    optuna.storages.fail_stale_trials(study)  # where the storage has heartbeats
    for trial in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
        if _process_ended(trial):
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL, skip_if_finished=True)
    unclaimed = study_state(study.get_trials(deepcopy=False), plan.trials).unclaimed
    points = plan.grid() if plan.sampler == "grid" and unclaimed else None
    for number in unclaimed:
        values = {} if points is None else points[number]
        study.enqueue_trial(values, user_attrs={PLANNED: number})
    return study_state(study.get_trials(deepcopy=False), plan.trials)


def _process_ended(trial: "optuna.trial.FrozenTrial") -> bool:
    process = trial.user_attrs.get("process")
    if process is not None:
        return attempts.is_dead(process)
    assert trial.datetime_start is not None
    age = datetime.datetime.now() - trial.datetime_start
    return age.total_seconds() > _UNSIGNED_SECONDS
