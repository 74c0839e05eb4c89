"""Requests a second of ``recbole_dsl serve``, and how long they wait: ``python serving_load.py``.

A process of the command serves random vectors of 64 dimensions; threads of this one ask it over
loopback, each over its own connection and for the 10 best items of one user at a time, the next
once the answer is there. Client and service share the processors. ``python serving_load.py SECONDS
[ITEMS ...]`` sets how long each line takes, and the sizes of the catalogues.
"""

import http.client
import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil

USERS, DIMENSIONS, SEEN, K = 10_000, 64, 100, 10
CATALOGUES, CLIENTS, SECONDS = (1_682, 100_000), (1, 32), 10.0


def write_checkpoint(path: Path, items: int) -> None:
    """A checkpoint of random vectors of unit length, with SEEN seen items a user."""
    from recbole_dsl.serving.fold_in import unit
    from recbole_dsl.serving.section import Section, append, item_lists
    from recbole_dsl.training import sealed_file

    rng = np.random.default_rng(0)
    vectors = [unit(rng.standard_normal((n, DIMENSIONS), np.float32)) for n in (USERS, items)]
    ids = [np.array([str(n) for n in range(n)], object) for n in (USERS, items)]
    users = np.repeat(np.arange(USERS), SEEN)
    seen = item_lists(users, rng.integers(0, items, len(users)), USERS, items)
    meta = {"recbole_dsl": "0", "model": "MF_SL", "dataset": "load", "epoch": 1, "score": "cosine"}
    sealed_file.write(path, {})
    append(path, Section(meta, *ids, *vectors, {"train": seen}))


def ask(port: int, seed: int, until: float, seconds: list[float]) -> None:
    """Ask one client's requests; appends how long each took.

    Raises:
        RuntimeError: an answer is not that of the user asked for, with all items.
    """
    rng = np.random.default_rng(seed)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while time.perf_counter() < until:
        user = str(rng.integers(USERS))
        body = json.dumps({"users": [user], "k": K})
        started = time.perf_counter()
        connection.request("POST", "/recommend", body)
        response = connection.getresponse()
        content = response.read()
        seconds.append(time.perf_counter() - started)
        answer = json.loads(content)
        if response.status != 200 or [
            (one["user"], len(one["items"])) for one in answer["users"]
        ] != [(user, K)]:
            raise RuntimeError(f"{response.status}: {content[:200]!r}")
    connection.close()


def measure(process: psutil.Process, port: int, items: int, clients: int, length: float) -> str:
    """A line on so many clients that ask for so many seconds."""
    until = time.perf_counter() + length
    lists: list[list[float]] = [[] for _ in range(clients)]
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            ask(port, seed, until, lists[seed])
        except BaseException as error:
            errors.append(error)

    before, started = sum(process.cpu_times()[:2]), time.perf_counter()
    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took, used = time.perf_counter() - started, sum(process.cpu_times()[:2]) - before
    if errors:
        raise errors[0]
    waits = np.sort(np.concatenate(lists)) * 1e3
    number = len(waits)
    return (
        f"{items:,} items, {clients} client{'s' * (clients > 1)}: {number / took:,.0f} requests/s, "
        f"p50 {np.quantile(waits, 0.5):.1f} ms, p99 {np.quantile(waits, 0.99):.1f} ms, "
        f"{used / number * 1e3:.2f} ms of the service's processor time each"
    )


def main(length: float = SECONDS, *catalogues: int) -> None:
    """Measure each catalogue with each number of clients."""
    for items in catalogues or CATALOGUES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "load.pth"
            write_checkpoint(path, items)
            words = [sys.executable, "-m", "recbole_dsl", "serve", str(path), "--port=0"]
            with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as service:
                try:
                    assert service.stdout is not None
                    lines = map(re.compile(r"serving on \S+:(\d+):").search, service.stdout)
                    port = next(int(found[1]) for found in lines if found)
                    process = psutil.Process(service.pid)
                    measure(process, port, items, 1, min(length, 1.0))  # warm
                    for clients in CLIENTS:
                        print(measure(process, port, items, clients, length), flush=True)
                finally:
                    service.terminate()


if __name__ == "__main__":
    main(*map(float, sys.argv[1:2]), *map(int, sys.argv[2:]))
