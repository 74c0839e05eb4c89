"""Where a study is kept: a journal file for one machine, a database for several.

Optuna is imported where it is used, so that this file can be imported without it.
"""

import fcntl
import functools
import json
import os
import re
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recbole_dsl.common.errors import UsageError, WriteError
from recbole_dsl.common.files import naming

if TYPE_CHECKING:
    import optuna

# In a database, a trial's process renews its heartbeat so often; a trial whose heartbeat is older
# than this, on whichever machine it ran, counts as killed.
HEARTBEAT_SECONDS, GRACE_SECONDS = 20, 90
# How long a database may be away, as while its server starts again, before the command gives up.
PATIENCE_SECONDS, PAUSE_SECONDS = 600, 1
_RECORD = b'{"op_code":'  # how a line of Optuna's journal begins


def is_url(where: str) -> bool:
    """Whether a storage is a database."""
    return "://" in where


def place(storage: str | Path) -> str:
    """A URL as it is; the path of a file in full, so that a change of folder does not lose it."""
    return str(storage) if is_url(str(storage)) else str(Path(storage).absolute())


def without_password(text: str) -> str:
    """A text with the passwords of the URLs in it replaced by ``***``."""
    return re.sub(r"(\w://[^\s:/@]*:)[^\s/@]+@", r"\1***@", text)


def open_storage(where: str, patient: bool = False) -> "optuna.storages.BaseStorage":
    """Optuna's storage: a database for a URL, else a journal file for one machine.

    Args:
        patient: whether to wait for a database that cannot be reached yet.
    Raises:
        UsageError: it cannot be reached, or is no storage. WriteError: the file cannot be made.
    """
    try:
        if is_url(where):
            return _PatientCalls(where).storage(patient)
        if os.path.exists(where) and not os.path.isfile(where):  # a pipe would be waited for
            raise UsageError(f"storage {where} is neither a file nor a URL")
        with naming(Path(where)):
            Path(where).parent.mkdir(parents=True, exist_ok=True)
            return _journal(where)
    except (WriteError, UsageError):
        raise
    except Exception as error:  # SQLAlchemy's, the driver's and JSON's own
        raise UsageError(f"storage {without_password(where)}: {_first_line(error)}") from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return without_password(text.splitlines()[0]) if text else type(error).__name__


# A file ------------------------------------------------------------------------------------------


def _journal(path: str) -> "optuna.storages.JournalStorage":
    import optuna
    from optuna.storages.journal import JournalFileBackend

    class Journal(JournalFileBackend):
        """Optuna's journal; what cannot be written is told with the file's name."""

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            with naming(Path(path)):
                super().append_logs(logs)

    # Optuna's own lock is a link that stays where its process is killed.
    return optuna.storages.JournalStorage(Journal(path, lock_obj=_Lock(path)))  # type: ignore[arg-type]


