"""The losses of dsl_study.py, and the settings that each of them tries.

Settings are functions of the rows of a scrambled Sobol sequence in eight dimensions, the same for
all losses: learning rate, tau, alpha, beta, gamma, K, the other option of BSL, SLatK and the
positive factor, and one that is not used.
"""

import functools

import scipy.stats
from dsl_study_data import IID, POPULARITY

TRIAL_SEED = 2020
MF, LIGHTGCN, XSIMGCL = "MF", "LightGCN", "XSimGCL"
SL, DSL, KAPPA, TEMPERATURE = "SL", "DSL", "DSL, kappa alone", "DSL, temperature alone"
BSL, TALOS, PSL, SLATK = "BSL", "Talos", "PSL", "SLatK"
LOSSES = (SL, DSL, KAPPA, TEMPERATURE, BSL, TALOS, PSL, SLATK)
RIVALS = (BSL, TALOS, PSL, SLATK)  # of other papers

# Forms of DSL that are ours: DSL's own trials with something changed.
FACTOR, HARDNESS, ENTROPY = "DSL, positive factor", "DSL, score as hardness", "DSL, entropy"
CENTRE, SHARE, GAP = "DSL, running centre", "DSL, tau by share", "DSL, tau by gap"
GAMMA_FACTOR = "DSL, gamma and positive factor"  # without kappa
COUNTS = "DSL, similarity by co-occurrence"
FORMS = (FACTOR, GAMMA_FACTOR, SHARE, HARDNESS, ENTROPY, CENTRE, GAP, COUNTS)
# Which get final runs, a choice from validation alone: what part g found of kappa and of the
# positive factor holds for i.i.d. tests, so that the form without kappa has these alone.
TESTED_FORMS = {GAMMA_FACTOR: (IID,), FACTOR: (IID, POPULARITY)}

# In steps: six more runs at SL's choice, which is their start. DSL has its options, the others off
# ({} is SL); BSL its ratio of temperatures, SL a closer look at learning rate and tau (factors,
# either way). As many epochs for each: where a plateau is noisy, early stopping decides more than
# an option does. A shifted selection has six runs more: by its validation the best ratio and the
# best beta were the lowest that there were.
IN_STEPS = {SL: "SL, in steps", BSL: "BSL, in steps", DSL: "DSL, in steps"}
OFF = {"alpha": 0.0, "beta": 0.0, "gamma": 0.0, "slate_size": 20}
_OPTIONS = (
    {}, {"gamma": 0.5}, {"gamma": 1.0}, {"beta": 1.0, "gamma": 1.0}, {"beta": -1.0, "gamma": 1.0},
    {"positive_factor": 1.25}, {"gamma": 0.5, "positive_factor": 1.25},
)  # fmt: skip
_LOWER_OPTIONS = (
    {"positive_factor": 0.8}, {"gamma": 0.5, "positive_factor": 0.8},
    {"beta": -1.0, "gamma": 1.0, "positive_factor": 0.8}, {"positive_factor": 0.65},
    {"beta": -1.0, "gamma": 1.0, "positive_factor": 0.65}, {"beta": -2.0, "gamma": 1.0},
)  # fmt: skip
ONE_BY_ONE = {IID: _OPTIONS, POPULARITY: _OPTIONS + _LOWER_OPTIONS}
# Beside them on validation, and in no loss's steps: beta by co-occurrence.
_BY_COUNTS = {"similarity": "co_occurrence", "gamma": 1.0}
COUNT_OPTIONS = tuple({**_BY_COUNTS, "beta": beta} for beta in (10.0, -5.0, -10.0, -20.0))
_RATIOS, _LOWER_RATIOS = (0.8, 0.9, 1.1, 1.25, 1.4, 1.6), (0.5, 0.6, 0.65, 0.7, 0.75, 0.85)
RATIOS = {IID: _RATIOS, POPULARITY: _RATIOS + _LOWER_RATIOS}
CLOSER_RATE, CLOSER_TAU = 1.5, 1.15
OPTION_EPOCHS = 40

LEARNING_RATE, TAU = (0.005, 0.1), (0.05, 0.3)
# Share of the trials in which it is off, and the range of the others.
ALPHA, BETA, GAMMA = (0.5, -2.0, 2.0), (0.25, -6.0, 2.0), (0.25, -0.5, 1.35)
# Similarities by co-occurrence are mostly under 0.1.
BETA_OF_COUNTS = 4  # times beta
SLATE, TAU_WEIGHT = (5, 100), (0.5, 3.0)
# A positive's temperature over its negatives': BSL's tau_pos / tau_neg, and DSL's positive factor.
POSITIVE_FACTOR, EFFECTIVE_SHARE = (0.8, 1.6), (0.1, 0.9)
# The second round: factor of the first one's learning rate and of its tau, either way, and distance
# of its share.
SECOND_RATE, SECOND_TAU, SECOND_SHARE = 2.0, 1.3, 0.15
# Around MF's choice: factor of tau and distance of beta and gamma, either way.
NEAR_TAU, NEAR_BETA, NEAR_GAMMA = 1.5, 1.5, 0.4


@functools.cache
def points(count):
    """(count, 8) rows of numbers in [0, 1), the first of one sequence, whatever the count."""
    sequence = scipy.stats.qmc.Sobol(8, scramble=True, seed=TRIAL_SEED)
    return sequence.random_base2(6)[:count].tolist()


def _log_between(place, low, high):
    return float(f"{low * (high / low) ** place:.4g}")


def _off_or_between(place, off, low, high):
    if place < off:
        return 0.0
    return round(low + (high - low) * (place - off) / (1 - off), 3)


