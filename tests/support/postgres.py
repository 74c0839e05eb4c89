"""A PostgreSQL server of a test's own, which can be killed and started again."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psutil
import pytest


def _binaries():
    """The folder of the server's programs, by the PATH or as Debian installs them; or None."""
    found = shutil.which("initdb")
    folders = [Path(found).resolve().parent] if found else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


class Server:
    """A running server; ``url`` is what --storage takes."""

    def __init__(self, binaries, folder, user):
        self._binaries, self._folder, self._user = binaries, folder, user
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self.url = f"postgresql://tester:secret@127.0.0.1:{self._port}/postgres"
        options = ["--auth=trust", "--username=tester", "--no-sync", "-D", folder / "data"]
        subprocess.run([binaries / "initdb", *options], check=True, user=user, capture_output=True)
        self.start()

    def start(self):
        """Start the server and wait until it answers."""
        ends = time.monotonic() + 60
        self._process = None
        while True:
            if self._process is None or self._process.poll() is not None:
                # After a kill, a server does not start as long as a process of it is ending.
                self._process = subprocess.Popen(
                    [
                        self._binaries / "postgres", "-D", self._folder / "data",
                        "-p", str(self._port), "-k", self._folder, "-h", "127.0.0.1",
                    ],
                    user=self._user,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )  # fmt: skip
            ready = ["-h", "127.0.0.1", "-p", str(self._port)]
            if not subprocess.run([self._binaries / "pg_isready", "-q", *ready]).returncode:
                return
            assert time.monotonic() < ends, "the server does not start"
            time.sleep(0.2)

    def kill(self):
        """End it as a power cut would, with all its processes."""
        main = psutil.Process(self._process.pid)
        processes = [main, *main.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self._process.wait()
        psutil.wait_procs(processes, timeout=10)


@contextlib.contextmanager
def running_server():
    """A :class:`Server`. Skips the test where PostgreSQL or its driver is not installed, unless
    RECBOLE_DSL_NEEDS_POSTGRES is set, as in CI."""
    needed = os.environ.get("RECBOLE_DSL_NEEDS_POSTGRES")
    binaries = _binaries()
    if binaries is None and needed:
        pytest.fail("no PostgreSQL on this machine, and RECBOLE_DSL_NEEDS_POSTGRES is set")
    if binaries is None:
        pytest.skip("no PostgreSQL on this machine")
    if not needed:
        pytest.importorskip("psycopg")
    user = None
    if os.geteuid() == 0:  # as which the server does not run; Debian's package has a user for it
        user = "postgres"
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)
    try:
        server = Server(binaries, folder, user)
        yield server
        server.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
