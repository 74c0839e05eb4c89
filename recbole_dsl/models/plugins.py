"""Backbones and losses of other packages: registered in Python, or named by entry points.

An installed package names its own in the groups ``recbole_dsl.backbones`` and
``recbole_dsl.losses``. What an entry point names is imported when it is asked for by name, or
listed, and not before: a package that cannot be imported spoils no run but its own.
"""

import functools
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

import torch

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.models.own_classes import import_failures, load_class, properties_beside

T = TypeVar("T", bound=torch.nn.Module)

OURS = "recbole_dsl"  # the origin of this package's own
_GROUPS = {"backbone": "recbole_dsl.backbones", "loss": "recbole_dsl.losses"}  # entry points
# "_" and ":" take the name of a model apart.
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9+-]*")


class Part(NamedTuple):
    """A backbone or a loss; plain data, which may be pickled where its class is not known.

    Attributes:
        kind: "backbone" or "loss".
        name: by which its class is found: a registered name, or ``module:Class``.
        shown: its part of the name of a model.
        target: where its class stands, ``module:Class``.
        properties: its YAML file; None: ``properties/<kind>/<name>.yaml`` of this package, or none.
        origin: :data:`OURS`, or where it is from, in words.
        here_only: whether it is known to this process alone, by a call in Python.
    """

    kind: str
    name: str
    shown: str
    target: str
    properties: Path | None = None
    origin: str = OURS
    here_only: bool = False


class Registered(NamedTuple):
    """What another process needs to register the same; plain data."""

    kind: str
    name: str
    target: str
    properties: str | None


