"""An answer on its way: one loop for all who have none, from the first moment on, and nothing written for who has left."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier

import pytest

from heedful.constraints import WordCount
from heedful.control import answer as answer_module
from heedful.control.answer import Answer
from heedful.control.guard import Guard
from heedful.control.result import Guarded

from .conftest import Scripted

LONG = " ".join(["word"] * 200)


def test_those_who_come_first_at_the_same_time_share_one_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, many = asyncio.new_event_loop, 8
    loops = list[asyncio.AbstractEventLoop]()

    def slowly() -> asyncio.AbstractEventLoop:
        time.sleep(0.05)
        loops.append(begin())
        return loops[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", slowly)
    monkeypatch.setattr(answer_module, "_loop_of", cache(answer_module._loop_of.__wrapped__))
    together = Barrier(many)

    def one(number: int) -> str:
        together.wait()
        return "".join(Guard(Scripted("One two three"), [WordCount(at_most=4)], mode="shadow").stream("Count."))

    with ThreadPoolExecutor(many) as pool:
        assert list(pool.map(one, range(many))) == ["One two three"] * many
    assert len(loops) == 1
    loops[0].call_soon_threadsafe(loops[0].stop)
    while loops[0].is_running():
        time.sleep(0.01)
    loops[0].close()


FORK = """
import os, signal
from heedful.control.answer import run_sync

async def seven():
    return 7

assert run_sync(seven()) == 7
child = os.fork()
if child == 0:
    signal.alarm(20)
    os._exit(run_sync(seven()))
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
"""


def test_a_forked_process_has_a_loop_that_runs() -> None:
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def closed(model: Scripted) -> bool:
    """Whether its stream is, in a moment, and long before its end."""
    gc.collect()
    until = time.monotonic() + 1.0
    while not model.closed and time.monotonic() < until:
        time.sleep(0.01)
    return model.closed == [0] and model.drawn[0] < 100


def test_a_stream_that_is_left_early_stops_the_model() -> None:
    model = Scripted(LONG, pause=0.02)

    def first() -> str:
        for piece in Guard(model, [WordCount(at_most=500)], mode="shadow").stream("Write."):
            return piece
        return ""

    assert first() == "word"
    assert closed(model)


def test_an_asynchronous_stream_that_is_left_early_stops_the_model() -> None:
    model = Scripted(LONG, pause=0.02)

    async def first() -> str:
        async for piece in Guard(model, [WordCount(at_most=500)], mode="shadow").astream("Write."):
            return piece
        return ""

    async def run() -> bool:
        assert await first() == "word"
        return await asyncio.to_thread(closed, model)

    assert asyncio.run(run())


def test_what_was_left_and_fails_then_tells_nobody(caplog: pytest.LogCaptureFixture) -> None:
    ended = list[str]()

    async def produce(emit: Callable[[str], None]) -> Guarded:
        emit("word")
        try:
            return await asyncio.Future()
        finally:
            ended.append("ended")
            raise RuntimeError("as it closes")

    async def run() -> None:
        async for _ in Answer(produce):
            break
        for _ in range(9):
            await asyncio.sleep(0)
        gc.collect()

    asyncio.run(run())
    assert (ended, caplog.text) == (["ended"], "")
