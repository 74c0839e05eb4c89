"""The command serve: mistakes are told before it serves; processes of it, asked over HTTP."""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from http.client import HTTPConnection
from urllib.parse import urlsplit

import asking
import pytest
import served
from quick import ROOT

from recbole_dsl.__main__ import main
from recbole_dsl.serving.recommender import Recommender


@pytest.fixture
def checkpoint(own_folder):
    served.write(own_folder / "a.pth", served.section())
    return "a.pth"


def _taken():
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen()
    return bound


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "no CHECKPOINT is given"),
        (["a.pth", "b.pth"], "one CHECKPOINT at a time, got a.pth and b.pth"),
        (["a.pth", "--port=x"], "--port must be an integer from 0 to 65535, got 'x'"),
        (["a.pth", "--port=-1"], "--port must be an integer from 0 to 65535, got '-1'"),
        (["a.pth", "--port=65536"], "--port must be an integer from 0 to 65535, got '65536'"),
        (["a.pth", "--port=²"], "--port must be an integer from 0 to 65535, got '²'"),
        (["a.pth", "--max_k=0"], "--max_k must be an integer >= 1, got '0'"),
        (["a.pth", "--threads=0"], "--threads must be an integer >= 1, got '0'"),
        (["a.pth", "--prot=1"], "unknown flag --prot; did you mean port?"),
        (["a.pth", "--port=0", "--host=256.0.0.1"], "--host=256.0.0.1 is no address of this"),
        (["none.pth", "--port=0"], "no checkpoint none.pth"),
        (["text.pth", "--port=0"], "text.pth is not a checkpoint of recbole_dsl"),
        ([".", "--port=0"], ". is no file"),
        (["a.pth", "--port=0", "--index=none"], "none has no index"),
    ],
)
def test_a_mistake_is_one_line_before_it_serves(checkpoint, own_folder, words, message, capsys):
    asking.service_or_skip()
    (own_folder / "text.pth").write_text("x")
    assert main(["serve", *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"error: {message}") and err.count("\n") == 1


def test_a_port_that_is_taken_is_one_line(checkpoint, capsys):
    asking.service_or_skip()
    with _taken() as other:
        port = other.getsockname()[1]
        assert main(["serve", checkpoint, f"--port={port}"]) == 2
    assert capsys.readouterr() == (
        "",
        f"error: --host=127.0.0.1 --port={port} cannot be listened on: Address already in use\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", ["fastapi", "uvicorn", "pydantic"])
def test_a_missing_package_is_one_line(checkpoint, name):
    asking.service_or_skip()
    code = (
        f"import sys; sys.modules[{name!r}] = None\n"
        "from recbole_dsl.__main__ import main\n"
        "sys.exit(main(['serve', 'a.pth', '--port=0']))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f'error: the package {name} is not installed: pip install "recbole_dsl[serve]"\n'
    )


# Processes ---------------------------------------------------------------------------------------


def _together(number, work):
    """Call work(n) in so many threads; the first error is raised."""
    errors = []

    def one(n):
        try:
            work(n)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(n,)) for n in range(number)]
    for thread in threads:
        thread.start()
    return threads, errors


def _scored(table):
    pairs = zip(table["item"], table["score"], strict=True)
    return [{"item": item, "score": score} for item, score in pairs]


@pytest.fixture
def running(checkpoint):
    asking.service_or_skip()
    with asking.serving(checkpoint, "--threads=2", "--max_body=5000") as process:
        yield process


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_answers_and_stops_cleanly(running, number):
    assert running.lines[0] == "MF_SL on toy: 7 users, 30 items, 4 dimensions, score dot\n"
    expected = Recommender(served.section()).recommend("u3", 4)
    with asking.Client(running.url) as ask:
        status, answer = ask("POST", "/recommend", {"users": ["u3"], "k": 4})
        assert status == 200 and answer["users"] == [{"user": "u3", "items": _scored(expected)}]
        assert ask("POST", "/similar", {"items": ["é 1"]})[0] == 200
        assert ask("POST", "/recommend_for_items", {"items": ["é 1"]})[0] == 200
        assert ask("GET", "/health")[1]["checkpoint"] == answer["checkpoint"]
        assert ask("POST", "/recommend", {"users": ["x"]})[0] == 404
        assert ask("POST", "/recommend", b"{")[0] == 422
        assert ask("POST", "/recommend", b" " * 5_001)[0] == 413
        assert ask("GET", "/health")[0] == 200
    assert running.stop(number) == (0, "stopped\n", "")


