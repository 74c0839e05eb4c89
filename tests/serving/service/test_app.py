"""A request's way to its answer, without a network: what is answered, and what is refused."""

import asyncio
import json
import os
import re
import subprocess
import sys
import threading
import time

import asking
import numpy as np
import pytest
import served
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from quick import ROOT

asking.service_or_skip()

import httpx  # noqa: E402

from recbole_dsl.serving.recommender import Recommender  # noqa: E402
from recbole_dsl.serving.service import answers  # noqa: E402
from recbole_dsl.serving.service.app import Service, create_app  # noqa: E402
from recbole_dsl.serving.service.messages import Limits  # noqa: E402
from recbole_dsl.serving.service.served_model import Loaded  # noqa: E402

pytestmark = pytest.mark.slow  # many of a hundredth of a second


class _Model:
    """As a ServedModel, of content that was never written."""

    def __init__(self, content, search=None):
        self.current = Loaded(Recommender(content, search), "0123", "2026-01-02T03:04:05+00:00")
        self.error = None


LIMITS = Limits(max_k=40, max_ids=20, max_rows=500, max_body=2_000)
MODEL = _Model(served.section())
APP = create_app(Service(MODEL, LIMITS, 2, body_seconds=0.2))
RECOMMENDER = MODEL.current.recommender


def _post(path, app=APP, **body):
    return asking.ask(app, "POST", path, json=body)


def _scored(table, name="item"):
    return [
        {"item": item, "score": score}
        for item, score in zip(table[name], table["score"], strict=True)
    ]


# Answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"k": 40},
        {"k": 3, "exclude": "train"},
        {"exclude": ["train", "valid"]},
        {"exclude": None, "items": ["é 3", "é 20"]},
        {"items": []},
    ],
)
@pytest.mark.parametrize("users", [["u3"], ["u1", "u0", "u1"], ["u5", "u2", "u4", "u6"] * 3])
def test_users_get_what_the_recommender_says(users, asked):
    done = _post("/recommend", users=users, **asked)
    expected = [
        {"user": user, "items": _scored(RECOMMENDER.recommend(user, **{"k": 10, **asked}))}
        for user in users
    ]
    assert done.status_code == 200 and done.headers["content-type"] == "application/json"
    assert done.json() == {
        "checkpoint": "0123", "unknown_users": [], "unknown_items": [], "users": expected
    }  # fmt: skip


def test_integers_are_ids_too():
    content = served.section()
    content = content._replace(user_ids=np.array([str(n) for n in range(7)], object))
    app = create_app(Service(_Model(content), LIMITS, 1))
    for users in ([3], ["3"]):
        answer = _post("/recommend", app, users=users).json()
        assert answer["users"][0]["user"] == "3" and len(answer["users"][0]["items"]) == 10


@pytest.mark.parametrize("asked", [{}, {"k": 40, "method": "mean"}, {"items_allowed": ["é 9"]}])
def test_a_new_user_gets_what_the_recommender_says(asked):
    done = _post("/recommend_for_items", items=["é 3", "é 4", "é 3"], **asked)
    expected = _scored(RECOMMENDER.recommend_for_items(["é 3", "é 4"], **{"k": 10, **asked}))
    assert done.json() == {
        "checkpoint": "0123", "unknown_users": [], "unknown_items": [], "items": expected
    }  # fmt: skip


