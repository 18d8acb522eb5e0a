"""An answer on its way: iterate for what goes out, and ask for the result when it has ended.

Knows what produces it as one coroutine; asynchronous code iterates it where it runs, and other code by way of one loop in the
background, in which all of that happens.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import wait
from contextlib import suppress
from functools import cache
from typing import Any, TypeVar

from heedful.control.result import Guarded
from heedful.errors import InputError

T = TypeVar("T")

_TURN = 0.2  # seconds

Producer = Callable[[Callable[[str], None]], Coroutine[Any, Any, Guarded]]
"""Gives text to a function, piece by piece, and ends with the result."""


class Answer(AsyncIterator[str]):
    """An asynchronous iterator of what goes out. It begins with the first `anext`. Left early, it is cancelled as soon as
    nothing refers to it any more; `async with` closes it at once."""

    def __init__(self, produce: Producer) -> None:
        self._produce = produce
        self._pieces: asyncio.Queue[str | None] = asyncio.Queue()
        self._task: asyncio.Task[Guarded] | None = None
        self._ended = self._cancelled = False

    @property
    def result(self) -> Guarded:
        """All that came of it, the best draft too where it was cancelled or failed.

        Raises:
            InputError: it has not ended yet.
            HeedfulError: not a character could be had.
        """
        if self._task is None or not self._task.done():
            raise InputError("this answer has not ended, so it has no result yet", "iterate it to its end first")
        return self._task.result()

    def __del__(self) -> None:
        """Left early: nobody can ask for more, from whatever thread it was let go of."""
        if self._task is not None and not self._cancelled and not self._task.done():
            with suppress(RuntimeError):  # the loop is closed, and nothing runs in it
                self._task.get_loop().call_soon_threadsafe(_leave, self._task)

    def cancel(self) -> None:
        """End it: what the model writes is stopped, and the result is the best draft until then."""
        if self._task is not None and not self._cancelled:
            # Once only: a second time would hit the verdicts on what there is. And later: a task that is cancelled before its
            # first step never runs, and would have no result.
            self._task.get_loop().call_soon(self._task.cancel)
        self._cancelled = True

    async def aclose(self) -> None:
        """`cancel`, and wait until it has ended."""
        self.cancel()
        if self._task is not None:
            with suppress(Exception):
                await asyncio.shield(self._task)

    async def __aenter__(self) -> Answer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def __anext__(self) -> str:
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(_run(self._produce, self._pieces))
            if self._cancelled:
                self._task.get_loop().call_soon(self._task.cancel)
        if self._ended:
            raise StopAsyncIteration
        try:
            piece = await self._pieces.get()
        except asyncio.CancelledError:
            await self.aclose()
            raise
        if piece is None:
            self._ended = True
            await self._task
            raise StopAsyncIteration
        return piece


async def _run(produce: Producer, pieces: asyncio.Queue[str | None]) -> Guarded:
    """Of an answer, and without it: what runs keeps no answer alive that was left."""
    try:
        return await produce(pieces.put_nowait)
    finally:
        pieces.put_nowait(None)


def _leave(task: asyncio.Task[Guarded]) -> None:
    """Cancel what nobody waits for, nor will hear of its errors."""
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
    task.cancel()


class SyncAnswer(Iterator[str]):
    """The same for code without an event loop; `with` closes it at once where it is left early."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def __next__(self) -> str:
        try:
            return run_sync(anext(self._answer))
        except StopAsyncIteration:
            raise StopIteration from None

    @property
    def result(self) -> Guarded:
        """See `Answer.result`."""
        return self._answer.result

    def cancel(self) -> None:
        """See `Answer.cancel`; from any thread."""
        _background().call_soon_threadsafe(self._answer.cancel)

    def close(self) -> None:
        """Cancel it, and wait until it has ended."""
        run_sync(self._answer.aclose())

    def __enter__(self) -> SyncAnswer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_sync(awaited: Awaitable[T]) -> T:
    """What this comes to, run in the background's event loop: one for all, as a client's connections belong to their loop."""

    async def run() -> T:
        return await awaited

    future = asyncio.run_coroutine_threadsafe(run(), _background())
    try:
        # In turns, since a signal that reaches another thread is not seen by one that waits for ever.
        while not wait([future], timeout=_TURN).done:
            pass
        return future.result()
    except BaseException:  # Ctrl-C or an error: nothing goes on unseen
        future.cancel()
        raise


_starting = threading.Lock()  # those who come first come at the same time, and `cache` would begin a loop for each


def _background() -> asyncio.AbstractEventLoop:
    with _starting:
        return _loop_of(os.getpid())


@cache
def _loop_of(process: int) -> asyncio.AbstractEventLoop:
    """Its number is asked for since a fork has the loop of its parent, and not the thread that runs it."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True, name="heedful-guard").start()
    return loop
