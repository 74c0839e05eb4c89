"""What the words of a type allow."""

import copy
import pickle

import pytest

from recbole_dsl.config.value_types import NotOfType, ValueType

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("words", "allowed", "refused"),
    [
        ("int", [0, -3], [True, 1.0, "1", None, 2**63]),
        ("int >= 1", [1, 7], [0, -1]),
        ("int >= 1 <= 3", [1, 3], [0, 4]),
        ("int >= 1 or all", [1, "all"], [0, "every", None]),
        ("float > 0", [1, 0.1], [0, -0.1, NAN, INF, True, "x", 10**400]),
        ("float >= 0 < 1", [0, 0.9], [1, -0.1]),
        ("float >= -1 <= 1", [-1, 1.0], [-1.1, 1.1]),
        ("float > 0 or empty", [1.0, None], [0, ""]),
        ("bool", [True, False], [0, 1, None, "yes"]),
        ("str", ["", "a"], [None, [], {}]),
        ("name", ["a b"], ["", " ", "a\nb", None, [], True]),
        ("list of int >= 1", [[], [1, 2]], [[0], [1, "x"], 1, None, {}]),
        ("list of name or name", [["a"], "a"], [[None], None]),
        ("dict", [{}, {"a": 1}], [[], None, "a"]),
        ("cosine or dot", ["cosine", "dot"], ["cos", None, 1, ["dot"]]),
        ("interval or empty", ["[5,inf)", "(0,1];[3,4)", None], ["5", "[5", "(3,1)", "[a,b]", 5]),
        ("interval", ["(-inf, 3]", [5, 29]], ["[nan,1]", [5], [1, [2]], ">=3", "", "]"]),
        ("mode", ["full", "labeled", "uni100", "pop5"], ["uni0", "uni", "uni-1", "UNI10", 3, None]),
        ("character", ["\t", " ", ","], ["", ",,", ":", "\n", None, 1]),
        ("encoding", ["utf-8", "latin1"], ["utf-88", "", "\0", "hex", None]),
        ("numbers", ["5,10", "5"], ["5,x", "0", 5]),
    ],
)
def test_values_of_a_type_pass_and_others_do_not(words, allowed, refused):
    kind = ValueType(words)
    for value in allowed:
        kind.read(value)
    for value in refused:
        with pytest.raises(NotOfType):
            kind.read(value)


@pytest.mark.parametrize(
    ("words", "value", "normal"),
    [
        ("adam or sgd", "Adam", "adam"),
        ("float or empty", "None", None),
        ("dict or empty", "None", None),
        ("bool", "true", True),
        ("interval", [5, 29], "[5,29]"),
        ("interval", [5, "inf"], "[5,inf]"),
        ("character", "\\t", "\t"),
        ("list of int", (1, 2), [1, 2]),
        ("str", 0, "0"),
    ],
)
def test_values_get_one_normal_form(words, value, normal):
    found = ValueType(words).read(value)
    assert (found, type(found)) == (normal, type(normal))


@pytest.mark.parametrize(
    ("words", "allowed"),
    [
        ("int", "an integer"),
        ("int >= 1 or all", "an integer >= 1 or all"),
        ("float >= 0 < 1", "a number in [0, 1)"),
        ("cosine or dot or empty", "cosine, dot or empty"),
        ("list of int >= 1", "a list (each an integer >= 1)"),
        ("dict or empty", "a map {key: value} or empty"),
    ],
)
def test_a_type_says_what_it_allows(words, allowed):
    assert ValueType(words).allowed == allowed


@pytest.mark.parametrize("words", ["", "list of", "int > x", "str, optional", "a b", "int or "])
def test_words_that_are_no_type_are_told(words):
    with pytest.raises(ValueError, match="no type"):
        ValueType(words)


def test_types_are_copied_and_stored_with_the_settings():
    kind = ValueType("float > 0 or empty")
    for other in (copy.deepcopy(kind), pickle.loads(pickle.dumps(kind))):
        assert other.words == kind.words and other.read(None) is None
