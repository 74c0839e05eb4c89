"""Ids as the data have them, and their positions."""

import functools
import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from recbole_dsl.common.errors import UsageError, did_you_mean

UNKNOWN = ("error", "warn")
_NAMED = 3  # of unknown ids
_SEARCHED = 20_000  # ids among which the nearest is looked for: more would take seconds


class Ids:
    """The users, or the items, of a model.

    Args:
        kind: "user" or "item", for messages.
        ids: (N,) object. Distinct texts.

    Attributes:
        ids: as given.
    """

    def __init__(self, kind: str, ids: npt.NDArray[Any]) -> None:
        self._kind = kind
        self.ids = ids

    @functools.cached_property
    def _places(self) -> dict[str, int]:
        return {text: place for place, text in enumerate(self.ids.tolist())}

    def positions(self, given: Any, unknown: str = "error") -> npt.NDArray[np.int64]:
        """The positions of ids, in their order; repeated ones are kept.

        Args:
            given: an id or some of them: texts, or integers, which stand for their digits.
            unknown: "error", or "warn": unknown ids are left out, and a warning counts them.
        Raises:
            UsageError: an id is neither text nor integer, or unknown.
        """
        texts = self._texts(given)
        found = [self._places.get(text, -1) for text in texts]
        missing = [text for text, place in zip(texts, found, strict=True) if place < 0]
        if missing and unknown == "error":
            raise UsageError(self._unknown(missing, len(texts)))
        if missing:
            warnings.warn(f"{self._unknown(missing, len(texts))}: left out", stacklevel=4)
        return np.array([place for place in found if place >= 0], np.int64)

    def unknown(self, given: Any) -> list[str]:
        """Which of some ids the model does not know, in their order.

        Args:
            given: as in :meth:`positions`.
        Raises:
            UsageError: an id is neither text nor integer.
        """
        return [text for text in self._texts(given) if text not in self._places]

    def _texts(self, given: Any) -> list[str]:
        if isinstance(given, (str, int, np.integer)):
            given = [given]
        if not isinstance(given, Iterable):
            raise UsageError(f"{self._kind} ids must be texts or integers, got {given!r}")
        texts = []
        for one in given:
            if isinstance(one, (bool, np.bool_)) or not isinstance(one, (str, int, np.integer)):
                raise UsageError(
                    f"{self._kind} ids must be texts or integers, got {one!r}, "
                    f"a {type(one).__name__}"
                )
            texts.append(str(one))
        return texts

    def _unknown(self, missing: list[str], number: int) -> str:
        shown = ", ".join(map(repr, missing[:_NAMED])) + (", ..." if len(missing) > _NAMED else "")
        near = ""
        if len(missing) == 1 and len(self.ids) <= _SEARCHED:
            near = did_you_mean(missing[0], self._places)
        if number == 1:
            return f"the model knows no {self._kind} {shown}{near}"
        return (
            f"the model does not know {len(missing):,} of {number:,} {self._kind}s: {shown}{near}"
        )
