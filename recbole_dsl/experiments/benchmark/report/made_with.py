"""With which versions and on which machines runs were made, in sentences."""

from collections.abc import Mapping, Sequence
from typing import Any

from recbole_dsl.common.machine import in_words


def sentences(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """One of the versions, and one of the machines where a record says its own.

    Args:
        records: of finished runs, with ``versions`` and, but for those of an older version,
            ``machine``, both as in a result.
    """
    return [f"Made with {versions(records)}.", *_machines(records)]


def versions(records: Sequence[Mapping[str, Any]]) -> str:
    """Each library with its version, or versions where records differ."""
    found: dict[str, set[str]] = {}
    for record in records:
        for name, version in record["versions"].items():
            found.setdefault(name, set()).add(version)
    text = ", ".join(f"{name} {' and '.join(sorted(known))}" for name, known in found.items())
    if any(len(known) > 1 for known in found.values()):
        text += " (not all runs were made with the same versions)"
    return text


def _machines(records: Sequence[Mapping[str, Any]]) -> list[str]:
    known = [record["machine"] for record in records if "machine" in record]
    if not known:
        return []
    text = f"Seconds were measured on {'; '.join(dict.fromkeys(map(in_words, known)))}"
    missing = len(records) - len(known)
    return [text + (f"; {missing} of {len(records)} runs do not say on what." if missing else ".")]