class _Lock:
    """A lock of a journal, which the system releases when its process ends.

    Whoever gets it drops a last line that is torn, which a killed process or a full disk leaves:
    Optuna would join the next line to it, and could not read either.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._file = -1

    def acquire(self) -> bool:
        """Wait for the lock; True."""
        file = os.open(self._path, os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            _drop_torn_line(file)
        except BaseException:
            os.close(file)
            raise
        self._file = file
        return True

    def release(self) -> None:
        """Let others have the lock."""
        os.close(self._file)


def _drop_torn_line(file: int) -> None:
    """Cut a file at the end of its last line that is a record.

    Raises:
        ValueError: its last line is not a part of a record: this is no journal.
    """
    size, length, start = os.fstat(file).st_size, 1 << 16, -1
    while start < 0:  # until the last line is whole
        first = max(size - length, 0)
        text = os.pread(file, size - first, first)
        before = text.rfind(b"\n", 0, -1) + 1
        start = first + before if before or not first else -1
        length *= 4
    line = text[before:]
    if not line or (line.endswith(b"\n") and _is_json(line)):
        return
    if line.strip(b"\0\n") and not _RECORD.startswith(line[: len(_RECORD)].rstrip(b"\0\n")):
        raise ValueError("its last line is not of a study")
    os.ftruncate(file, start)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


# A database --------------------------------------------------------------------------------------


class _PatientCalls:
    """Calls to a database that are made again while it is away, as when its server is restarted.

    Every call of Optuna's may be made twice: what it writes has a place of its own, and a trial
    that was queued or begun twice is seen by the workers.
    """

    def __init__(self, url: str) -> None:
        self._url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)
        self._shown = without_password(url)
        self._lock = threading.Lock()
        self._away_since: float | None = None  # of time.monotonic; said once for all threads
        self._back_at = -float("inf")

    def storage(self, patient: bool) -> "optuna.storages.BaseStorage":
        """Optuna's storage with its cache, patient from now on, or from its opening on."""
        import optuna

        opened = self.call(self._open) if patient else self._open()
        kind = type(optuna.storages.get_storage(opened))
        names = [
            name for name in dir(kind) if not name.startswith("_") and callable(getattr(kind, name))
        ]
        methods = {name: self._method(getattr(kind, name)) for name in names}
        methods["_get_stale_trial_ids"] = self._stale(getattr(kind, "_get_stale_trial_ids"))  # noqa: B009
        storage: optuna.storages.BaseStorage = type("PatientStorage", (kind,), methods)(opened)
        return storage

    def call(self, function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """What the function returns, tried again while the database is away.

        Raises:
            WriteError: it was away for too long.
        """
        started = time.monotonic()
        while True:
            try:
                result = function(*arguments, **named)
            except Exception as error:
                reason = _why_away(error)
                if reason is None:
                    raise
                self._away(reason)
                if time.monotonic() - started > PATIENCE_SECONDS:
                    raise WriteError(f"storage {self._shown}: {reason}") from error
                time.sleep(PAUSE_SECONDS)
            else:
                self._is_back()
                return result

    def _open(self) -> Any:
        import optuna
        import sqlalchemy.exc

        tries = 5
        while True:
            try:
                return optuna.storages.RDBStorage(
                    self._url,
                    engine_kwargs={"pool_pre_ping": True},
                    heartbeat_interval=HEARTBEAT_SECONDS,
                    grace_period=GRACE_SECONDS,
                )
            except ImportError as error:
                package = "recbole_dsl[postgresql]" if "psycopg" in self._url else "its driver"
                raise UsageError(
                    f"storage {self._shown} needs a package that is not installed: pip install "
                    f"{package}"
                ) from error
            except (sqlalchemy.exc.ProgrammingError, sqlalchemy.exc.IntegrityError):
                tries -= 1  # two commands make the tables at once, and one of them fails
                if not tries:
                    raise
                time.sleep(PAUSE_SECONDS)

    def _method(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def patient(*arguments: Any, **named: Any) -> Any:
            return self.call(method, *arguments, **named)

        return patient

    def _stale(self, method: Callable[..., list[int]]) -> Callable[..., list[int]]:
        """Which trials have no fresh heartbeat; none while all processes may still renew theirs."""

        @functools.wraps(method)
        def stale(*arguments: Any) -> list[int]:
            found: list[int] = self.call(method, *arguments)
            return found if time.monotonic() - self._back_at > 2 * HEARTBEAT_SECONDS else []

        return stale

    def _away(self, reason: str) -> None:
        with self._lock:
            if self._away_since is not None:
                return
            self._away_since = time.monotonic()
        minutes = PATIENCE_SECONDS / 60
        _print(f"storage {self._shown}: {reason}; trying again for {minutes:.0f} minutes")

    def _is_back(self) -> None:
        with self._lock:
            if self._away_since is None:
                return
            seconds = time.monotonic() - self._away_since
            self._away_since, self._back_at = None, time.monotonic()
        _print(f"storage {self._shown} is back after {seconds:.0f} s")


def _why_away(error: BaseException) -> str | None:
    """The driver's words where an error comes from a connection that failed; else None."""
    import sqlalchemy.exc

    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError)):
            return _first_line(seen.orig or seen)
        if isinstance(seen, sqlalchemy.exc.DBAPIError) and seen.connection_invalidated:
            return _first_line(seen.orig or seen)
        seen = seen.__cause__ or seen.__context__  # Optuna tries some queries again by itself
    return None


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
