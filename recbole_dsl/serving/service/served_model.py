"""The model that a service answers by, and its replacement while requests go on."""

import logging
import os
import queue
import threading
from datetime import datetime, timezone
from typing import NamedTuple

from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving.recommender import Recommender, load_recommender

LOG = logging.getLogger("recbole_dsl.service")
VERSION_DIGITS = 16  # of a checkpoint's digest


class Loaded(NamedTuple):
    """A model as loaded once; it is never changed, so that a request that holds it ends on it.

    Attributes:
        recommender: the model.
        version: the first digits of its checkpoint's digest.
        time: when it was loaded, ISO 8601 in UTC.
    """

    recommender: Recommender
    version: str
    time: str


class ServedModel:
    """A checkpoint, loaded, and loaded anew when asked.

    Args:
        path: the checkpoint. index: folder of ``recbole_dsl export --index``, or None.
    Raises:
        UsageError: as :func:`recbole_dsl.serving.recommender.load_recommender`.

    Attributes:
        current: what answers now. A request takes it once.
        error: why the last reload has failed, with its time; None where it has not.
    """

    def __init__(
        self, path: str | os.PathLike[str], index: str | os.PathLike[str] | None = None
    ) -> None:
        self._path, self._index = path, index
        self.current = self._load()
        self.error: str | None = None

    def reload(self) -> bool:
        """Load the checkpoint anew and let it answer from then on; memory holds both meanwhile.

        Where that fails, the old one goes on, and the log and :attr:`error` say why.

        Returns:
            Whether it was loaded.
        """
        try:
            loaded = self._load()
        except Exception as error:  # whatever is wrong with the file, the old model goes on
            self.error = f"{_now()}: {' '.join(str(error).split()) or type(error).__name__}"
            LOG.error(
                "reload failed, the model loaded %s goes on: %s",
                self.current.time,
                error,
                exc_info=None if isinstance(error, UsageError) else error,
            )
            return False
        self.current, self.error = loaded, None
        LOG.warning("reloaded %s: %s, checkpoint %s", self._path, *loaded[:2])
        return True

    def follow(self, asked: "queue.SimpleQueue[None]") -> None:
        """Start a thread that reloads whenever something is put into a queue.

        What is put there while it reloads makes it reload once more. A signal's handler may put at
        any place of the program: a SimpleQueue's put is reentrant.
        """

        def work() -> None:
            while True:
                asked.get()
                while not asked.empty():
                    asked.get()
                self.reload()

        threading.Thread(target=work, name="reload", daemon=True).start()

    def _load(self) -> Loaded:
        recommender = load_recommender(self._path, index=self._index)
        for ids in (recommender.ranking.user_ids, recommender.ranking.item_ids):
            ids.unknown("")  # makes its table now, and not in the first request
        return Loaded(recommender, (recommender.digest or "")[:VERSION_DIGITS], _now())


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
