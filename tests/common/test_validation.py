"""Each check passes what is allowed and names what is not."""

import math

import pytest

from recbole_dsl.common import validation
from recbole_dsl.common.errors import UsageError


@pytest.mark.parametrize(
    ("check", "arguments", "allowed", "refused", "message"),
    [
        ("finite", (), [0, -1.5], [math.inf, math.nan, "1", True, None], "a finite number"),
        ("positive", (), [1e-9, 3], [0, -1, math.inf, "1"], "> 0|a finite number"),
        ("at_least", (1,), [1, 2.5], [0.9, math.nan], ">= 1|a finite number"),
        ("between", (0, 1), [0, 0.5, 1], [-0.1, 1.1], r"in \[0, 1\]"),
        ("integer", (2,), [2, 99], [1, 2.0, True, "3"], "an integer >= 2"),
        ("integer", (2, 4), [2, 4], [1, 5], r"an integer in \[2, 4\]"),
        ("count", (), [1], [0, 1.0], "an integer >= 1"),
        ("rate", (), [0, 0.99], [1, -0.1], r"in \[0, 1\)"),
        ("flag", (), [True, False], [1, 0, "True", None], "True or False"),
        ("choice", (("a", "b"),), ["a", "b"], ["c", None], "one of 'a', 'b'"),
    ],
)
def test_a_check_refuses_with_name_value_and_what_is_allowed(
    check, arguments, allowed, refused, message
):
    function = getattr(validation, f"check_{check}")
    for value in allowed:
        function("option", value, *arguments)
    for value in refused:
        with pytest.raises(ValueError, match=rf"^option must be ({message}), got ") as caught:
            function("option", value, *arguments)
        assert str(caught.value).endswith(f"got {value!r}")


def test_maps_have_known_keys_only():
    validation.check_keys("eval_args", {"split": 1}, ("split", "mode"))
    with pytest.raises(UsageError, match=r"eval_args has no key 'splt' .*; did you mean split\?"):
        validation.check_keys("eval_args", {"splt": 1}, ("split", "mode"))
    with pytest.raises(UsageError, match="eval_args must be a map, got 3"):
        validation.check_keys("eval_args", 3, ("split",))
