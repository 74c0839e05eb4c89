import math

import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.tuning.search_space import Choice, Span, parse, read

# The example of RecBole's documentation, and its other kinds.
HYPER_TEST = """\
learning_rate loguniform -8,0
embedding_size choice [64,96 ,128]
# a comment
mlp_hidden_size choice ['[64,64,64]','[128,128]']
dropout uniform 0,1
weight quniform 0,100,5
"""


def test_recboles_hyper_test_means_what_hyperopt_makes_of_it(tmp_path):
    path = tmp_path / "hyper.test"
    path.write_text(HYPER_TEST)
    found = {name: parse(name, text) for name, text in read(path).items()}
    rate = found["learning_rate"]
    assert (rate.low, rate.high, rate.log) == (pytest.approx(math.exp(-8)), 1.0, True)
    assert found["embedding_size"] == Choice((64, 96, 128))
    assert found["mlp_hidden_size"] == Choice(([64, 64, 64], [128, 128]))
    assert found["dropout"] == Span(0.0, 1.0)
    assert found["weight"].points() == list(range(0, 101, 5))


def test_quniform_takes_multiples_of_its_step():
    assert parse("x", "quniform 0.12,0.31,0.1").points() == [0.1, 0.2, 0.3]
    assert parse("x", "quniform 7,21,5").points() == [5, 10, 15, 20]


def test_a_yaml_file_holds_plain_ranges_with_or_without_search(tmp_path):
    lines = "tau: [0.1, 0.2]\nlearning_rate: 1e-4..1e-1 log\nn_layers: 1..4\n"
    plain, nested = tmp_path / "a.yaml", tmp_path / "b.yml"
    plain.write_text(lines)
    nested.write_text("search:\n" + "".join(f"  {line}\n" for line in lines.splitlines()))
    assert read(plain) == read(nested)
    found = read(plain)
    assert parse("tau", found["tau"]) == Choice((0.1, 0.2))
    assert parse("learning_rate", found["learning_rate"]) == Span(1e-4, 0.1, True)
    assert parse("n_layers", found["n_layers"], 2) == Span(1, 4, False, None, True)


def test_plain_ranges_stand_in_a_line_file_too(tmp_path):
    path = tmp_path / "hyper.test"
    path.write_text("tau [0.1, 0.2]\nlearning_rate: 1e-4..1e-1 log\nx\t0..1 step 0.25\n")
    found = {name: parse(name, text) for name, text in read(path).items()}
    assert found["tau"] == Choice((0.1, 0.2)) and found["learning_rate"].log
    assert found["x"].points() == [0, 0.25, 0.5, 0.75, 1.0]


def test_a_span_between_integers_is_of_integers_only_where_the_setting_is():
    assert parse("n_layers", "0..2", 3).points() == [0, 1, 2]
    assert parse("tau", "0..2", 0.2).points() is None
    assert parse("size", "16..64 step 20", 64).points() == [16, 36, 56]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("0.5..0.1", "must go from low to high"),
        ("0..1 log", "must start above 0"),
        ("0..1 step 2", "step must be in"),
        ("0..1 linear", "is none of"),
        ("gaussian 0,1", "is none of"),
        (0.3, "is none of"),
        ([], "at least one choice"),
        ("choice []", "at least one choice"),
        ([0.1, 0.1], "names a choice twice"),
        ("uniform 0,1,2", "takes LOW,HIGH"),
        ("loguniform 1,100", "exponents of e"),
        ("quniform 0,1,0", "must be > 0"),
    ],
)
def test_what_is_no_range_is_refused_by_name(given, message):
    with pytest.raises(UsageError, match=f"range of tau.*{message}"):
        parse("tau", given)


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "no range"), ("tau", "line 1"), ("tau [1]\ntau [2]", "line 2: tau is there twice")],
)
def test_a_file_without_ranges_is_refused_by_line(tmp_path, text, message):
    path = tmp_path / "hyper.test"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read(path)


def test_a_missing_file_is_refused():
    with pytest.raises(UsageError, match="cannot read params_file none.test"):
        read("none.test")
