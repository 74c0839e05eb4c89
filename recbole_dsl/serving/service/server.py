"""The socket that a service answers on, and uvicorn, which runs it."""

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator

import uvicorn
from fastapi import FastAPI
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recbole_dsl.common.errors import UsageError

CONNECTIONS = 1_000  # at once; more are answered 503
GRACE_SECONDS = 30  # that requests under way have when the service is stopped
_BACKLOG = 2_048


def bound_socket(host: str, port: int) -> socket.socket:
    """A socket with this address, on which nobody listens yet.

    Args:
        host: a name or an address. port: 0: one that is free.
    Raises:
        UsageError: there is no such address here, or it is taken.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"--host={host} is no address of this machine: {reason}") from error
    # With the number of the protocol: asyncio asks for it before it sets TCP_NODELAY, without which
    # each answer comes 40 ms late.
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise UsageError(
            f"--host={host} --port={port} cannot be listened on: {error.strerror or error}"
        ) from error
    return bound


def is_loopback(bound: socket.socket) -> bool:
    """Whether only this machine reaches a socket."""
    host: str = bound.getsockname()[0]
    return host == "::1" or host.startswith("127.")


def address_of(bound: socket.socket) -> str:
    """``http://HOST:PORT``."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def run(app: FastAPI, bound: socket.socket, listening: Callable[[], object]) -> None:
    """Answer until SIGINT or SIGTERM; requests under way are answered before it returns.

    Each request is computed on one thread: the threads of a pool share the processors better than
    those of a linear-algebra library, of which each request would start as many.

    Args:
        bound: by :func:`bound_socket`; it is closed at the end.
        listening: called once connections are taken.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws="none",
        server_header=False,
        limit_concurrency=CONNECTIONS + 1,  # from so many on, uvicorn answers 503
        timeout_graceful_shutdown=GRACE_SECONDS,
        backlog=_BACKLOG,
    )
    # uvicorn stops gracefully at a signal, and then raises it again for whoever has called it.
    with contextlib.suppress(KeyboardInterrupt), bound, threadpool_limits(1), logged():
        _Server(config, listening).run(sockets=[bound])


class _Server(uvicorn.Server):
    """Tells when connections are taken, and signals stop it gracefully."""

    def __init__(self, config: uvicorn.Config, listening: Callable[[], object]) -> None:
        super().__init__(config)
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        self._listening()


@contextlib.contextmanager
def logged() -> Iterator[None]:
    """While the block runs, what the service and uvicorn warn of goes to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    loggers = [logging.getLogger(name) for name in ("recbole_dsl.service", "uvicorn")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