def test_similar_items_are_those_that_the_recommender_says():
    items = ["é 3", "é 0", "é 3"]
    done = _post("/similar", items=items, k=29)
    table = RECOMMENDER.similar_items(items, 29)
    expected = [
        {"item": item, "similar": _scored(table[29 * n : 29 * n + 29], "similar_item")}
        for n, item in enumerate(items)
    ]
    assert done.json() == {
        "checkpoint": "0123", "unknown_users": [], "unknown_items": [], "items": expected
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore:overflow encountered in matmul")
def test_infinite_scores_are_null_and_the_answer_is_json():
    content = served.section()
    content.user_vectors[:] = content.item_vectors[:] = 3e38
    app = create_app(Service(_Model(content), LIMITS, 1))
    done = _post("/recommend", app, users=["u1"], k=1)
    (user,) = json.loads(done.content, parse_constant=pytest.fail)["users"]
    assert user["items"][0]["score"] is None


def test_health_says_which_model_answers():
    assert asking.ask(APP, "GET", "/health").json() == {
        "status": "ok", "model": "MF_SL", "dataset": "toy", "epoch": 3, "score": "dot", "users": 7,
        "items": 30, "dimensions": 4, "index": False, "checkpoint": "0123",
        "loaded": "2026-01-02T03:04:05+00:00", "reload_error": None,
    }  # fmt: skip


def test_openapi_describes_requests_answers_and_refusals():
    described = asking.ask(APP, "GET", "/openapi.json").json()
    assert set(described["paths"]) == {
        "/recommend", "/recommend_for_items", "/similar", "/health"
    }  # fmt: skip
    one = described["paths"]["/recommend"]["post"]
    asked = one["requestBody"]["content"]["application/json"]["schema"]
    assert asked["properties"]["k"]["maximum"] == 40 and asked["required"] == ["users"]
    assert one["summary"] == "The best items of users."
    assert set(one["responses"]) == {"200", "404", "408", "413", "422"}
    answer = one["responses"]["200"]["content"]["application/json"]["schema"]["$ref"]
    fields = described["components"]["schemas"][answer.rpartition("/")[2]]["properties"]
    assert set(fields) == set(_post("/recommend", users=["u1"]).json())
    page = asking.ask(APP, "GET", "/docs")
    assert page.status_code == 200 and "openapi.json" in page.text
    assert not re.findall(r"https?:", page.text)  # a machine without network shows it too
    files = re.findall(r'(?:src|href)="(/[^"]+)"', page.text)
    assert {name.rpartition(".")[2] for name in files} >= {"js", "css"}
    assert all(asking.ask(APP, "GET", name).status_code == 200 for name in files)


# Refusals ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("/recommend", {"users": ["x"]}, ("the model knows no user 'x'", ["x"], [])),
        (
            "/recommend",
            {"users": ["x", "u1", "y"], "items": ["z", "é 3"]},
            (
                "the model does not know 2 users: 'x', 'y'; the model knows no item 'z'",
                ["x", "y"],
                ["z"],
            ),
        ),
        ("/similar", {"items": ["é 3", "é"]}, ("the model knows no item 'é'", [], ["é"])),
        (
            "/recommend_for_items",
            {"items": list("abcd"), "items_allowed": ["e"]},
            ("the model does not know 5 items: 'a', 'b', 'c', ...", [], list("abcde")),
        ),
    ],
)
def test_unknown_ids_are_404(path, body, answer):
    done = _post(path, **body)
    assert done.status_code == 404
    assert done.json() == dict(
        zip(("detail", "unknown_users", "unknown_items"), answer, strict=True)
    )


def test_unknown_ids_are_reported_where_asked():
    answer = _post(
        "/recommend", users=["x", "u1"], items=["é 3", "y"], unknown="report", exclude=None
    ).json()
    assert (answer["unknown_users"], answer["unknown_items"]) == (["x"], ["y"])
    assert [user["user"] for user in answer["users"]] == ["u1"]
    assert [item["item"] for item in answer["users"][0]["items"]] == ["é 3"]
    answer = _post("/recommend", users=["x"], unknown="report").json()
    assert (answer["unknown_users"], answer["users"]) == (["x"], [])
    answer = _post("/recommend_for_items", items=["x", "é 3"], unknown="report").json()
    assert answer["items"] == _scored(RECOMMENDER.recommend_for_items(["é 3"]))
    answer = _post("/recommend_for_items", items=["x"], unknown="report").json()
    assert (answer["unknown_items"], answer["items"]) == (["x"], [])
    answer = _post("/similar", items=["é 3", "x"], unknown="report").json()
    assert [item["item"] for item in answer["items"]] == ["é 3"]


