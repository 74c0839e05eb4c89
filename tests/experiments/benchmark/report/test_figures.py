"""Gains by group, against pandas."""

import numpy as np
import pandas as pd
import pytest
from summaries import draws, summary_of

from recbole_dsl.experiments.benchmark.report.figures import groups, line_styles, times

GROUPS = ("head", "mid", "tail")


@pytest.fixture
def measured():
    """A summary with groups, and their values as a frame: seed, label, group, value."""
    summary = summary_of({"ndcg@10": draws({"A": 0.3, "B": 0.4, "C": 0.2})}, "A")
    rows, draw = [], np.random.default_rng(0)
    for label, records in summary.records.items():
        for record in records:
            values = dict(zip(GROUPS, draw.uniform(0.1, 0.9, 3).tolist(), strict=True))
            values["tail"] = 0.0 if label == "A" else values["tail"]
            by_metric = {"recall@10": values, "ndcg@10": {k: v / 2 for k, v in values.items()}}
            record["groups"] = {"item_popularity": {"metrics": {"test": by_metric}}}
            rows += [(record["seed"], label, name, value) for name, value in values.items()]
    return summary, pd.DataFrame(rows, columns=["seed", "label", "group", "recall"])


def test_gains_are_relative_to_the_mean_of_the_reference(measured):
    summary, frame = measured
    (found,) = groups(summary, "recall@10")
    means = frame.groupby(["label", "group"])["recall"].mean().unstack()
    (figure,) = found.gains
    assert [trace.name for trace in figure.data] == ["B", "C"]
    for trace in figure.data:
        expected = 100 * (means.loc[trace.name] / means.loc["A"] - 1)
        assert list(trace.x) == list(GROUPS)
        assert trace.y[:2] == pytest.approx(tuple(expected[["head", "mid"]]))
        assert np.isnan(trace.y[2])  # nothing relative to 0
    (values,) = found.values
    assert values.data[1].y == pytest.approx(tuple(means.loc["B"][list(GROUPS)]))
    styles = line_styles(summary.labels)  # the same in all plots of a page
    assert figure.data[0].line.color == values.data[1].line.color == styles["B"][0]


def test_a_metric_that_groups_lack_shows_the_first_one(measured):
    (found,) = groups(measured[0], "mrr@10")
    assert (found.kind, found.metric) == ("item_popularity", "recall@10")
    (found,) = groups(measured[0], "ndcg@10")
    assert found.metric == "ndcg@10"


def test_a_log_axis_of_seconds_has_whole_labels():
    summary = summary_of({"ndcg@10": draws({"A": 0.3, "B": 0.4})}, "A")
    summary = summary._replace(seconds={"A": 2.0, "B": 90.0})
    (figure,) = times(summary, "ndcg@10")
    axis = figure.layout.xaxis
    shown = dict(zip(axis.tickvals, axis.ticktext, strict=True))
    assert axis.type == "log" and shown[2.0] == "2" and shown[20.0] == "20" and shown[0.5] == "0.5"
