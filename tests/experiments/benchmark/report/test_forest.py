import numpy as np
import pytest
import scipy.stats
from summaries import draws, summary_of

from recbole_dsl.experiments.benchmark.report.forest import forest

VALUES = draws({"MF_DSL": 0.30, "MF_SL": 0.33, "BPR": 0.25, "Pop": 0.301})


def test_points_and_bars_are_scipys_and_the_colours_holms():
    figure = forest(summary_of({"ndcg@10": VALUES}, "MF_DSL"), "test", "ndcg@10")
    drawn = {}
    for trace in figure.data[:-1]:
        bars = trace.error_x
        for place, label in enumerate(trace.y):
            x = trace.x[place]
            drawn[label] = (x, x - bars.arrayminus[place], x + bars.array[place], trace.name)
    assert list(figure.layout.yaxis.categoryarray) == ["MF_SL", "BPR", "Pop"]
    kinds = {
        "MF_SL": "significantly better", "BPR": "significantly worse",
        "Pop": "not significantly different",
    }  # fmt: skip
    reference = VALUES["MF_DSL"].mean(axis=0)
    for label, kind in kinds.items():
        users = VALUES[label].mean(axis=0)
        gaps = users - reference
        interval = scipy.stats.t.interval(0.95, len(gaps) - 1, gaps.mean(), scipy.stats.sem(gaps))
        expected = (gaps.mean(), *interval)
        assert drawn[label][:3] == pytest.approx(expected) and drawn[label][3] == kind
    shares = [100 * (VALUES[label].mean() / reference.mean() - 1) for label in kinds]
    assert list(figure.layout.yaxis2.ticktext) == [f"{share:+.1f} %" for share in shares]


def test_better_is_smaller_where_the_metric_says_so():
    figure = forest(summary_of({"giniindex@10": VALUES}, "MF_DSL"), "test", "giniindex@10")
    kinds = {label: trace.name for trace in figure.data[:-1] for label in trace.y}
    assert kinds["MF_SL"] == "significantly worse" and kinds["BPR"] == "significantly better"


def test_a_model_without_spread_has_no_bar_and_nothing_paired_no_plot():
    values = {"A": np.full((1, 5), 0.5), "B": np.full((1, 5), 0.4)}
    summary = summary_of({"ndcg@10": values}, "A")
    (points, _) = forest(summary, "test", "ndcg@10").data
    assert points.error_x.array == (0.0,) and points.x == pytest.approx((-0.1,))
    results = {key: one._replace(users=None) for key, one in summary.results.items()}
    assert forest(summary._replace(results=results), "test", "ndcg@10") is None
