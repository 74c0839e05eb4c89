"""sequences.py: equal trials for all losses, and an overview that is that of the tables."""

import math

import pytest
import sequences


@pytest.mark.parametrize("encoder", sequences.ENCODERS)
def test_each_loss_has_as_many_trials(encoder):
    sections = sequences.sections(encoder)
    trials = {
        label: math.prod(map(len, section["search"].values()))
        for label, section in sections.items()
    }
    assert len(trials) == 8 and set(trials.values()) == {sequences.TRIALS}


def test_the_overview_has_each_loss_of_each_encoder():
    head = "| model | valid ndcg@10 | ndcg@10 | ndcg@20 |\n|:--|--:|--:|--:|\n"
    one = (
        f"# Benchmark\n\nsaid\n\n{head}| A, CE of RecBole | 1 | 2 | 3 |\n| A_SL | 4 | **5** | 6 |\n"
    )
    two = f"{head}| B++_SL | 7 | 8 \\*\\* | 9 |\n"
    other = "\n### The others\n\n| model | ndcg@10 |\n|:--|--:|\n| A_BSL | 10 |\n"
    assert sequences.overview({"A": one + other, "B++": two}) == [
        "| loss | A | B++ |",
        "|---|---|---|",
        "| CE of RecBole | 2 |  |",
        "| SL | **5** | 8 \\*\\* |",
    ]


def test_the_page_shows_the_tables_of_the_store():
    page = sequences.PAGE.read_text(encoding="utf-8")
    tables = {
        encoder: (sequences.STORE / encoder / "table.md").read_text(encoding="utf-8")
        for encoder in sequences.ENCODERS
    }
    assert "\n".join(sequences.overview(tables)) in page
    for encoder, table in tables.items():
        assert f"\n## {encoder}\n" in page and sequences._inner(table) in page
