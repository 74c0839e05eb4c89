"""Requests to a service: to an app of this process, or over HTTP to a process of the command."""

import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from http.client import HTTPConnection
from urllib.parse import urlsplit

from quick import ROOT


def service_or_skip():
    """Skips where the service's packages lack, unless CI says that they must be there."""
    import pytest

    if not os.environ.get("RECBOLE_DSL_NEEDS_SERVE"):
        for name in ("fastapi", "fastapi_offline", "uvicorn", "httpx"):
            pytest.importorskip(name)


def ask(app, method, path, **given):
    """The response of an app to one request, as httpx has it."""
    import httpx

    async def work():
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, **given)

    return asyncio.run(work())


_COMMAND = "import sys; from recbole_dsl.__main__ import main; sys.exit(main())"


class Process:
    """A process of ``recbole_dsl serve`` on a free port.

    Attributes:
        url: where it answers. popen: the process. lines: what it has printed at its start.

    Args:
        words: of the command. before: Python that the process runs first.
    """

    def __init__(self, *words, before="", **options):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.popen = subprocess.Popen(
            [sys.executable, "-c", f"{before}\n{_COMMAND}", "serve", "--port=0", *words],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **options,
        )
        self.lines = []
        for line in self.popen.stdout:
            self.lines.append(line)
            if found := re.search(r"serving on (\S+):", line):
                self.url = found[1]
                return
        raise AssertionError(self.popen.communicate()[1])

    def send(self, number):
        """Send it a signal."""
        self.popen.send_signal(number)

    def stop(self, number=signal.SIGTERM, timeout=60):
        """Stop it; returns its exit code and what it has printed since its start."""
        self.popen.send_signal(number)
        out, err = self.popen.communicate(timeout=timeout)
        return self.popen.returncode, out, err


class Client:
    """Asks in JSON, over one connection: ask(method, path, body) -> (status, answer)."""

    def __init__(self, url):
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=60)

    def __call__(self, method, path, body=None):
        data = body if body is None or isinstance(body, bytes) else json.dumps(body)
        self._connection.request(method, path, data)
        response = self._connection.getresponse()
        return response.status, json.loads(response.read())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._connection.close()


@contextlib.contextmanager
def serving(*words, **options):
    """A :class:`Process` that is gone when the block ends."""
    process = Process(*words, **options)
    try:
        yield process
    finally:
        if process.popen.poll() is None:
            process.popen.kill()
            process.popen.communicate()
