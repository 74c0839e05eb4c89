"""What a setting is tried over: some choices, or a span of numbers. Knows no Optuna.

As text: ``[a, b, c]``, ``LOW..HIGH``, ``LOW..HIGH log``, ``LOW..HIGH step STEP``, and RecBole's
``choice``, ``uniform``, ``quniform`` and ``loguniform``.
"""

import math
import re
from pathlib import Path
from typing import NamedTuple

from recbole_dsl import settings
from recbole_dsl.settings import UsageError

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
        values: tuple of what the setting may be: numbers, words, lists, maps.
    """

    values: tuple

    @property
    def labels(self):
        """A word for each value, by which a study keeps it: lists and maps have no other."""
        return tuple(str(value) for value in self.values)

    def points(self):
        """What a grid tries."""
        return list(self.labels)

    def ends(self):
        """Values that say whether all are allowed."""
        return list(self.values)

    def suggest(self, trial, name):
        """Let an Optuna trial choose; the setting's value."""
        return self.decode(trial.suggest_categorical(name, list(self.labels)))

    def decode(self, label):
        """The value of a label."""
        return self.values[self.labels.index(label)]

    def __str__(self):
        return f"[{', '.join(self.labels)}]"


class Span(NamedTuple):
    """Numbers from low to high, both included.

    Attributes:
        low, high: the ends. log: whether all orders of magnitude weigh the same. step: distance of
            the values, None for all numbers between the ends. whole: whether they are integers.
    """

    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    def points(self):
        """What a grid tries; None for a continuous span."""
        if self.whole:
            return list(range(self.low, self.high + 1, self.step or 1))
        if self.step is None:
            return None
        count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
        return [round(self.low + place * self.step, 12) for place in range(count)]

    def ends(self):
        """Values that say whether all are allowed."""
        return [self.low, self.high]

    def suggest(self, trial, name):
        """Let an Optuna trial choose; the setting's value."""
        if self.whole:
            return trial.suggest_int(name, self.low, self.high, step=self.step or 1, log=self.log)
        return trial.suggest_float(name, self.low, self.high, step=self.step, log=self.log)

    def decode(self, value):
        """The value itself."""
        return value

    def __str__(self):
        tail = " log" if self.log else f" step {self.step:g}" if self.step is not None else ""
        return f"{self.low:g}..{self.high:g}{tail}"


def parse(name, given, default=None):
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
            return _choice(name, settings.parse_value(name, text))
        if found := _SPAN.fullmatch(text):
            low, high, log, step = found.groups()
            return _span(name, [low, high, step], bool(log), default)
        if found := _RECBOLE.fullmatch(text):
            return _recbole(name, *found.groups(), default)
    elif isinstance(given, (list, tuple)):
        return _choice(name, list(given))
    raise UsageError(f"range of {name}: {given!r} is none of {_ALLOWED}")


def _choice(name, values):
    if not isinstance(values, list) or not values:
        raise UsageError(f"range of {name} must have at least one choice, got {values!r}")
    made = Choice(tuple(values))
    if len(set(made.labels)) < len(values):
        raise UsageError(f"range of {name} names a choice twice: {made}")
    return made


def _span(name, texts, log, default):
    low, high, step = (None if text is None else float(text) for text in texts)
    if not low < high:
        raise UsageError(f"range of {name}: {low:g}..{high:g} must go from low to high")
    if log and low <= 0:
        raise UsageError(f"range of {name}: a log range must start above 0, got {low:g}")
    if step is not None and not 0 < step <= high - low:
        raise UsageError(f"range of {name}: step must be in (0, {high - low:g}], got {step:g}")
    whole = all(text is None or re.fullmatch(r"[-+]?\d+", text) for text in texts)
    if whole and not isinstance(default, float):
        low, high = int(low), int(high)
        step = None if step is None else int(step)
        return _reaching(Span(low, high, log, step, True))
    return _reaching(Span(low, high, log, step))


def _reaching(span):
    """A span with steps ends on its last step."""
    return span if span.step is None else span._replace(high=span.points()[-1])


def _recbole(name, kind, rest, default):
    if kind == "choice":
        values = settings.parse_value(name, rest.strip())
        if isinstance(values, list):  # RecBole reads '[64, 32]', a word here, as a list
            values = [
                settings.parse_value(name, value) if isinstance(value, str) else value
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
        return _span(name, [repr(math.exp(low)), repr(math.exp(high)), None], True, 0.0)
    if kind == "uniform":
        return _span(name, [*texts, None], False, 0.0)
    step = float(texts[2])
    if step <= 0:
        raise UsageError(f"range of {name}: the step of quniform must be > 0, got {step:g}")
    # hyperopt, which RecBole asks, rounds to multiples of the step
    return _span(name, [_multiple(texts[0], texts[2]), _multiple(texts[1], texts[2]), texts[2]],
                 False, default)  # fmt: skip


def _multiple(text, step):
    value = round(float(text) / float(step)) * float(step)
    whole = re.fullmatch(r"[-+]?\d+", step) is not None
    return str(int(value)) if whole else repr(round(value, 12))


def read(path):
    """Name -> range as written, from RecBole's ``hyper.test`` lines or from YAML.

    A file named .yaml or .yml holds ``name: range`` lines, alone or under ``search:``; any other
    file holds ``name range`` lines, as RecBole's do.

    Raises:
        UsageError: the file cannot be read, or a line says no range.
    """
    if str(path).endswith((".yaml", ".yml")):
        values = settings.read_yaml(path)
        if isinstance(values.get(settings.SEARCH), dict):
            values = values[settings.SEARCH]
        return _some(path, values)
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
    return _some(path, found)


def _some(path, found):
    if not found:
        raise UsageError(f"params_file {path} has no range")
    return found
