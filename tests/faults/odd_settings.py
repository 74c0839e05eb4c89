"""Odd values for every setting, from a dict or the command line: accepted, or refused in one line.

A case is one to three settings of a model with a drawn value each. Nothing is trained.
"""

import json
import os
import tempfile
import traceback

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config

# What each model needs beside its defaults.
MODELS = {
    "MF_SL": {},
    "LightGCN_DSL": {},
    "BPR": {},
    "SASRec": {"train_neg_sample_args": None},
}

_NUMBERS = st.one_of(
    st.sampled_from([-1, 0, 1, 2, 10, 0.0, -0.5, 0.5, 1.5, 1e308, -1e308, 1e-320, 2**31, 2**63]),
    st.sampled_from([float("nan"), float("inf"), float("-inf"), 10**400, -(10**30)]),
    st.integers(),
    st.floats(),
)
_WORDS = st.one_of(
    st.sampled_from(
        ["", " ", "None", "none", "nan", "inf", "True", "auto", "0", "-1", "1e5", "\t", "\\t", "\n",
         "a,b", "[5,inf)", "[5,", "(5,1]", ">=3", "full", "uni0", "uni10", "NDCG@10", "MRR", "../x",
         "\0", "user_id", "é", "cuda:0", "{a: 1", "&a [*a]", "!!python/none"]
    ),
    st.text(max_size=8),
)  # fmt: skip
_PLAIN = st.one_of(st.none(), st.booleans(), _NUMBERS, _WORDS)
_ODD = st.recursive(
    _PLAIN,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(_PLAIN, inner, max_size=2),
    ),
    max_leaves=6,
)

# Values that some setting takes, at every other.
_PLAUSIBLE = st.sampled_from(
    [
        None, True, False, 0, 1, 5, 0.1, 0.5, "auto", "uniform", "NDCG@10", "[5,inf)", "full",
        ["user_id"], ["Recall", "AUC"], [10, 20], {"inter": ["user_id", "item_id"]},
        {"RS": [0.8, 0.1, 0.1]}, {"LS": "valid_and_test"}, {"valid": "uni10"}, {"rating": 4},
        {"sample_num": 5}, {"distribution": None}, {"max_norm": 1}, {"user_field": "gender"},
    ]
)  # fmt: skip


def places(model):
    """Every setting of a model, the keys of maps too, as paths."""
    config = Config(model, "ml-100k", config_dict=MODELS[model])
    known = {(key,) for key in config.layered} - {("model",), ("dataset",)}
    known |= {path for path in config.schema.types if "*" not in path}
    maps = [path[:-1] for path in config.schema.types if path[-1] == "*" and len(path) == 2]
    return sorted(known | {(*path, "rating") for path in maps} | {("dataset",), ("model",)})


def drawn_settings(model):
    """A strategy: (words of the command line, settings of the dict)."""
    once = st.tuples(st.sampled_from(places(model)), st.one_of(_ODD, _PLAUSIBLE), st.booleans())
    several = st.lists(once, min_size=2, max_size=3, unique_by=lambda case: case[0][0])
    return st.one_of(st.tuples(once), several)


def outcome(model, drawn):
    """What becomes of a case: "accepted" or "refused".

    Raises:
        AssertionError: the refusal is no single line, or what was accepted is no JSON.
        Exception: the fault.
    """
    arguments, values = [], dict(MODELS[model])
    for place, value, as_text in drawn:
        for key in reversed(place[1:]):
            value = {key: value}
        if as_text:
            arguments.append((place[0], value if isinstance(value, str) else _text(value)))
        else:
            values[place[0]] = value
    names = {key: values.pop(key, None) for key in ("model", "dataset")}
    for key, default in (("model", model), ("dataset", "ml-100k")):
        if key not in dict(arguments) and names[key] is None:
            names[key] = default
    before = sorted(os.listdir())
    try:
        config = Config(names["model"], names["dataset"], config_dict=values, arguments=arguments)
    except UsageError as error:
        message = str(error)
        assert message and len(message.splitlines()) == 1, message
        result = "refused"
    else:
        json.dumps(config.settings(), allow_nan=False)
        result = "accepted"
    assert sorted(os.listdir()) == before, "something was written"
    return result


def _text(value):
    try:
        return str(value)
    except ValueError:  # an integer of thousands of digits
        return "9" * 5000


def cases(number, seed):
    """(model, outcome, example) of so many cases, as many of each model."""
    here, found = os.getcwd(), []
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            for at, model in enumerate(MODELS):
                share = number // len(MODELS) + (at < number % len(MODELS))
                found += _of_model(model, share, seed)
        finally:
            os.chdir(here)
    return found


def _of_model(model, number, seed):
    found = []

    @hypothesis.seed(seed)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(drawn=drawn_settings(model))
    def one(drawn):
        try:
            result, detail = outcome(model, drawn), ""
        except Exception as error:  # whatever it is, it is a fault
            line = traceback.extract_tb(error.__traceback__)[-1]
            result = f"{type(error).__name__} at {os.path.basename(line.filename)}:{line.lineno}"
            detail = str(error)[:300]
        found.append((model, result, f"{drawn}: {detail}"))

    one()
    return found
