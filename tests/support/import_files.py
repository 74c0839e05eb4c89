"""Files to import, and what an import wrote or refused; in the folder where a test runs."""

import gzip
from pathlib import Path

import pytest

from recbole_dsl.common.errors import UsageError
from recbole_dsl.data.importer import import_interactions

HEADER = "user_id:token\titem_id:token"


def write(name, text, encoding="utf-8"):
    """Write a file, compressed where its name says so; returns the name."""
    data = text.encode(encoding) if isinstance(text, str) else text
    Path(name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return name


def lines(name="mine", part=""):
    """The lines of an atomic file that was written."""
    text = Path("dataset", name, f"{name}{part}.inter").read_bytes().decode()
    assert text.endswith("\n") and "\r" not in text
    return text.splitlines()


def assert_refused(message, *arguments, **options):
    """The import is refused with exactly this message, on one line, and leaves nothing."""
    with pytest.raises(UsageError) as caught:
        import_interactions(*arguments, **{"dataset": "mine", **options})
    assert str(caught.value) == message
    assert "\n" not in message
    assert not Path("dataset").exists()
