"""table.tex: what stands in it, and that it fits a paper of two columns."""

import re

import pytest
from summaries import draws, summary_of
from typeset import typeset

from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.benchmark.report.paper_table import (
    default_columns,
    metric_name,
    model_name,
    paper_tables,
)

LEVELS = {"MF_DSL": 0.30, "MF_SLatK": 0.33, "LightGCN_AdapTau": 0.25, "BPR": 0.2, "a_b & 5%": 0.3}
METRICS = ("ndcg@20", "recall@20")


def _summary(dataset="tiny", sets=("test",), metrics=METRICS, levels=LEVELS, seeds=2):
    values = {
        metric: draws(levels, seed=place + len(dataset), seeds=seeds)
        for place, metric in enumerate(metrics)
    }
    return summary_of(values, next(iter(levels)), dataset=dataset, sets=sets)


def _rows(text):
    body = text.split(r"\midrule", 1)[1].split(r"\bottomrule")[0]
    lines = [line for line in body.splitlines() if line.endswith(r"\\")]
    return [[cell.strip() for cell in line.removesuffix(r"\\").split(" & ")] for line in lines]


def test_rows_are_grouped_by_backbone_and_names_are_those_of_the_field():
    rows = _rows(paper_tables([_summary()]))
    assert [row[:2] for row in rows[:3]] == [
        ["MF", "DSL"],
        ["", "SL@K"],
        ["LightGCN", r"Adap-$\tau$"],
    ]
    assert rows[3][0] == r"\multicolumn{2}{l}{BPR}"
    assert rows[4][0] == r"\multicolumn{2}{l}{a\_b \& 5\%}"
    assert [model_name(n) for n in ("LightGCN_SLatK", "MF_x", "MultiVAE")] == [
        "LightGCN-SL@K", r"MF\_x", "Mult-VAE"
    ]  # fmt: skip
    assert [metric_name(n) for n in ("ndcg@5", "recall@20", "auc")] == [
        "NDCG@5",
        "Recall@20",
        "AUC",
    ]
    alone = paper_tables([_summary(levels={"BPR": 0.2, "EASE": 0.3})])
    assert r"Model & NDCG@20 & Recall@20 \\" in alone and r"EASE$^{R}$ &" in alone


def test_values_marks_and_order_are_those_of_the_summary():
    summary = _summary()
    for columns in (["ndcg@20", "recall@20"], ["recall@20"]):
        text = paper_tables([summary], columns)
        heads = " & ".join(metric_name(column) for column in columns)
        assert rf"Backbone & Loss & {heads} \\" in text
        for label, row in zip(LEVELS, _rows(text), strict=True):
            cells = row[-len(columns) :]
            for metric, cell in zip(columns, cells, strict=True):
                found = summary.results["test", label, metric]
                numbers = re.findall(r"\d\.\d{4}", cell)
                assert numbers == [f"{found.mean:.4f}", f"{found.std:.4f}"]
                assert ("$^{*}$" in cell) == (found.p_users is not None and found.p_users < 0.05)
                means = sorted(summary.results["test", one, metric].mean for one in LEVELS)
                assert (r"\textbf" in cell) == (found.mean == means[-1])
                assert (r"\underline" in cell) == (found.mean == means[-2])


def test_the_caption_is_short_and_says_what_the_marks_mean():
    caption = re.search(r"\\caption\{(.*)\}\n", paper_tables([_summary()]))[1]
    assert caption == (
        "Test results on tiny, mean and standard deviation over 2 seeds. The best are in bold, the "
        r"second best underlined. $^{*}$ differs from MF-DSL over users, paired $t$-test with "
        "Holm's correction, $p < 0.05$."
    )
    alike = paper_tables([_summary(levels={"MF_DSL": 0.3, "MF_SL": 0.3001}, seeds=1)])
    assert "^{*}" not in alike and "one seed." in alike and r"\pm" not in alike


