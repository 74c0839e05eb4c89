"""Requests that wait are answered together."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from recbole_dsl.serving.service.together import Together


class _Busy:
    """A pool of one thread, which is busy until it may begin."""

    def __init__(self):
        self.pool = ThreadPoolExecutor(1)
        self.begin = threading.Event()
        self.pool.submit(self.begin.wait)


async def _all(together, asked, begin):
    tasks = [asyncio.ensure_future(together.ask(key, value)) for key, value in asked]
    await asyncio.sleep(0.01)
    begin.set()
    return await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 20)


@pytest.mark.parametrize(("threads", "sizes"), [(1, [3, 5]), (2, [1, 1, 1, 2, 3])])
def test_what_waits_with_one_key_is_answered_at_once_and_shared_out(threads, sizes):
    busy, calls = _Busy(), []

    def answer(requests):
        calls.append(list(requests))
        return [value * 10 for value in requests]

    together = Together(busy.pool, threads, answer)
    asked = [("a", 1), ("b", 2), ("a", 3), ("a", 4), ("b", 5), ("a", 6), ("b", 7), ("a", 8)]
    assert asyncio.run(_all(together, asked, busy.begin)) == [10, 20, 30, 40, 50, 60, 70, 80]
    keys = {1: "a", 3: "a", 4: "a", 6: "a", 8: "a", 2: "b", 5: "b", 7: "b"}
    assert all(len({keys[value] for value in call}) == 1 for call in calls)
    assert sorted(map(len, calls)) == sizes
    assert not together._waiting


def test_an_error_is_told_to_all_who_were_answered_together_and_to_no_others():
    busy = _Busy()

    def answer(requests):
        if "bad" in requests:
            raise ValueError("bad")
        return requests

    together = Together(busy.pool, 1, answer)
    asked = [("a", "good"), ("b", "bad"), ("b", "beside")]
    first, *others = asyncio.run(_all(together, asked, busy.begin))
    assert first == "good" and all(isinstance(other, ValueError) for other in others)


def test_one_who_has_gone_keeps_no_other_from_the_answer():
    busy = _Busy()
    together = Together(busy.pool, 1, lambda requests: requests)

    async def work():
        gone, other = (asyncio.ensure_future(together.ask("a", value)) for value in (1, 2))
        await asyncio.sleep(0.01)
        gone.cancel()
        busy.begin.set()
        return await asyncio.wait_for(other, 20)

    assert asyncio.run(work()) == 2


def test_a_request_that_finds_a_thread_free_waits_for_no_other():
    together = Together(ThreadPoolExecutor(1), 1, lambda requests: [len(requests)])
    assert asyncio.run(asyncio.wait_for(together.ask("a", 0), 5)) == 1
