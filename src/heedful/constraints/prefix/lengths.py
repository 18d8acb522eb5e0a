"""Counts that only grow: words and characters within bounds, judged while the text is written.

Knows what counts as one; which bounds there are, the constraint says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from heedful.constraints.prefix.monitor import Left, PrefixMonitor, PrefixVerdict
from heedful.constraints.text import word_spans
from heedful.constraints.verdict import Span

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

    def __init__(
        self, constraint: Constraint, counter: Counter, things: str, low: int | None = None, high: int | None = None
    ) -> None:
        """`things`: what is counted, in the plural."""
        super().__init__(constraint)
        self._counter = counter
        self._things = things
        self._low, self._high = low, high
        self._asked = constraint.describe()

    def step(self, delta: str) -> PrefixVerdict:
        count = self._counter.feed(delta)
        reason = f"{self._things} so far: {count}; asked: {self._asked}"
        if self._high is None:
            # From one on, because an empty text complies with nothing, not even with 'at least 0'.
            return self.satisfied(reason) if count >= max(self._low or 0, 1) else self.open(reason)
        left = Left(max(self._high - count, 0), self._things)
        return self.violated(reason, left) if count > self._high else self.open(reason, left)


class WordCounter:
    """Words, by default those of `heedful.constraints.text`: a word can grow, not vanish, and counts from its first letter."""

    def __init__(self, spans: Callable[[str], list[Span]] = word_spans) -> None:
        """`spans`: another rule of what a word is, under which a letter goes on with the word before it."""
        self.words = 0
        self._spans = spans
        self._inside = False  # does the text so far end in a word, which the next delta may go on with?

    def feed(self, delta: str) -> int:
        if delta:
            # A letter stands for the word that may go on, so that the rule of what goes on stays in one place.
            known = "a" if self._inside else ""
            spans = self._spans(known + delta)
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