@pytest.mark.slow
def test_a_large_body_is_413_though_the_client_sends_all_of_it(running):
    with asking.Client(running.url) as ask:
        status, answer = ask("POST", "/recommend", b"x" * (8 << 20))
        assert ask("GET", "/health")[0] == 200
    assert (status, answer) == (413, {"detail": "the body must have at most 5,000 bytes"})
    assert running.stop() == (0, "stopped\n", "")


@pytest.mark.slow
def test_other_machines_are_told_of_in_a_line(checkpoint):
    asking.service_or_skip()
    with asking.serving(checkpoint, "--host=0.0.0.0") as process:
        code, _, err = process.stop()
    assert code == 0 and err.count("\n") == 1
    assert err.startswith("warning: --host=0.0.0.0: other machines reach this service")


@pytest.mark.slow
def test_32_clients_get_what_the_recommender_says(running):
    recommender = Recommender(served.section())
    asked = [
        {"users": [user], "k": k, "exclude": exclude}
        for user in recommender.users
        for k in (1, 10, 30)
        for exclude in ("seen", "train", None)
    ]
    expected = [
        _scored(recommender.recommend(one["users"], one["k"], exclude=one["exclude"]))
        for one in asked
    ]
    similar = {
        item: recommender.similar_items(item, 5)["similar_item"].tolist()
        for item in recommender.items
    }
    count = []

    def work(n):
        with asking.Client(running.url) as ask:
            for step in range(15):
                at = (n * 7 + step) % len(asked)
                status, answer = ask("POST", "/recommend", asked[at])
                assert status == 200
                assert answer["users"] == [{"user": asked[at]["users"][0], "items": expected[at]}]
                item = recommender.items[(n + step) % 30]
                status, answer = ask("POST", "/similar", {"items": [item], "k": 5})
                found = [one["item"] for one in answer["items"][0]["similar"]]
                assert status == 200 and found == similar[item]
                assert ask("POST", "/recommend", {"users": [f"x{n}"]}) == (
                    404,
                    {
                        "detail": f"the model knows no user 'x{n}'",
                        "unknown_users": [f"x{n}"],
                        "unknown_items": [],
                    },
                )
                count.append(1)

    threads, errors = _together(32, work)
    for thread in threads:
        thread.join()
    assert not errors and len(count) == 32 * 15
    assert running.stop() == (0, "stopped\n", "")


@pytest.mark.slow
def test_reloads_under_load_lose_no_request_and_mix_no_versions(own_folder):
    asking.service_or_skip()
    contents = [served.section(items=30), served.section(items=17)]
    paths = [
        served.write(own_folder / f"{name}.pth", content)
        for name, content in zip("ab", contents, strict=True)
    ]
    (own_folder / "c.pth").write_bytes(paths[0].read_bytes()[:-9])
    expected = {
        path.read_bytes()[-64:-48].decode(): Recommender(content).recommend(k=12)
        for path, content in zip(paths, contents, strict=True)
    }
    expected = {
        version: {user: _scored(rows) for user, rows in table.groupby("user")}
        for version, table in expected.items()
    }
    (own_folder / "live.pth").write_bytes(paths[0].read_bytes())
    stop, versions = threading.Event(), []

    with asking.serving("live.pth", "--threads=2") as process, asking.Client(process.url) as ask:

        def work(n):
            with asking.Client(process.url) as ask:
                while not stop.is_set():
                    users = [f"u{n % 7}", f"u{(n + 3) % 7}"]
                    status, answer = ask("POST", "/recommend", {"users": users, "k": 12})
                    assert status == 200
                    mine = expected[answer["checkpoint"]]
                    assert answer["users"] == [
                        {"user": user, "items": mine[user]} for user in users
                    ]
                    versions.append(answer["checkpoint"])

        def put(path):
            (own_folder / "new.pth").write_bytes(path.read_bytes())
            os.replace(own_folder / "new.pth", own_folder / "live.pth")
            process.send(signal.SIGHUP)

        def wait_for(condition):
            end = time.monotonic() + 60
            while not condition(ask("GET", "/health")[1]):
                assert time.monotonic() < end
                time.sleep(0.01)

        threads, errors = _together(8, work)
        try:
            wait_for(lambda health: versions)
            for turn in range(1, 7):
                put(paths[turn % 2])
                version = paths[turn % 2].read_bytes()[-64:-48].decode()
                wait_for(lambda health, version=version: health["checkpoint"] == version)
                wait_for(lambda health, version=version: versions[-1] == version)
                if turn == 3:
                    put(own_folder / "c.pth")
                    wait_for(lambda health: health["reload_error"] is not None)
                    health = ask("GET", "/health")[1]
                    assert health["checkpoint"] == version and health["status"] == "ok"
                    assert "live.pth is not a checkpoint" in health["reload_error"]
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        assert not errors and set(versions) == set(expected)
        changes = sum(a != b for a, b in itertools.pairwise(versions))
        assert changes >= 6
        assert ask("GET", "/health")[1]["reload_error"] is None
        code, _, err = process.stop()
    assert code == 0 and "reload failed, the model loaded" in err
    assert err.count("reloaded live.pth: Recommender(MF_SL on toy: 7 users") == 6
    assert "Traceback" not in err


