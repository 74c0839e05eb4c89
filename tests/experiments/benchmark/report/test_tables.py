from summaries import draws, summary_of

from recbole_dsl.experiments.benchmark.report.significance import compare
from recbole_dsl.experiments.benchmark.report.tables import Style, comparisons

BASIC = ["model", "difference", "95 % interval"]
USERS, SEEDS = ["users", "d_z users", "p users"], ["seeds", "d_z seeds", "p seeds"]


def _with(summary, **parts):
    results = {
        key: one._replace(**parts) if key[1] != summary.reference else one
        for key, one in summary.results.items()
    }
    return summary._replace(results=results)


def test_comparisons_have_no_empty_columns():
    of_users = summary_of({"ndcg@10": draws({"A": 0.3, "B": 0.4})}, "A")
    over_seeds = compare([0.30, 0.31, 0.29], [0.40, 0.42, 0.41])
    cases = {
        "users": (of_users, BASIC + USERS),
        "both": (_with(of_users, over_seeds=over_seeds, p_seeds=0.5), BASIC + USERS + SEEDS),
        "seeds": (
            _with(of_users, users=None, p_users=None, over_seeds=over_seeds, p_seeds=0.5),
            BASIC + SEEDS,
        ),
        "one seed": (_with(of_users, over_seeds=compare([0.3], [0.4])), BASIC + USERS),
    }
    for name, (summary, header) in cases.items():
        rows = comparisons(summary, "test", "ndcg@10", Style())
        assert rows[0] == header, name
        assert [len(row) for row in rows] == [len(header)] * 2 and rows[1][0] == "B"
    assert comparisons(_with(of_users, users=None), "test", "ndcg@10", Style()) is None
