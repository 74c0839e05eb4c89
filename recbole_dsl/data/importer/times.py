"""Times of interactions: numbers as they are, dates as seconds since 1970."""

import datetime
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from recbole_dsl.data.importer.atomic import BadValue

# ISO 8601: 2014-05-13, 2014-05-13 10:00, 2014-05-13T10:00:00.250Z, 2014-05-13T10:00:00+02:00
_DATE = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?P<fraction>[.,]\d+)?)?"
    r" ?(?P<zone>Z|UTC|[+-]\d\d(?::?\d\d)?)?",
    re.IGNORECASE,
)
_NEITHER = "is neither a number nor a date such as 2014-05-13 or 2014-05-13T10:00:00Z"


def number(value: Any) -> float:
    """A finite float.

    Raises:
        BadValue: it is not one.
    """
    try:
        result = float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadValue(value, "is not a number") from None
    if not np.isfinite(result) or "_" in str(value):
        raise BadValue(value, "is not a finite number")
    return result


def numbers(values: Sequence[Any]) -> npt.NDArray[np.float64]:
    """(N,) finite floats.

    Raises:
        BadValue: one of them is none.
    """
    try:
        found = np.fromiter(map(float, values), np.float64, len(values))
        clean = bool(np.isfinite(found).all())
        clean = clean and not (isinstance(values[0], str) and "_" in "".join(values))
    except (TypeError, ValueError, OverflowError):
        clean = False
    return found if clean else np.array([number(value) for value in values])


class Times:
    """Reads the times of one dataset, chunk by chunk: all of them numbers, or all dates.

    Attributes:
        dates: whether they are dates; None before the first.
        without_zone: how many dates had no time zone; they are taken for UTC.
    """

    def __init__(self) -> None:
        self.dates: bool | None = None
        self.without_zone = 0

    def read(self, values: Sequence[Any]) -> npt.NDArray[np.float64]:
        """(N,) float64: numbers as they are, dates as seconds since 1970-01-01 UTC.

        Raises:
            BadValue: a value is neither, or is the other of the two than those before.
        """
        if self.dates is None:
            self.dates = _is_date(values[0])
        if self.dates:
            return np.array([self._seconds(value) for value in values], np.float64)
        try:
            return numbers(values)
        except BadValue as error:
            if _is_date(error.value):
                raise BadValue(error.value, "is a date, but others are numbers") from None
            if str(error) == "is not a number":
                raise BadValue(error.value, _NEITHER) from None
            raise

    def notes(self) -> list[str]:
        """A sentence on dates without a time zone, if there were any."""
        if not self.without_zone:
            return []
        return [f"{self.without_zone:,} dates without a time zone are read as UTC"]

    def _seconds(self, value: Any) -> float:
        if isinstance(value, datetime.date):  # of a parquet file
            value = value.isoformat()
        found = _DATE.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            raise BadValue(value, "is no date such as 2014-05-13 or 2014-05-13T10:00:00Z")
        try:
            moment = datetime.datetime.fromisoformat(f"{found['day']}T{found['time'] or '00:00'}")
        except ValueError as error:
            raise BadValue(value, f"is no date: {error}") from None
        self.without_zone += found["zone"] is None
        seconds = moment.replace(tzinfo=datetime.timezone.utc).timestamp()
        fraction = float(found["fraction"].replace(",", ".")) if found["fraction"] else 0.0
        return seconds - _offset(found["zone"]) + fraction


def _is_date(value: Any) -> bool:
    return isinstance(value, datetime.date) or (
        isinstance(value, str) and _DATE.fullmatch(value.strip()) is not None
    )


def _offset(zone: str | None) -> int:
    """Seconds that a zone such as +02:00 is ahead of UTC."""
    if zone is None or zone.upper() in ("Z", "UTC"):
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = 3600 * int(digits[:2]) + 60 * int(digits[2:])
    return -seconds if zone[0] == "-" else seconds
