"""What answering one request may cost, and the ledger that sees to it.

A call is admitted before it is made, with room for its prompt and for as many tokens as it may write; what it did not use
comes back when it ends. So the budget holds at every moment, also with several calls in flight, and from several threads: a
verifier that asks a model asks the ledger first, as a draft does. Knows no model and no policy.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import NamedTuple

from heedful.control.upstream import Usage, check_number
from heedful.errors import InputError

SENSIBLE = 16
"""Fewer tokens than this are no answer: a call that could write no more is refused, unless it asked for fewer itself."""


@dataclass(frozen=True)
class Budget:
    """Limits of one request; None is no limit.

    Attributes:
        tokens: of all prompts and completions together, those of drafts that were stopped and of judges included.
        calls: of a model: answers that are drawn, several that are drawn as a batch being several, and questions to judges.
        seconds: from the start, verifiers included; looked at while an answer streams, and while a judge is asked.
    """

    tokens: int | None = None
    calls: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, least in (("tokens", 1), ("calls", 1), ("seconds", 0)):
            value = getattr(self, name)
            if value is None:
                continue
            check_number(f"a budget's {name}", value, whole=name != "seconds")
            if not value >= least:
                raise InputError(
                    f"a budget of {value} {name}", f"give {least} or more, or leave {name} out for no limit"
                )

    def start(self, clock: Callable[[], float] = time.monotonic) -> Ledger:
        """A ledger of one request, whose time runs from now."""
        return Ledger(self, clock)


class Spent(Exception):  # noqa: N818 - no error: a budget that ends a request has done its work
    """A call was refused; its text says what was spent.

    Attributes:
        held: calls in flight hold what is missing, and may yet give some of it back.
    """

    def __init__(self, text: str, *, held: bool = False) -> None:
        super().__init__(text)
        self.held = held


class Judged(NamedTuple):
    """What verifiers asked of models about the drafts of a request.

    Attributes:
        calls: questions asked.
        usage: tokens they took, as counted by the models that were asked.
    """

    calls: int = 0
    usage: Usage = Usage()


class Ledger:
    """What was spent of a budget, and what calls in flight may still spend.

    Attributes:
        budget: whose.
        used: by the calls that have ended, judges' included.
        calls: admitted so far, judges' included.
        judged: the judges' part of both.
    """

    def __init__(self, budget: Budget, clock: Callable[[], float] = time.monotonic) -> None:
        self.budget, self.used, self.calls, self.judged = budget, Usage(), 0, Judged()
        self._lock = Lock()
        self._clock, self._began, self._reserved = clock, clock(), 0

    @property
    def seconds(self) -> float:
        """Since the start."""
        return self._clock() - self._began

    @property
    def seconds_left(self) -> float | None:
        """Until time is up, below 0 after that; None without a limit."""
        return None if self.budget.seconds is None else self.budget.seconds - self.seconds

    @property
    def tokens_left(self) -> int | None:
        """Beyond what was used and what calls in flight may use; None without a limit."""
        return None if self.budget.tokens is None else self.budget.tokens - self.used.total - self._reserved

    def admit(self, prompt: int, wanted: int, *, judge: bool = False, patient: bool = False) -> Grant:
        """Leave for one call.

        Args:
            prompt: tokens of its prompt, or an upper estimate.
            wanted: the most tokens it would write.
            judge: it is a verifier that asks.
            patient: it would rather be refused than cut short for what calls in flight hold, and may yet give back.

        Raises:
            Spent: calls or time are used up, or not enough tokens are left for the prompt and a sensible answer.
        """
        with self._lock:
            granted = self._granted(prompt, wanted, patient)
            self.calls += 1
            self._reserved += prompt + granted
            if judge:
                self.judged = self.judged._replace(calls=self.judged.calls + 1)
        return Grant(self, prompt, granted, judge)

    def _granted(self, prompt: int, wanted: int, patient: bool) -> int:
        if self.budget.calls is not None and self.calls >= self.budget.calls:
            raise Spent(f"{self.calls} calls of {self.budget.calls} are made")
        if self.seconds_left is not None and self.seconds_left <= 0:
            raise Spent(f"the {self.budget.seconds:g} seconds are over")
        if self.tokens_left is None:
            return wanted
        granted = min(wanted, self.tokens_left - prompt)
        least = wanted if patient and self._reserved else min(SENSIBLE, wanted)
        if granted < least:
            held = f" beside {self._reserved} held for calls in flight" if self._reserved else ""
            raise Spent(
                f"{max(self.tokens_left, 0)} of {self.budget.tokens} tokens are left{held}, and the next call needs "
                f"{prompt} for its prompt and {least} for an answer",
                held=bool(held),
            )
        return granted

    def _settle(self, reserved: int, used: Usage, judge: bool) -> None:
        with self._lock:
            self._reserved -= reserved
            self.used = self.used.plus(used)
            if judge:
                self.judged = self.judged._replace(usage=self.judged.usage.plus(used))


class Grant:
    """Leave for one call, until it is settled.

    Attributes:
        prompt: tokens of its prompt.
        max_tokens: the most that it may write.
    """

    def __init__(self, ledger: Ledger, prompt: int, max_tokens: int, judge: bool = False) -> None:
        self.prompt, self.max_tokens = prompt, max_tokens
        self._ledger, self._judge, self._open = ledger, judge, True

    def usage(self, counted: Usage | None, tokens: int, *, estimated: bool) -> Usage:
        """What the call has used: as the upstream counts it, where it came to that, else the tokens of its deltas.

        An estimate is never more than was allowed.
        """
        found = counted or Usage(self.prompt, tokens, estimated)
        return found._replace(completion=min(found.completion, self.max_tokens)) if found.estimated else found

    def settle(self, used: Usage) -> None:
        """The call has ended, or was stopped, and used this. Settling twice is settling once."""
        if self._open:
            self._open = False
            self._ledger._settle(self.prompt + self.max_tokens, used, self._judge)