def test_datasets_and_test_sets_are_groups_of_columns():
    text = paper_tables([_summary("one"), _summary("two_x")], ["ndcg@20"])
    assert r" &  & \multicolumn{1}{c}{one} & \multicolumn{1}{c}{two\_x} \\" in text
    assert r"\cmidrule(lr){3-3}\cmidrule(lr){4-4}" in text
    assert r"\begin{tabular}{llrr}" in text and "Test results, mean" in text
    text = paper_tables([_summary(sets=("iid", "popularity"))])
    assert r"\multicolumn{2}{c}{i.i.d. test} & \multicolumn{2}{c}{popularity test} \\" in text
    assert r"\cmidrule(lr){3-4}\cmidrule(lr){5-6}" in text


def test_a_model_that_lacks_on_a_dataset_has_a_dash():
    other = _summary("other", levels={"MF_DSL": 0.3, "BPR": 0.2})
    rows = _rows(paper_tables([_summary(), other], ["ndcg@20"]))
    assert [row[-1] == "--" for row in rows] == [False, True, True, False, True]


def test_smaller_is_better_is_shown():
    text = paper_tables([_summary(metrics=("giniindex@20",))])
    assert r"Gini@20\,$\downarrow$" in text
    assert r"\textbf" in _rows(text)[3][-1]  # BPR has the smallest


def test_columns_are_checked_and_have_a_default():
    summary = _summary(metrics=("mrr@10", "recall@10", "ndcg@10", "ndcg@20"))
    assert default_columns([summary]) == ["ndcg@10", "recall@10"]
    assert default_columns([_summary(metrics=("hit@5",))]) == ["hit@5"]
    with pytest.raises(UsageError, match=r"^--columns: ndcg@30 is not measured: .*; did you mean"):
        paper_tables([summary], ["ndcg@30"])
    with pytest.raises(UsageError, match="ndcg@20 is not measured"):  # not on both
        paper_tables([summary, _summary(metrics=("ndcg@10",))], ["ndcg@20"])


LONG = {f"{backbone}_{loss}": 0.3 + place / 100 for place, (backbone, loss) in enumerate(
    (b, one) for b in ("LightGCN", "XSimGCL") for one in ("DSL", "AdvInfoNCE", "SLatK", "AdapTau")
)} | {"MultiVAE": 0.2, "ItemKNN": 0.25, "DSL shielded": 0.31}  # fmt: skip
NAMES = ["amazon2014-health", "amazon2014-electronic", "gowalla", "yelp2018"]
SEVEN = ("ndcg@20", "recall@20", "mrr@20", "hit@20", "precision@20", "map@20", "giniindex@20")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_datasets", "sets", "metrics", "tables", "kind"),
    [
        (1, ("test",), METRICS, 1, "table"),
        (1, ("test",), SEVEN, 1, "table*"),
        (1, ("iid", "popularity"), METRICS, 1, "table*"),
        (3, ("test",), METRICS, 1, "table*"),
        (4, ("iid", "popularity"), METRICS, 4, "table*"),
        (1, ("iid", "popularity"), SEVEN, 2, "table*"),
    ],
)
def test_it_compiles_and_no_line_is_too_wide(n_datasets, sets, metrics, tables, kind, tmp_path):
    summaries = [_summary(name, sets, metrics, LONG) for name in NAMES[:n_datasets]]
    text = paper_tables(summaries, metrics)
    assert text.count(rf"\begin{{{kind}}}") == text.count(r"\begin{tabular}") == tables
    assert typeset(text, tmp_path) == []


@pytest.mark.slow
def test_a_table_that_fits_nowhere_says_so(tmp_path):
    levels = {name * 6: level for name, level in LEVELS.items()}
    text = paper_tables([_summary(levels=levels, metrics=SEVEN)], SEVEN)
    assert "% Wider than both columns: name fewer metrics by --columns." in text
    assert any("Overfull" in line for line in typeset(text, tmp_path))