def _is_taken(address):
    try:
        socket.create_connection(address, timeout=60).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.slow
def test_a_request_under_way_is_answered_before_it_stops_and_no_new_one_is_taken(running):
    address = urlsplit(running.url).hostname, urlsplit(running.url).port
    body = b'{"items": ["\xc3\xa9 1"], "k": 2}'
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(
            b"POST /similar HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
            b"Content-Length: %d\r\n\r\n" % len(body)
        )
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")  # it waits for the body
        running.send(signal.SIGTERM)
        end = time.monotonic() + 60
        while _is_taken(address):
            assert time.monotonic() < end
        connection.sendall(body)
        answer = b""
        while part := connection.recv(1 << 16):
            answer += part
    assert answer.startswith(b"HTTP/1.1 200 ") and answer.count(b'"score":') == 2
    assert running.popen.communicate(timeout=60) == ("stopped\n", "")
    assert running.popen.returncode == 0


@pytest.mark.slow
def test_more_connections_than_it_takes_are_503(checkpoint):
    asking.service_or_skip()
    before = "from recbole_dsl.serving.service import server; server.CONNECTIONS = 2"
    with (
        asking.serving(checkpoint, before=before) as process,
        asking.Client(process.url) as first,
        asking.Client(process.url) as second,
    ):
        assert first("GET", "/health")[0] == second("GET", "/health")[0] == 200
        third = HTTPConnection(urlsplit(process.url).netloc, timeout=60)
        third.request("GET", "/health")
        assert third.getresponse().status == 503
        third.close()
        assert first("GET", "/health")[0] == 200
        code, _, err = process.stop()
    assert code == 0 and "Exceeded concurrency limit." in err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hnswlib", "faiss"])
def test_it_searches_an_index_and_keeps_both_where_the_new_checkpoint_has_another(
    checkpoint, own_folder, kind
):
    asking.service_or_skip()
    if not os.environ.get(f"RECBOLE_DSL_NEEDS_{kind.upper()}"):
        pytest.importorskip(kind)
    assert main(["export", checkpoint, "--output=out", f"--index={kind}"]) == 0
    expected = Recommender(served.section()).recommend("u3", 4)["score"].tolist()
    with (
        asking.serving(checkpoint, "--index=out") as process,
        asking.Client(process.url) as ask,
    ):
        for _ in range(2):
            assert ask("GET", "/health")[1]["index"] is True
            status, answer = ask("POST", "/recommend", {"users": ["u3"], "k": 4})
            assert status == 200
            assert [item["score"] for item in answer["users"][0]["items"]] == expected
            served.write(own_folder / "new.pth", served.section(items=20))
            os.replace(own_folder / "new.pth", checkpoint)
            process.send(signal.SIGHUP)
            while ask("GET", "/health")[1]["reload_error"] is None:
                time.sleep(0.01)
        error = ask("GET", "/health")[1]["reload_error"]
        assert error.endswith("out has the index of another checkpoint")
        assert process.stop()[0] == 0