@pytest.mark.parametrize(
    ("path", "body", "detail"),
    [
        ("/recommend", {"users": ["u1"], "exclude": "trian"}, "exclude must be None or among seen"),
        ("/recommend", {"users": ["u1"], "exclude": ["x"]}, "exclude must be None or among seen"),
        ("/recommend", {"users": ["u1"], "k": 41}, "k: Input should be less than or equal to 40"),
        ("/recommend", {"users": ["u1"] * 20, "k": 26}, "520 rows are asked for"),
        ("/recommend", {"users": ["u1"] * 21}, "users: List should have at most 20 items"),
        ("/recommend_for_items", {"items": []}, "items: List should have at least 1 item"),
        ("/recommend_for_items", {"items": ["é 1"], "method": "x"}, "method: Input should be"),
        ("/similar", {"items": "é 1"}, "items: Input should be a valid"),
        ("/similar", {"users": ["u1"]}, "items: Field required; users (known: k, unknown, items)"),
    ],
)
def test_a_wrong_request_is_422_and_one_line(path, body, detail):
    done = _post(path, **body)
    assert done.status_code == 422
    (said,) = done.json().values()
    assert said.startswith(detail) and "\n" not in said


def test_items_with_an_index_are_422():
    app = create_app(Service(_Model(served.section(), search=object()), LIMITS, 1))
    done = _post("/recommend", app, users=["u1"], items=["é 3"])
    assert done.status_code == 422 and "an index searches all items" in done.json()["detail"]


def test_a_body_that_is_too_large_is_413_before_it_is_read_or_when_it_is_too_much():
    def parts():
        taken.append(1)
        yield b"x" * 1_500
        taken.append(2)
        yield b"x" * 501
        taken.append(3)
        yield b"x"

    class Body(httpx.AsyncByteStream):
        async def __aiter__(self):
            for part in parts():
                yield part

    taken = []
    for headers, stop in (({"content-length": "2001"}, 0), ({"content-length": "9" * 5_000}, 0)):
        done = asking.ask(APP, "POST", "/similar", content=Body(), headers=headers)
        assert (done.status_code, len(taken)) == (413, stop)
    done = asking.ask(APP, "POST", "/similar", content=Body())
    assert (done.status_code, taken) == (413, [1, 2])
    assert done.json() == {"detail": "the body must have at most 2,000 bytes"}
    body = json.dumps({"items": ["é 3"]}).encode()
    done = asking.ask(APP, "POST", "/similar", content=body + b" " * (2_000 - len(body)))
    assert done.status_code == 200


def test_a_body_that_does_not_come_is_408():
    class Body(httpx.AsyncByteStream):
        async def __aiter__(self):
            yield b"{"
            await asyncio.sleep(5)
            yield b"}"

    started = time.perf_counter()
    done = asking.ask(APP, "POST", "/similar", content=Body())
    assert time.perf_counter() - started < 3
    assert (done.status_code, done.json()) == (
        408, {"detail": "the body has not come in 0.2 seconds"}
    )  # fmt: skip


def test_other_addresses_and_methods_are_refused():
    assert asking.ask(APP, "GET", "/none").status_code == 404
    assert asking.ask(APP, "GET", "/recommend").status_code == 405


@pytest.mark.parametrize("path", ["/recommend", "/similar"])
def test_a_failure_of_ours_is_500_without_its_words(path, monkeypatch):
    def fail(*_):
        raise RuntimeError("secret")

    monkeypatch.setattr(answers, path[1:], fail)
    app = create_app(Service(MODEL, LIMITS, 1))
    done = _post(path, app, **{"users" if path == "/recommend" else "items": ["u1"]})
    assert done.status_code == 500 and "secret" not in done.text
    assert done.json()["detail"].startswith("the service has failed on this")


