"""``recbole_dsl serve``: a trained model as an HTTP service."""

import os
import queue
import re
import signal
import sys

from recbole_dsl.cli.command import Command
from recbole_dsl.cli.parser import Arguments, Option, as_count
from recbole_dsl.cli.process import signal_calls
from recbole_dsl.cli.recommend import checkpoint_of
from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.machine import usable_cores


def as_port(name: str, text: str) -> int:
    """An integer from 0 to 65535."""
    if not re.fullmatch(r"[0-9]{1,5}", text) or int(text) > 65535:
        raise UsageError(f"--{name} must be an integer from 0 to 65535, got {text!r}")
    return int(text)


def _work(given: Arguments) -> int:
    path, options = checkpoint_of(given), given.options
    from recbole_dsl.serving.service import server
    from recbole_dsl.serving.service.app import Service, create_app
    from recbole_dsl.serving.service.messages import Limits
    from recbole_dsl.serving.service.served_model import ServedModel

    limits = Limits(**{name: options[name] for name in Limits._fields})
    asked: queue.SimpleQueue[None] = queue.SimpleQueue()
    with (
        signal_calls(signal.SIGHUP, lambda: asked.put(None)),
        server.bound_socket(options["host"], options["port"]) as bound,
    ):
        model = ServedModel(path, options.get("index"))
        print(repr(model.current.recommender).removeprefix("Recommender(").removesuffix(")"))
        if not server.is_loopback(bound):
            print(
                f"warning: --host={options['host']}: other machines reach this service, which asks "
                "nobody who they are; it knows users and what they have seen",
                file=sys.stderr,
            )

        def listening() -> None:
            print(
                f"serving on {server.address_of(bound)}: /docs says how to ask; SIGHUP to process "
                f"{os.getpid()} reloads {path}, Ctrl-C stops",
                flush=True,
            )

        model.follow(asked)
        threads = options.get("threads") or usable_cores()
        app = create_app(Service(model, limits, threads))
        server.run(app, bound, listening)
    print("stopped")
    return 0


COMMAND = Command(
    name="serve",
    summary="answer requests for recommendations over HTTP, from a checkpoint alone",
    usage=["CHECKPOINT [--port=N] [--OPTION=VALUE ...]"],
    about="""
    Answers POST /recommend, /recommend_for_items and /similar, and GET /health, in JSON; /docs
    describes them, /openapi.json for programs. Needs FastAPI and uvicorn: pip install
    "recbole_dsl[serve]". The checkpoint alone is read, as by recbole_dsl recommend.

    SIGHUP loads the checkpoint's file anew, for which both models are in memory for a while:
    requests under way end on the old model, each answer names the checkpoint that has given it. A
    file that cannot be served changes nothing; the log and /health say why. SIGINT (Ctrl-C) and
    SIGTERM stop the service after the requests under way.

    Nobody is asked for a password, and a checkpoint knows users and what they have seen: by
    default only this machine is answered. A port for others belongs behind a server that knows
    them.
    """,
    options=[
        Option("port", "the port; 0: one that is free", "N", "8000", read=as_port),
        Option("host", "the address that is listened on, or its name", "HOST", "127.0.0.1"),
        Option(
            "index",
            "folder of recbole_dsl export --index, which is searched in place of all items: faster "
            "and not exact",
            "FOLDER",
        ),
        Option(
            "threads",
            "requests that are computed at once; more wait (default: processors)",
            "N",
            read=as_count,
        ),
        Option("max_k", "items of a user or an item, at most", "N", "1000", read=as_count),
        Option("max_ids", "ids of a list of a request, at most", "N", "10000", read=as_count),
        Option("max_rows", "users or items times k, at most", "N", "100000", read=as_count),
        Option("max_body", "bytes of a request, at most", "BYTES", "1048576", read=as_count),
    ],
    examples=[
        "saved/MF_SL-ml-100k.pth --port=8000",
        "model.pth --index=exported --threads=4 --max_k=100",
    ],
    exit_codes=[
        (0, "done"),
        (130, "stopped by Ctrl-C before it serves"),
        (143, "stopped by SIGTERM before it serves"),
    ],
    operands=True,
    work=_work,
)

main = COMMAND.run
