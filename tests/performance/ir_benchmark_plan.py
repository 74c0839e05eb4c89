"""What ir_benchmark.py tries: settings of each loss, in two rounds of equal size for all losses."""

import itertools

# By kind of split: learning rates, and SL's temperatures; the first round takes those in between.
RATES = {"iid": (0.001, 0.003, 0.01, 0.03), "popularity": (0.003, 0.01, 0.1, 0.3)}
TAUS = {
    "iid": (0.1, 0.15, 0.2, 0.25, 0.3, 0.35),
    "popularity": (0.05, 0.07, 0.1, 0.15, 0.2, 0.25),
}
FURTHER = 4  # trials of the second round


def split_of(dataset):
    """The kind of a published split."""
    return "popularity" if dataset.endswith("-popularity") else "iid"


def own_settings(split):
    """Loss -> what it can try, each the same to all backbones: a list for each of its settings.

    The first and the last value of a list are for the second round alone.
    """
    taus = TAUS[split]
    weights = (1e-5, 0.0, 1e-4, 1e-3, 1e-2, 1e-1)  # nothing is below 0; 1e-5 is next to it
    # Of one negative the whole tables decay, as in RecBole's own BPR, and not only a batch's rows.
    single = {"score": "dot", "train_neg_sample_args": "{sample_num: 1}"}
    decays = (1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4)
    # Of the negatives' temperature, BSL's for the positive: a weaker pull, or a stronger one, which
    # helps rare items. DSL: its defaults, or its preset for a shifted test; then with a beta too.
    ratio, dsl, with_beta = 1.25, {"beta": 0.0, "gamma": 0.5}, {"beta": 1.0, "gamma": 1.0}
    if split == "popularity":
        ratio, dsl = 0.8, {"gamma": 0.5, "positive_factor": 0.8}
        with_beta = {"beta": -1.0, "gamma": 1.0, "positive_factor": 0.8}
    return {
        "BPR": [[{"score": "dot", "reg_weight": weight} for weight in weights]],
        "BPR, one negative": [[{**single, "weight_decay": weight} for weight in decays]],
        "SL": [[{"tau": tau} for tau in taus]],
        "BSL, paired": [[{"form": "paired", "tau_pos": 0.2, "tau_neg": tau} for tau in taus]],
        "BSL, row": [[{"tau_pos": round(ratio * tau, 4), "tau_neg": tau} for tau in taus]],
        "PSL": [[{"surrogate": "relu", "tau": tau} for tau in taus]],
        "AdvInfoNCE": [[{"tau": tau} for tau in taus]],
        "SLatK": [
            [{"tau": tau} for tau in taus[1:5]],
            [{"tau_weight": weight} for weight in (1.5, 2.25, 3.0, 4.0)],
        ],
        "Talos": [[{"tau": tau / 2} for tau in taus]],
        "DSL": [[{"tau": tau, **dsl} for tau in taus]],
        "DSL, with beta": [[{"tau": tau, **with_beta} for tau in taus]],
    }


LOSSES = tuple(own_settings("iid"))


def _axes(dataset, loss):
    split = split_of(dataset)
    return [[{"learning_rate": rate} for rate in RATES[split]], *own_settings(split)[loss]]


def _merged(parts):
    return {key: value for part in parts for key, value in part.items()}


def _products(axes):
    return [_merged(parts) for parts in itertools.product(*axes)]


def space(dataset, loss):
    """Every setting that a loss can try on a data set."""
    return _products(_axes(dataset, loss))


def trials(dataset, loss):
    """What a loss tries first on a data set: two learning rates by four settings of its own."""
    return _products(axis[1:-1] for axis in _axes(dataset, loss))


def further_trials(dataset, loss, ranked):
    """Four more settings: neighbours of the best ones that have not been tried, nearest first.

    Args:
        ranked: the settings of the first round, the best first.
    """
    axes, chosen = _axes(dataset, loss), []
    tried = trials(dataset, loss)
    for settings in ranked:
        new = [near for near in _neighbours(axes, settings) if near not in [*tried, *chosen]]
        chosen += new
    return chosen[:FURTHER]


def _neighbours(axes, settings):
    """Settings one place away on some axes, those that differ on the fewest first."""
    places = [next(i for i, x in enumerate(a) if x.items() <= settings.items()) for a in axes]
    steps = itertools.product((0, 1, -1), repeat=len(axes))
    for step in sorted(steps, key=lambda step: sum(map(abs, step))):
        moved = [place + by for place, by in zip(places, step, strict=True)]
        if all(0 <= place < len(axis) for place, axis in zip(moved, axes, strict=True)):
            yield _merged(axis[place] for place, axis in zip(moved, axes, strict=True))