def settings_of(loss, point, best=None):
    """The settings of a loss at a point of the unit cube.

    Args:
        loss: one of :data:`LOSSES` or :data:`FORMS`.
        point: (8,) learning rate, tau, alpha, beta, gamma, K, the other option of BSL, SLatK and
            the positive factor, and one that is not used.
        best: settings around which the second round looks; None: the first round.
    """
    settings = _rate_and_tau(loss, point, best)
    own = point[6]
    if loss.split(",")[0] == DSL:
        settings |= _branches(loss, point, best is None) | _changes(loss, own, best is None)
        if loss == COUNTS:
            settings["beta"] = round(settings["beta"] * BETA_OF_COUNTS, 3)
    elif loss == BSL:
        settings["tau_neg"] = tau = settings.pop("tau")
        ratio = 1 if best is None else _log_between(own, *POSITIVE_FACTOR)
        settings["tau_pos"] = float(f"{tau * ratio:.4g}")
    elif loss == TALOS:  # near a quantile, its tau is like twice as much in SL
        settings["tau"] = float(f"{settings['tau'] / 2:.4g}")
    elif loss == SLATK:
        settings["tau_weight"] = 2.5 if best is None else _log_between(own, *TAU_WEIGHT)
    return settings


def _rate_and_tau(loss, point, best):
    """Learning rate and tau, as SL has it, or what stands for tau."""
    rate, tau, *_ = point
    if best is None:
        settings = {"learning_rate": _log_between(rate, *LEARNING_RATE)}
        if loss == SHARE:
            low, high = EFFECTIVE_SHARE
            return settings | {"effective_share": round(low + (high - low) * tau, 3)}
        return settings if loss == GAP else settings | {"tau": _log_between(tau, *TAU)}
    settings = {"learning_rate": _near(best["learning_rate"], SECOND_RATE, rate)}
    if loss == SHARE:
        share = best["effective_share"] + SECOND_SHARE * (2 * tau - 1)
        return settings | {"effective_share": round(min(max(share, 0.02), 0.98), 3)}
    if loss == GAP:
        return settings
    at = {BSL: "tau_neg"}.get(loss, "tau")
    return settings | {"tau": _near(best[at] * (2 if loss == TALOS else 1), SECOND_TAU, tau)}


def _near(value, factor, place):
    return float(f"{value * factor ** (2 * place - 1):.4g}")


def _branches(loss, point, off):
    """DSL's own options: off in the first round, and the branch that an ablation is without."""
    _, _, alpha, beta, gamma, slate, *_ = point
    no_kappa, no_temperature = off or loss in (TEMPERATURE, GAMMA_FACTOR), off or loss == KAPPA
    return {
        "alpha": 0.0 if no_kappa else _off_or_between(alpha, *ALPHA),
        "beta": 0.0 if no_kappa else _off_or_between(beta, *BETA),
        "gamma": 0.0 if no_temperature else _off_or_between(gamma, *GAMMA),
        "slate_size": 20 if off else round(_log_between(slate, *SLATE)),
    }


def _changes(form, own, off):
    """What a form of DSL changes in DSL's trial; nothing for those of LOSSES."""
    factor = {"positive_factor": 1.0 if off else _log_between(own, *POSITIVE_FACTOR)}
    return {
        FACTOR: factor,
        GAMMA_FACTOR: factor,
        HARDNESS: {"hardness": "score"},
        ENTROPY: {"intensity": "entropy"},
        CENTRE: {"centre": "running"},
        SHARE: {"base_tau": "effective_share"},
        GAP: {"base_tau": "score_gap"},
        COUNTS: {"similarity": "co_occurrence"},
    }.get(form, {})


def settings_around(choice, point):
    """MF's chosen settings, moved: any learning rate, tau, beta and gamma near MF's.

    Args:
        choice: MF's settings, of SL or DSL. point: as in :func:`settings_of`.
    """
    rate, tau, _, beta, gamma, *_ = point
    moved = {**choice, "learning_rate": _log_between(rate, *LEARNING_RATE)}
    moved["tau"] = _near(choice["tau"], NEAR_TAU, tau)
    for name, place, distance in (("beta", beta, NEAR_BETA), ("gamma", gamma, NEAR_GAMMA)):
        if name in choice:
            moved[name] = round(choice[name] + distance * (2 * place - 1), 3)
    return moved


def count_options(selection, loss=SL):
    """How many settings of its own a loss tries in steps, the same for all but the form by counts,
    which is only validated."""
    return len(COUNT_OPTIONS) if loss == COUNTS else len(RATIOS[selection])


def options_at(loss, best, selection):
    """What a loss tries in steps: SL's choice as that loss has it, then settings of its own.

    Args:
        loss: SL, BSL, DSL or its form by counts. best: SL's chosen settings.
        selection: "iid" or "popularity".
    """
    rate, tau = best["learning_rate"], best["tau"]
    if loss == DSL:
        return [{**best, **OFF, **options} for options in ONE_BY_ONE[selection]]
    if loss == COUNTS:
        return [{**best, **OFF, **options} for options in ({}, *COUNT_OPTIONS)]
    if loss == BSL:
        of_ratios = [float(f"{tau * ratio:.4g}") for ratio in (1, *RATIOS[selection])]
        return [{"learning_rate": rate, "tau_neg": tau, "tau_pos": found} for found in of_ratios]
    closer = [
        {"learning_rate": _near(rate, CLOSER_RATE, p[0]), "tau": _near(tau, CLOSER_TAU, p[1])}
        for p in points(count_options(selection))
    ]
    return [best, *closer]
