"""Counts that only grow: words and characters within bounds, judged while the text is written.

Knows what counts as one; which bounds there are, the constraint says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from heedful.constraints.prefix.monitor import Left, PrefixMonitor, PrefixVerdict
from heedful.constraints.text import word_spans

if TYPE_CHECKING:
    from heedful.constraints.base import Constraint


class Counter(Protocol):
    """Counts something over a text in pieces."""

    def feed(self, delta: str, /) -> int:
        """How many every completion has at least, after `delta`: a number that never falls."""


class CountMonitor(PrefixMonitor):
    """A count that no completion can lower, within inclusive bounds.

    Above the upper bound the text is violated; at the lower one, if there is no upper, it is satisfied. With both, only
    the end can tell that it complies.
    """

    def __init__(self, constraint: Constraint, counter: Counter, unit: str, low: int | None, high: int | None) -> None:
        super().__init__(constraint)
        self._counter = counter
        self._unit = unit
        self._low, self._high = low, high

    def step(self, delta: str) -> PrefixVerdict:
        count = self._counter.feed(delta)
        reason = f"{count} {self._unit}{'' if count == 1 else 's'} so far, {self._bounds()}"
        if self._high is None:
            # From one on, because an empty text complies with nothing, not even with 'at least 0'.
            return self.satisfied(reason) if count >= max(self._low or 0, 1) else self.open(reason)
        left = Left(max(self._high - count, 0), f"{self._unit}s")
        return self.violated(reason, left) if count > self._high else self.open(reason, left)

    def _bounds(self) -> str:
        if self._low == self._high:
            return f"exactly {self._low}"
        if self._low is None:
            return f"at most {self._high}"
        return f"at least {self._low}" if self._high is None else f"between {self._low} and {self._high}"


class WordCounter:
    """Words, as `heedful.constraints.text` defines them. A word counts from its first letter: it can grow, not vanish."""

    def __init__(self) -> None:
        self.words = 0
        self._inside = False  # does the text so far end in a word, which the next delta may go on with?

    def feed(self, delta: str) -> int:
        if delta:
            # A letter stands for the word that may go on, so that the rule of what goes on stays in one place.
            known = "a" if self._inside else ""
            spans = word_spans(known + delta)
            self.words += len(spans) - len(known)
            self._inside = bool(spans) and spans[-1][1] == len(known) + len(delta)
        return self.words


class CharCounter:
    """Characters from the first visible one to the last: white space counts once something visible follows it."""

    def __init__(self) -> None:
        self.characters = 0
        self._space = 0  # white space since the last visible character

    def feed(self, delta: str) -> int:
        if not self.characters:
            delta = delta.lstrip()
        visible = len(delta.rstrip())
        if visible:
            self.characters += self._space + visible
            self._space = len(delta) - visible
        else:
            self._space += len(delta)
        return self.characters
