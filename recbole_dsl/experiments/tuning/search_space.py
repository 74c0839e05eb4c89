"""The values that a setting may have in a search: choices, or a span of numbers. No Optuna.

As text: ``[a, b, c]``, ``LOW..HIGH``, ``LOW..HIGH log``, ``LOW..HIGH step STEP``, and RecBole's
``choice``, ``uniform``, ``quniform`` and ``loguniform``.
"""

import math
import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from recbole_dsl.common import property_files
from recbole_dsl.common.errors import UsageError

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SPAN = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})(?:\s+(log)|\s+step\s+({_NUMBER}))?")
_RECBOLE = re.compile(r"(choice|uniform|quniform|loguniform)\b(.*)")
_ALLOWED = (
    "[a, b, c], LOW..HIGH, LOW..HIGH log, LOW..HIGH step STEP, or RecBole's choice [a, b], "
    "uniform LOW,HIGH, quniform LOW,HIGH,STEP, loguniform LOW,HIGH"
)


class Choice(NamedTuple):
    """Some values, in no order.

    Attributes:
        values: what the setting may be: numbers, words, lists, maps.
    """

    values: tuple[Any, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """A text for each value, as a study stores it: Optuna stores no lists and maps."""
        return tuple(str(value) for value in self.values)

    def points(self) -> list[Any]:
        """The values that a grid tries, as a study stores them."""
        return list(self.labels)

    def ends(self) -> list[Any]:
        """Values to check: where they are allowed, all are."""
        return list(self.values)

    def suggest(self, trial: Any, name: str) -> Any:
        """The setting's value, as an Optuna trial chooses it."""
        return self.decode(trial.suggest_categorical(name, list(self.labels)))

    def decode(self, label: str) -> Any:
        """The value of a label."""
        return self.values[self.labels.index(label)]

    def __str__(self) -> str:
        return f"[{', '.join(self.labels)}]"


class Span(NamedTuple):
    """Numbers from low to high, both included.

    Attributes:
        low, high: the ends. log: whether the logarithm is sampled uniformly, not the number. step:
            distance of the values, None for all numbers between the ends. whole: whether they are
            integers.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def points(self) -> Any:
        """A list of the values that a grid tries; None for a continuous span."""
        if self.whole:
            return list(range(int(self.low), int(self.high) + 1, int(self.step or 1)))
        if self.step is None:
            return None
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return [round(self.low + place * self.step, 12) for place in range(count)]

    def ends(self) -> list[float]:
        """Values to check: where they are allowed, all are."""
        return [self.low, self.high]

    def suggest(self, trial: Any, name: str) -> float:
        """The setting's value, as an Optuna trial chooses it."""
        if self.whole:
            return trial.suggest_int(name, self.low, self.high, step=self.step or 1, log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def decode(self, value: float) -> float:
        """The value itself: a study stores it as it is."""
        return value

    def __str__(self) -> str:
        tail = " log" if self.log else f" step {self.step:g}" if self.step is not None else ""
        return f"{self.low:g}..{self.high:g}{tail}"


def parse(name: str, given: object, default: object = None) -> Choice | Span:
    """The range that a text or a list stands for.

    Args:
        name: the setting. given: a list of choices or one of the texts above.
        default: the setting's value without tuning; where it is an integer, so are the values of a
            span between integers.
    Raises:
        UsageError: it is none of them, or its ends are the wrong way round.
    """
    if isinstance(given, str):
        text = given.strip()
        if text.startswith("["):
            return _choice(name, property_files.parse_value(name, text))
        if found := _SPAN.fullmatch(text):
            low, high, log, step = found.groups()
            return _span(name, low, high, step, log=bool(log), default=default)
        if found := _RECBOLE.fullmatch(text):
            kind, rest = found.groups()
            return _recbole(name, kind, rest, default)
    elif isinstance(given, (list, tuple)):
        return _choice(name, list(given))
    raise UsageError(f"range of {name}: {given!r} is none of {_ALLOWED}")


def _choice(name: str, values: object) -> Choice:
    if not isinstance(values, list) or not values:
        raise UsageError(f"range of {name} must have at least one choice, got {values!r}")
    choice = Choice(tuple(values))
    if len(set(choice.labels)) < len(values):
        raise UsageError(f"range of {name} names a choice twice: {choice}")
    return choice


def _span(
    name: str, low_text: str, high_text: str, step_text: str | None, *, log: bool, default: object
) -> Span:
    low, high = float(low_text), float(high_text)
    step = None if step_text is None else float(step_text)
    if not low < high:
        raise UsageError(f"range of {name}: {low:g}..{high:g} must go from low to high")
    if log and low <= 0:
        raise UsageError(f"range of {name}: a log range must start above 0, got {low:g}")
    if step is not None and not 0 < step <= high - low:
        raise UsageError(f"range of {name}: step must be in (0, {high - low:g}], got {step:g}")
    texts = [text for text in (low_text, high_text, step_text) if text is not None]
    whole = all(re.fullmatch(r"[-+]?\d+", text) for text in texts)
    if whole and not isinstance(default, float):
        low, high = int(low), int(high)
        step = None if step is None else int(step)
        return _ending_on_a_step(Span(low, high, log, step, True))
    return _ending_on_a_step(Span(low, high, log, step))


def _ending_on_a_step(span: Span) -> Span:
    return span if span.step is None else span._replace(high=span.points()[-1])


def _recbole(name: str, kind: str, rest: str, default: object) -> Choice | Span:
    if kind == "choice":
        values = property_files.parse_value(name, rest.strip())
        if isinstance(values, list):  # RecBole reads '[64, 32]', a word here, as a list
            values = [
                property_files.parse_value(name, value) if isinstance(value, str) else value
                for value in values
            ]
        return _choice(name, values)
    texts = [text.strip() for text in rest.split(",")]
    wanted = 3 if kind == "quniform" else 2
    if len(texts) != wanted or not all(re.fullmatch(_NUMBER, text) for text in texts):
        form = "LOW,HIGH,STEP" if wanted == 3 else "LOW,HIGH"
        raise UsageError(f"range of {name}: {kind} takes {form}, got {rest.strip()!r}")
    low, high = float(texts[0]), float(texts[1])
    if kind == "loguniform":
        if max(low, high) > math.log(1e30):
            raise UsageError(
                f"range of {name}: loguniform takes exponents of e, as RecBole's, so that {high:g} "
                f"means e**{high:g}; the numbers themselves are written {low:g}..{high:g} log"
            )
        ends = repr(math.exp(low)), repr(math.exp(high))
        return _span(name, *ends, None, log=True, default=0.0)
    if kind == "uniform":
        return _span(name, texts[0], texts[1], None, log=False, default=0.0)
    step = float(texts[2])
    if step <= 0:
        raise UsageError(f"range of {name}: the step of quniform must be > 0, got {step:g}")
    # hyperopt, which RecBole uses, rounds to multiples of the step
    ends = _multiple(texts[0], texts[2]), _multiple(texts[1], texts[2])
    return _span(name, *ends, texts[2], log=False, default=default)


def _multiple(text: str, step: str) -> str:
    value = round(float(text) / float(step)) * float(step)
    whole = re.fullmatch(r"[-+]?\d+", step) is not None
    return str(int(value)) if whole else repr(round(value, 12))


def read(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Setting -> range as written, from RecBole's ``hyper.test`` lines or from YAML.

    A file named .yaml or .yml holds ``name: range`` lines, alone or under ``search:``; any other
    file holds ``name range`` lines, as RecBole's do.

    Raises:
        UsageError: the file cannot be read, or a line says no range.
    """
    if str(path).endswith((".yaml", ".yml")):
        values = property_files.read_yaml(path)
        if isinstance(values.get(property_files.SEARCH), dict):
            values = values[property_files.SEARCH]
        return _not_empty(path, values)
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read params_file {path}: {error}") from error
    found = {}
    for number, line in enumerate(lines, 1):
        line = line.split("#", 1)[0].strip()
        if not line:
            continue
        name, *rest = line.split(None, 1)
        name = name.rstrip(":")
        if not rest:
            raise UsageError(f"{path}, line {number}: {line!r} is not `name range`")
        if name in found:
            raise UsageError(f"{path}, line {number}: {name} is there twice")
        found[name] = rest[0]
    return _not_empty(path, found)


def _not_empty(path: str | os.PathLike[str], found: dict[str, Any]) -> dict[str, Any]:
    if not found:
        raise UsageError(f"params_file {path} has no range")
    return found