class Parts(Generic[T]):
    """All backbones, or all losses, by name.

    Args:
        kind: "backbone" or "loss".
        ours: this package's own.
        base: what their classes are derived from.
        fault: class -> what it lacks, in words, or None.
    """

    def __init__(
        self,
        kind: str,
        ours: Mapping[str, type[T]],
        base: type[T],
        fault: Callable[[type[T]], str | None],
    ) -> None:
        self._kind, self._ours, self._base, self._fault = kind, ours, base, fault
        self._group = _GROUPS[kind]
        self._registered: dict[str, tuple[Part, type[T]]] = {}
        self._loaded: dict[EntryPoint, tuple[Part, type[T]]] = {}

    # Names: nothing is imported ------------------------------------------------------------------

    def __contains__(self, name: str) -> bool:
        return name in self._ours or name in self._registered or name in self._entry_points()

    def names(self) -> list[str]:
        """All names, this package's own first."""
        return list({**self._ours, **self._registered, **self._entry_points()})

    def not_imported(self, name: str) -> str | None:
        """Where the class of a name would be imported from, if it were asked for; else None."""
        found = self._entry_points().get(name, [])
        if name in self._ours or name in self._registered or not found:
            return None
        return None if found[0] in self._loaded else _origin(found[0])

    def _entry_points(self) -> dict[str, list[EntryPoint]]:
        found: dict[str, list[EntryPoint]] = {}
        for entry in importlib.metadata.entry_points(group=self._group):
            found.setdefault(entry.name, []).append(entry)
        return found

    # Classes -------------------------------------------------------------------------------------

    def find(self, name: str) -> tuple[Part, type[T]]:
        """The part and the class of a name, or of a ``module:Class``; it is imported.

        Raises:
            UsageError: there is none, it cannot be imported, or is none; the message names the
                nearest one.
        """
        if ":" in name:
            return self.own(name, load_class(name, self._base))
        if name in self._ours:
            return Part(self._kind, name, name, _target_of(self._ours[name])), self._ours[name]
        if name in self._registered:
            return self._registered[name]
        entries = self._entry_points().get(name)
        if entries:
            return self._load(name, entries)
        known = self.names()
        guess = did_you_mean(name, known)
        raise UsageError(f"unknown {self._kind} {name!r} (known: {', '.join(known)}){guess}")

    def own(self, name: str, cls: type[T]) -> tuple[Part, type[T]]:
        """A class of the user's own as a part, which is found by ``module:Class``.

        Raises:
            UsageError: it lacks something, or has a name of this package's.
        """
        self._check_class(name, cls)
        if cls.__name__ in self._ours:
            raise UsageError(
                f"{name!r}: {cls.__name__} is a {self._kind} of recbole_dsl: give the class "
                "another name"
            )
        path, target = properties_beside(cls), _target_of(cls)
        return Part(self._kind, name, cls.__name__, target, path, "your own"), cls

    def _check_class(self, label: str, cls: type[T]) -> None:
        fault = self._fault(cls)
        if fault is not None:
            raise UsageError(f"{label!r} is no {self._kind}: {fault}")

    def _load(self, name: str, entries: list[EntryPoint]) -> tuple[Part, type[T]]:
        """What the entry points of one name stand for."""
        entry, *others = entries
        if others:
            places = " and ".join(_origin(one) for one in entries)
            raise UsageError(f"the {self._kind} {name} is in {places}: uninstall one of them")
        if entry not in self._loaded:
            self.check_name(name)
            with import_failures(f"the {self._kind} {name} of {_origin(entry)} cannot be imported"):
                cls = entry.load()
            self._check_class(f"{name} of {_origin(entry)}", cls)
            path, origin = properties_beside(cls), _origin(entry)
            self._loaded[entry] = Part(self._kind, name, name, _target_of(cls), path, origin), cls
        return self._loaded[entry]

    def others(self) -> list[tuple[str, Part | str]]:
        """What other packages bring, by name, imported; or a line that says why it cannot be."""
        found: list[tuple[str, Part | str]] = [
            (name, part) for name, (part, _) in self._registered.items()
        ]
        for name, entries in sorted(self._entry_points().items()):
            if name in self._registered:
                continue
            try:
                found.append((name, self._load(name, entries)[0]))
            except UsageError as error:
                found.append((name, str(error)))
        return found

    # Registering ---------------------------------------------------------------------------------

    def check_name(self, name: str) -> None:
        """Raise UsageError for a name that is no name, this package's or RecBole's."""
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise UsageError(
                f"the name of a {self._kind} is letters, digits, + and -, a letter first, got "
                f"{name!r}"
            )
        if name in self._ours:
            raise UsageError(f"{name} is a {self._kind} of recbole_dsl: choose another name")
        if name in _models_of_recbole():
            raise UsageError(f"{name} is a model of RecBole: choose another name")

    def register(
        self, name: str, cls: type[T], properties: str | os.PathLike[str] | None = None
    ) -> None:
        """Make a class known by a name; the same class again takes the place of the first.

        Raises:
            UsageError: the name is taken, the class lacks something, there is no such file.
        """
        self.check_name(name)
        self._check_class(name, cls)
        target = _target_of(cls)
        before = self._registered[name][0] if name in self._registered else None
        if before is not None and before.target != target:
            raise UsageError(f"the {self._kind} {name} is registered: {before.target}")
        for entry in self._entry_points().get(name, []):
            if f"{entry.module}:{entry.attr}" != target:  # its value may name extras too
                raise UsageError(f"the {self._kind} {name} is that of {_origin(entry)}")
        path = properties_beside(cls) if properties is None else Path(properties).absolute()
        if path is not None and not path.is_file():
            raise UsageError(f"properties of the {self._kind} {name}: there is no file {path}")
        origin = f"registered ({target})"
        self._registered[name] = Part(self._kind, name, name, target, path, origin, True), cls


def for_other_processes(parts: Iterable[Part], why: str) -> list[Registered]:
    """What other processes have to register, before they can use parts that were registered here.

    Args:
        why: what the processes are for, with which a message begins.
    Raises:
        UsageError: another process cannot import a class.
    """
    found = []
    for part in parts:
        if not part.here_only:
            continue
        module, _, name = part.target.partition(":")
        if module == "__main__" or not name.isidentifier():  # one inside a function or a class
            raise UsageError(
                f"{why}: other processes cannot import {part.target}, which is registered as the "
                f"{part.kind} {part.name}: put the class into a module, at its top"
            )
        path = None if part.properties is None else str(part.properties)
        found.append(Registered(part.kind, part.name, part.target, path))
    return found


def _target_of(cls: type) -> str:
    return f"{cls.__module__}:{cls.__qualname__}"


def _origin(entry: EntryPoint) -> str:
    package = "a package" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"
    return f"{package} ({entry.value})"


@functools.cache
def _models_of_recbole() -> frozenset[str]:
    """Names of RecBole's models, by its property files: RecBole is not imported."""
    spec = importlib.util.find_spec("recbole")
    if spec is None or spec.origin is None:
        return frozenset()
    folder = Path(spec.origin).parent / "properties" / "model"
    return frozenset({"Random", *(path.stem for path in folder.glob("*.yaml"))})
