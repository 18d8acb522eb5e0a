"""Verdicts on a whole text, all constraints at once, off the event loop.

A verifier may be slow, hang or raise; none of that delays another, blocks other requests, crashes, or counts as a pass.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

from heedful.constraints import Constraint, Verdict

T = TypeVar("T")

VERIFIER_SECONDS = 30.0


async def verify(
    text: str, constraints: Sequence[Constraint], seconds: float = VERIFIER_SECONDS
) -> tuple[Verdict, ...]:
    """The verdict of each constraint on a complete text, in their order; one that raises or takes longer is an 'error'."""
    return tuple(await asyncio.gather(*(_one(text, constraint, seconds) for constraint in constraints)))


async def _one(text: str, constraint: Constraint, seconds: float) -> Verdict:
    try:
        return await asyncio.wait_for(in_thread(lambda: constraint.check(text)), seconds)
    except TimeoutError:
        reason = f"the verifier took longer than {seconds:g} seconds"
    except Exception as error:  # a user's verifier may fail in any way
        reason = f"the verifier failed: {type(error).__name__}: {error}"
    return Verdict(constraint=constraint.id, outcome="error", expected=constraint.describe(), reason=reason)


async def in_thread(function: Callable[[], T]) -> T:
    """What the function returns, from a thread of its own; one that hangs keeps no program from ending."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def tell(set_it: Callable[[], None]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(lambda: None if done.done() else set_it())

    def run() -> None:
        try:
            found = function()
        except Exception as error:
            raised = error
            tell(lambda: done.set_exception(raised))
        else:
            tell(lambda: done.set_result(found))

    threading.Thread(target=run, daemon=True, name="heedful-verifier").start()
    return await done
