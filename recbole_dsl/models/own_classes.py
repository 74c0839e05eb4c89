"""Classes of a user's own and of other packages, by ``module:Class``."""

import contextlib
import importlib
import inspect
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from recbole_dsl.common.errors import UsageError, did_you_mean

T = TypeVar("T")

_PLAIN = (str, int, float, list, tuple, dict, type(None))  # bool is an int


def import_own_module(target: str) -> ModuleType:
    """The module of a ``module:Class``, found from the current folder too.

    Raises:
        UsageError: it is no such name, or there is no such module, or it fails as it is imported.
    """
    name, _, rest = target.partition(":")
    if not rest or not all(name.split(".")):
        raise UsageError(f"{target!r} is no package.module:Class")
    if os.getcwd() not in sys.path:
        sys.path.append(os.getcwd())  # as with `python -m`; a script's own folder comes first
    with import_failures(f"{target!r}: cannot import {name}"):
        return importlib.import_module(name)


@contextlib.contextmanager
def import_failures(what: str) -> Iterator[None]:
    """Whatever a module raises as it is imported inside becomes a UsageError of one line, which
    begins with ``what``."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise UsageError(f"{what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """What was raised, and in which line of which file."""
    text = " ".join(str(error).split())
    if isinstance(error, ImportError):
        return text
    text = f"{type(error).__name__}: {text}".removesuffix(": ")
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:  # its text names file and line
        return text
    return f"{text} ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def load_class(target: str, base: type[T]) -> type[T]:
    """The class that ``module:Class`` names, found from the current folder too.

    Raises:
        UsageError: no such module or class, or not a subclass of base.
    """
    module, class_name = import_own_module(target), target.partition(":")[2]
    found = getattr(module, class_name, None)
    if not inspect.isclass(found) or not issubclass(found, base):
        near = did_you_mean(class_name, classes_of(module, base))
        raise UsageError(
            f"{target!r}: {module.__name__} has no {base.__name__} {class_name!r}{near}"
        )
    return found


def classes_of(module: ModuleType, base: type[T]) -> dict[str, type[T]]:
    """The subclasses of a class that a module has, by name."""
    return {
        name: value
        for name, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, base)
    }


def properties_beside(cls: type) -> Path | None:
    """The YAML file beside the module of a class and of its name; None where there is none."""
    try:
        path = Path(inspect.getfile(cls)).with_suffix(".yaml")
    except (TypeError, OSError):  # of a notebook or of the interactive interpreter
        return None
    return path if path.is_file() else None


def options_by_setting(cls: type) -> dict[str, str]:
    """Settings that a class reads -> the names of its keyword-only arguments."""
    return {
        name.rstrip("_"): name  # lambda_ reads lambda, a keyword of Python's
        for name, parameter in inspect.signature(cls).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def signature_defaults(cls: type) -> dict[str, Any]:
    """The settings of a class that its signature gives a value: keyword-only, plain data."""
    parameters: Mapping[str, inspect.Parameter] = inspect.signature(cls).parameters
    return {
        setting: parameters[name].default
        for setting, name in options_by_setting(cls).items()
        if isinstance(parameters[name].default, _PLAIN)
    }
