"""With which versions and on which machines the runs of a report were made, in sentences."""

from collections.abc import Sequence

from recbole_dsl.common.machine import in_words
from recbole_dsl.experiments.benchmark.report.summary import Record, Summary


def sentences(summaries: Sequence[Summary]) -> list[str]:
    """One of the versions, and one of the machines where a record says its own."""
    records = [r for s in summaries for rows in s.records.values() for r in rows]
    return [_versions(records), *_machines(records)]


def _versions(records: Sequence[Record]) -> str:
    versions: dict[str, set[str]] = {}
    for record in records:
        for name, version in record["versions"].items():
            versions.setdefault(name, set()).add(version)
    text = ", ".join(f"{name} {' and '.join(sorted(found))}" for name, found in versions.items())
    if any(len(found) > 1 for found in versions.values()):
        text += " (not all runs were made with the same versions)"
    return f"Made with {text}."


def _machines(records: Sequence[Record]) -> list[str]:
    known = [record["machine"] for record in records if "machine" in record]
    if not known:  # records of an older version
        return []
    text = "; ".join(dict.fromkeys(map(in_words, known)))
    missing = len(records) - len(known)
    return [f"Seconds on {text}" + (f"; of {missing} runs not known." if missing else ".")]
