"""What a service is asked: bounds, and one line on what is wrong."""

import json
from typing import get_args

import asking
import pytest

asking.service_or_skip()

from pydantic import ValidationError  # noqa: E402

from recbole_dsl.cli.serve import COMMAND  # noqa: E402
from recbole_dsl.serving.fold_in import METHODS  # noqa: E402
from recbole_dsl.serving.service import messages  # noqa: E402
from recbole_dsl.serving.service.messages import Limits, request_types, what_is_wrong  # noqa: E402

KINDS = request_types(Limits(max_k=50, max_ids=20, max_rows=100))


def _refused(kind, body):
    with pytest.raises(ValidationError) as error:
        kind.model_validate_json(body if isinstance(body, bytes) else json.dumps(body))
    return what_is_wrong(error.value, kind)


def test_integers_stand_for_their_digits_and_defaults_are_the_recommenders():
    asked = KINDS.recommend.model_validate_json('{"users": [196, "é", -3]}')
    assert asked.users == ["196", "é", "-3"]
    assert (asked.k, asked.exclude, asked.items, asked.unknown) == (10, "seen", None, "error")
    asked = KINDS.recommend_for_items.model_validate_json('{"items": ["a"], "k": 50}')
    assert (asked.k, asked.method, asked.items_allowed) == (50, "softmax", None)
    small = request_types(Limits(max_k=3)).similar
    assert small.model_validate_json('{"items": ["a"]}').k == 3


def test_the_largest_request_is_accepted():
    kind = KINDS.recommend
    assert len(kind.model_validate_json(json.dumps({"users": ["a"] * 20, "k": 5})).users) == 20
    assert kind.model_validate_json('{"users": ["a", "b"], "k": 50}').k == 50
    body = {"users": ["a"], "items": ["b"] * 20, "exclude": ["train", "valid"]}
    assert kind.model_validate_json(json.dumps(body)).exclude == ["train", "valid"]


@pytest.mark.parametrize(
    ("body", "line"),
    [
        ({"users": ["a"], "k": 51}, "k: Input should be less than or equal to 50, got 51"),
        ({"users": ["a"], "k": 0}, "k: Input should be greater than or equal to 1, got 0"),
        ({"users": ["a"], "k": True}, "k: Input should be a valid integer, got True"),
        ({"users": ["a"], "k": 2.0}, "k: Input should be a valid integer, got 2.0"),
        ({"users": ["a"], "k": "2"}, "k: Input should be a valid integer, got '2'"),
        (
            {"users": ["a"] * 21},
            "users: List should have at most 20 items after validation, not 21",
        ),
        ({"users": []}, "users: List should have at least 1 item after validation, not 0"),
        ({"users": "a"}, "users: Input should be a valid array, got 'a'"),
        ({}, "users: Field required"),
        ([1], "Input should be an object"),
        ({"users": [True]}, "users.0: an id must be a text or an integer, got True"),
        ({"users": [1.0]}, "users.0: an id must be a text or an integer, got 1.0"),
        ({"users": [{}]}, "users.0: an id must be a text or an integer"),
        ({"users": ["a"], "items": ["b"] * 21}, "items: List should have at most 20 items"),
        ({"users": ["a"], "unknown": "skip"}, "unknown: Input should be 'error' or 'report', got"),
        (
            {"users": ["a"], "itmes": ["b"]},
            "itmes (known: k, unknown, users, exclude, items): no such field; did you mean items?",
        ),
        (
            {"users": ["a", "b", "c"], "k": 34},
            "102 rows are asked for, ids times k; at most 100 are answered",
        ),
        (
            {"users": [None] * 5},
            "users.0: an id must be a text or an integer; users.1: an id must be a text or an "
            "integer; users.2: an id must be a text or an integer; and 2 more",
        ),
        (b'{"users": ["a"', "Invalid JSON: EOF while parsing a list at line 1 column 14"),
        (b"", "Invalid JSON: EOF while parsing a value at line 1 column 0"),
        (b"\xff", "Invalid JSON"),
        (b'{"users": ["\\ud800"]}', "Invalid JSON"),
        (b'{"users": ' + b"[" * 100_000, "Invalid JSON: recursion limit exceeded"),
        (b'{"users": [1' + b"0" * 5_000 + b"]}", "Invalid JSON: number out of range"),
        (b'{"users": [1' + b"0" * 1_000 + b"]}", "users.0: an id must be a text or an integer, "),
        (b'{"users": ["a"], "k": NaN}', "k: Input should be a valid integer, got nan"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_one_line(body, line):
    said = _refused(KINDS.recommend, body)
    assert said.startswith(line) and "\n" not in said and len(said) < 400


def test_what_is_shown_of_a_request_is_short_and_one_line():
    said = _refused(KINDS.recommend, {"users": ["a"], "k": "x\n" * 1_000, "y\n" * 1_000: 1})
    assert "\n" not in said and len(said) < 400
    said = _refused(KINDS.recommend, {"users": ["x" * 1_025]})
    assert said.startswith("users.0: String should have at most 1024 characters, got 'xxx")
    assert len(said) < 200


def test_rows_of_similar_items_are_bounded_and_a_new_user_is_one():
    line = "150 rows are asked for"
    assert _refused(KINDS.similar, {"items": ["a"] * 3, "k": 50}).startswith(line)
    asked = {"items": ["a"] * 20, "k": 50}
    assert KINDS.recommend_for_items.model_validate_json(json.dumps(asked)).k == 50


def test_openapi_says_the_bounds_and_methods_are_those_there_are():
    fields = KINDS.recommend.model_json_schema()["properties"]
    assert fields["k"]["maximum"] == 50 and fields["users"]["maxItems"] == 20
    assert {one["type"] for one in fields["users"]["items"]["anyOf"]} == {"string", "integer"}
    assert get_args(get_args(messages.Method)[0]) == METHODS


def test_the_commands_limits_are_these():
    options = {option.name: option for option in COMMAND.options}
    for name, value in Limits()._asdict().items():
        assert options[name].read(name, options[name].default) == value