# Bytes, any JSON, and JSON that is nearly a request.
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
_FIELDS = st.sampled_from(
    ["users", "items", "k", "exclude", "unknown", "method", "items_allowed", "other"]
)
_VALUES = _JSON | st.sampled_from(
    ["u1", "é 3", ["u1"], ["é 3"], ["u1", "x"], 0, 1, 10**30, "seen", "train", "report", "mean"]
)
_BODIES = (
    st.binary()
    | st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))
    | _JSON.map(lambda value: json.dumps(value).encode())
    | st.dictionaries(_FIELDS, _VALUES).map(lambda value: json.dumps(value).encode())
)


@given(path=st.sampled_from(["/recommend", "/recommend_for_items", "/similar"]), body=_BODIES)
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_body_makes_the_service_fail(path, body):
    done = asking.ask(APP, "POST", path, content=body)
    too_large = len(body) > LIMITS.max_body
    assert done.status_code in ((413,) if too_large else (200, 404, 422))
    answer = json.loads(done.content)
    if done.status_code == 200:
        assert answer["checkpoint"] == "0123"
    else:
        assert isinstance(answer["detail"], str) and "\n" not in answer["detail"]


def test_the_service_needs_neither_torch_nor_recbole():
    code = (
        "import sys, recbole_dsl.serving.service.app, recbole_dsl.serving.service.server\n"
        "assert not {'recbole', 'torch'} & set(sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)


# Threads -----------------------------------------------------------------------------------------


def test_work_is_bounded_and_keeps_health_from_nobody(monkeypatch):
    go_on, running, most = threading.Event(), [], []
    similar = answers.similar

    def slow(*given):
        running.append(1)
        most.append(len(running))
        assert go_on.wait(10)
        running.pop()
        return similar(*given)

    monkeypatch.setattr(answers, "similar", slow)
    app = create_app(Service(MODEL, LIMITS, 2))

    async def work():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            tasks = [
                asyncio.ensure_future(client.post("/similar", json={"items": ["é 3"]}))
                for _ in range(6)
            ]
            while len(running) < 2:
                await asyncio.sleep(0.001)
            healthy = await client.get("/health")
            assert not any(task.done() for task in tasks)
            go_on.set()
            return healthy, await asyncio.gather(*tasks)

    healthy, done = asyncio.run(work())
    assert healthy.status_code == 200 and {one.status_code for one in done} == {200}
    assert max(most) == 2


def test_requests_of_a_moment_each_get_their_own_answer(monkeypatch):
    sizes, go_on = [], threading.Event()
    recommend = answers.recommend

    def counted(model, requests):
        assert go_on.wait(10)
        sizes.append(len(requests))
        return recommend(model, requests)

    monkeypatch.setattr(answers, "recommend", counted)
    service = Service(MODEL, LIMITS, 1)
    app = create_app(service)
    asked = [
        {"users": users, "k": k, "exclude": exclude, "unknown": unknown, "items": items}
        for users in (["u1"], ["u2", "x"], ["u3", "u0"])
        for k in (1, 5)
        for exclude in ("seen", None, ["train"], "trian")
        for unknown in ("error", "report")
        for items in (None, ["é 3", "é 4"])
    ] * 2

    async def work():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            tasks = [asyncio.ensure_future(client.post("/recommend", json=one)) for one in asked]
            while sum(map(len, service._together._waiting.values())) < len(asked) // 4:
                await asyncio.sleep(0.001)
            go_on.set()
            return await asyncio.gather(*tasks)

    for one, done in zip(asked, asyncio.run(work()), strict=True):
        if one["exclude"] == "trian":
            assert done.status_code == 422
        elif "x" in one["users"] and one["unknown"] == "error":
            assert done.status_code == 404
        else:
            known = [user for user in one["users"] if user != "x"]
            assert [user["user"] for user in done.json()["users"]] == known
            for user in done.json()["users"]:
                table = RECOMMENDER.recommend(
                    user["user"], one["k"], exclude=one["exclude"], items=one["items"]
                )
                assert user["items"] == _scored(table)
    assert max(sizes) > 3
