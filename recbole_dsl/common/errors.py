"""Errors that end a command with one line, and the nearest known name to a wrong one."""

import difflib
from collections.abc import Collection


class _OneLine:
    """Of an error whose str() says all that the user needs: a notebook shows that line alone."""

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in place of a traceback."""
        return [f"{type(self).__name__}: {' '.join(str(self).split())}"]


class UsageError(_OneLine, ValueError):
    """The user asked for something that cannot be done; str() is the one line to show."""


def nearest(name: object, known: Collection[str]) -> str | None:
    """The known name closest to name, without regard to case; None where none is close."""
    folded = {str(k).lower(): k for k in known}
    found = difflib.get_close_matches(str(name).lower(), folded, n=1, cutoff=0.6)
    return folded[found[0]] if found else None


def did_you_mean(name: object, known: Collection[str]) -> str:
    """``; did you mean X?`` with the :func:`nearest` known name, or an empty string."""
    guess = nearest(name, known)
    return f"; did you mean {guess}?" if guess else ""


# Package -> what pip installs it by, where that is not its name.
_INSTALLED_BY = {
    "recbole": "--no-deps recbole==1.2.1",
    "optuna": '"recbole_dsl[tuning]"',
    "pyarrow": '"recbole_dsl[parquet]"',
    "hnswlib": '"recbole_dsl[hnswlib]"',
    "fastapi": '"recbole_dsl[serve]"',
    "fastapi_offline": '"recbole_dsl[serve]"',
    "pydantic": '"recbole_dsl[serve]"',
    "pydantic_core": '"recbole_dsl[serve]"',
    "starlette": '"recbole_dsl[serve]"',
    "uvicorn": '"recbole_dsl[serve]"',
    "faiss": "faiss-cpu",
    "community": "python-louvain",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}


def missing_package(error: ModuleNotFoundError) -> str:
    """What to install where a module is not there; the error itself for one of this package."""
    name = (error.name or "").partition(".")[0]
    if not name or name == __name__.partition(".")[0]:
        return str(error)
    return how_to_install(name)


def how_to_install(name: str) -> str:
    """A sentence on a package that is missing."""
    return f"the package {name} is not installed: pip install {_INSTALLED_BY.get(name, name)}"


class NonFiniteLossError(_OneLine, RuntimeError):
    """A loss, a weight or a metric is not a finite number; str() says where, and what to try."""


class ProcessError(_OneLine, RuntimeError):
    """A process of the run died without raising; str() names it and says how it ended."""


class NoWinnerError(_OneLine, RuntimeError):
    """No trial of a study finished; str() gives the first one's error."""


class NothingToSelectOnError(_OneLine, RuntimeError):
    """Trials have no validation score; str() says why."""


class WriteError(_OneLine, OSError):
    """A file cannot be written; str() is a line with its path and the system's words."""
