"""Verdicts on a whole text, all constraints at once, off the event loop.

A verifier may be slow, hang or raise; none of that delays another, blocks other requests, crashes, or counts as a pass. What it
asks of a model is paid by the request, and it gets no more time than that has left.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from contextvars import copy_context
from typing import TypeVar

from heedful.constraints import Constraint, Verdict
from heedful.control.account import paid_by
from heedful.control.budget import Budget, Ledger

T = TypeVar("T")

VERIFIER_SECONDS = 30.0

LAST_LOOK = 1.0
"""Seconds that verdicts may take beyond a request's: to judge by count and word takes milliseconds, and which draft is best is
to be known when time is up, too. No model is asked in them."""

_A_MOMENT = 0.1  # seconds: whoever keeps to the time that it is given says itself why it did not suffice


async def verify(
    text: str, constraints: Sequence[Constraint], seconds: float = VERIFIER_SECONDS, ledger: Ledger | None = None
) -> tuple[Verdict, ...]:
    """The verdict of each constraint on a complete text, in their order.

    A verifier that raises or takes longer than its seconds is an 'error'; one that the request's time does not suffice for is
    'unscored'.

    Args:
        ledger: of the request that pays for what verifiers ask; by default nobody counts.
    """
    ledger = ledger or Budget().start()
    return tuple(await asyncio.gather(*(_one(text, constraint, seconds, ledger) for constraint in constraints)))


async def _one(text: str, constraint: Constraint, seconds: float, ledger: Ledger) -> Verdict:
    left = ledger.seconds_left
    most = seconds if left is None else min(seconds, max(left, 0.0) + LAST_LOOK)
    try:
        with paid_by(ledger, most):
            return await asyncio.wait_for(in_thread(lambda: _checked(text, constraint)), most + _A_MOMENT)
    except TimeoutError:
        if most < seconds:
            reason = f"the verifier was not done when the {ledger.budget.seconds:g} seconds of the budget were over"
            return Verdict(constraint=constraint.id, outcome="unscored", expected=constraint.describe(), reason=reason)
        return _error(constraint, f"the verifier took longer than {seconds:g} seconds")


def _checked(text: str, constraint: Constraint) -> Verdict:
    try:
        return constraint.check(text)
    except BaseException as error:  # a user's verifier may fail in any way, and end by `sys.exit`
        return _error(constraint, f"the verifier failed: {type(error).__name__}: {error}".rstrip(": "))


def _error(constraint: Constraint, reason: str) -> Verdict:
    return Verdict(constraint=constraint.id, outcome="error", expected=constraint.describe(), reason=reason)


async def in_thread(function: Callable[[], T]) -> T:
    """What the function returns, from a thread of its own, in a copy of this context; one that hangs keeps no program from
    ending."""
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

    threading.Thread(target=copy_context().run, args=(run,), daemon=True, name="heedful-verifier").start()
    return await done
