"""Who pays for what a verifier asks: the request whose text it judges.

A judge sits inside a constraint and knows no request; so who verifies opens an account in the context, and the judge asks for
leave there before each of its calls. Outside of a guard nobody keeps a budget, and leave is always given.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from heedful.control.budget import Budget, Grant, Ledger, Spent

_AGAIN = 0.02  # seconds between two looks at whether calls in flight have given back what they held


class Account:
    """For the verdict of one verifier on one text.

    Attributes:
        ledger: of the request.
    """

    def __init__(self, ledger: Ledger, seconds: float) -> None:
        """Open for so many seconds at the most."""
        self.ledger, self._until = ledger, time.monotonic() + seconds

    @property
    def seconds_left(self) -> float:
        """For a call: until the verifier's time or the request's is up."""
        left = self.ledger.seconds_left
        return min(self._until - time.monotonic(), math.inf if left is None else left)

    def close(self) -> None:
        """Nobody waits for the verdict any more: nothing further is asked."""
        self._until = -math.inf

    async def admit(self, prompt: int, wanted: int) -> Grant:
        """Leave for one call, see `Ledger.admit`; waits while calls in flight hold what is missing.

        Raises:
            Spent: the budget is, or the verifier's time.
        """
        while True:
            try:
                if self._until <= time.monotonic():
                    raise Spent("the verifier's time is over")
                return self.ledger.admit(prompt, wanted, judge=True)
            except Spent as spent:
                if not spent.held:
                    raise
            await asyncio.sleep(_AGAIN)


_account: ContextVar[Account | None] = ContextVar("heedful account", default=None)


@contextmanager
def paid_by(ledger: Ledger, seconds: float) -> Iterator[None]:
    """What is asked in this context, or in a copy of it, is paid by a request, for so many seconds at the most."""
    account = Account(ledger, seconds)
    token = _account.set(account)
    try:
        yield
    finally:
        _account.reset(token)
        account.close()


def account() -> Account:
    """Of whoever asks."""
    return _account.get() or Account(Budget().start(), math.inf)
