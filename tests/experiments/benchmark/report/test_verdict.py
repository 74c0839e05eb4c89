"""The sentences on who won, their numbers worked out by scipy and pandas."""

import re

import numpy as np
import pandas as pd
import pytest
import scipy.stats
from summaries import draws, summary_of

from recbole_dsl.experiments.benchmark.report.tables import Style, comparisons
from recbole_dsl.experiments.benchmark.report.verdict import verdict

LEVELS = {"MF_DSL": 0.30, "MF_SL": 0.33, "BPR": 0.25, "Pop": 0.301}


def _said(values, reference, metric="ndcg@10", **more):
    return verdict(summary_of({metric: values}, reference, **more), "test", metric)


def _expected(values, model, reference):
    """(mean of the model, difference, relative %, low, high) and the raw p-values of all."""
    users = pd.DataFrame({label: column.mean(axis=0) for label, column in values.items()})
    gaps = users[model] - users[reference]
    interval = scipy.stats.t.interval(0.95, len(gaps) - 1, gaps.mean(), scipy.stats.sem(gaps))
    mean = users.mean()
    difference = mean[model] - mean[reference]
    raw = {label: scipy.stats.ttest_rel(users[label], users[reference]).pvalue
           for label in users if label != reference}  # fmt: skip
    return (mean[model], difference, 100 * difference / mean[reference], *interval), raw


def _holm(raw):
    order = sorted(raw, key=raw.get)
    scaled = [min(1, (len(raw) - place) * raw[label]) for place, label in enumerate(order)]
    return dict(zip(order, np.maximum.accumulate(scaled), strict=True))


def _numbers(text):
    return [float(number) for number in re.findall(r"(?<![@\w])-?\d+\.\d+(?! correction)", text)]


def test_a_winner_over_the_reference_with_its_interval_and_corrected_p():
    values = draws(LEVELS)
    said = _said(values, "MF_DSL")
    expected, raw = _expected(values, "MF_SL", "MF_DSL")
    assert said.startswith("MF_SL has the highest ndcg@10 on tiny: ")
    assert _numbers(said)[:5] == pytest.approx(expected, abs=0.05)
    assert [f"{number:.4f}" for number in np.delete(expected, 2)] == re.findall(
        r"-?0\.\d{4}", said.replace("0.0001", "")
    )
    assert f"({expected[2]:.1f} %) ahead of MF_DSL (95 % interval" in said
    assert "which is significant: p < 0.0001 by Holm's correction for 3 models" in said
    assert "paired t-test over 200 users, mean over seeds." in said
    corrected = _holm(raw)
    assert corrected["Pop"] > 0.05
    assert said.endswith(
        "Of 3 models tested against MF_DSL: 1 significantly better, 1 significantly worse, 1 not "
        "significantly different."
    )


def test_a_reference_that_wins_is_told_against_the_next():
    values = draws({**LEVELS, "MF_SL": 0.26})
    values["Pop"] -= 0.004
    said = _said(values, "MF_DSL")
    (_, difference, _, low, high), raw = _expected(values, "Pop", "MF_DSL")
    relative = 100 * -difference / values["Pop"].mean()
    assert f"{-difference:.4f} ({relative:.1f} %) ahead of Pop, the next" in said
    assert f"interval {-high:.4f} to {-low:.4f})" in said
    p = _holm(raw)["Pop"]
    word = "significant" if p < 0.05 else "not significant"
    assert f"which is {word}: p = {p:.4f} by Holm's" in said


def test_what_the_reference_gains_is_relative_to_the_next():
    values = draws({"A": 0.4, "B": 0.2})
    relative = 100 * (values["A"].mean() / values["B"].mean() - 1)
    assert relative > 90 and f"({relative:.1f} %) ahead of B, the next" in _said(values, "A")


def test_no_significant_difference_is_called_so():
    values = draws({"A": 0.300, "B": 0.3001, "C": 0.2999}, users=30)
    said = _said(values, "C")
    assert "which is not significant: p = " in said
    assert "none significantly better, none significantly worse, 2 not significantly" in said


def test_the_numbers_are_those_of_the_table():
    values = draws(LEVELS)
    summary = summary_of({"ndcg@10": values}, "MF_DSL")
    said = verdict(summary, "test", "ndcg@10")
    row = next(row for row in comparisons(summary, "test", "ndcg@10", Style()) if row[0] == "MF_SL")
    for cell in (row[1], *row[2].split(" to ")):
        assert cell.lstrip("+") in said
    assert row[5] == "< 0.0001" and "p < 0.0001" in said


def test_smaller_is_better_for_some_metrics():
    values = draws({"A": 0.5, "B": 0.4})
    said = _said(values, "A", "giniindex@10")
    (mean, difference, *_), _ = _expected(values, "B", "A")
    assert said.startswith(f"B has the lowest giniindex@10 on tiny: {mean:.4f}, {-difference:.4f} ")
    assert "ahead of A" in said and "Holm" not in said  # one model is one test
    said = _said(draws({"A": 0.5, "B": 0.4, "C": 0.6, "D": 0.45}), "A", "giniindex@10")
    assert said.endswith(
        ": 2 significantly better, 1 significantly worse, none not significantly different."
    )


def test_one_sided_tests_do_not_claim_what_they_do_not_ask():
    said = _said(draws(LEVELS), "MF_DSL", alternative="better")
    assert "which is not significant: p = 1.0000" in said and "one-sided paired" in said
    assert "significantly better" not in said and "1 significantly worse, 2 not" in said


def test_what_cannot_be_told():
    values = draws({"A": 0.5, "B": 0.4}, seeds=1)
    assert _said({"A": values["A"]}, "A").endswith("There is no other model to compare it with.")
    assert "one seed." in _said(values, "A")
    same = {"A": values["A"], "B": values["A"].copy()}
    assert _said(same, "A").startswith("A and B have the highest ndcg@10 on tiny: ")
    assert _said(same, "A").endswith(", the same for all.")
    lost = summary_of({"ndcg@10": values}, "A")
    assert verdict(lost._replace(reference="X"), "test", "ndcg@10").endswith(
        "Nothing is tested, since X has no result."
    )
    results = {key: one._replace(users=None) for key, one in lost.results.items()}
    assert "is not tested: there is nothing to pair" in verdict(
        lost._replace(results=results), "test", "ndcg@10"
    )
