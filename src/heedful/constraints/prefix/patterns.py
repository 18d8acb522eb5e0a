"""Places of a pattern counted while the text is written, for patterns of which it is known how far they reach.

A general regular expression may look ahead, or grow until two of its places become one. Those taken here match the same
places whatever follows, once the characters are there that they reach over. Knows no constraint.
"""

from __future__ import annotations

import re

_SPECIAL = frozenset("^$*+?{}[]|()")


def width_of(pattern: str) -> int | None:
    """How many characters a regular expression matches, if it is plain: only characters, escaped marks, and dots.

    None for every other: nothing is said of what those match.
    """
    width = place = 0
    while place < len(pattern):
        if pattern[place] in _SPECIAL:
            return None
        if pattern[place] == "\\":
            place += 1
            if pattern[place : place + 1].isalnum():  # a class or a back reference
                return None
        place += 1
        width += 1
    return width


class PatternCounter:
    """How many places of a pattern there are that no completion undoes, as `finditer` counts them.

    Args:
        pattern: one that no text after its match can undo, but for the next character if `bounded`.
        width: how many characters a match has at most.
        bounded: whether it ends with a condition on the character after it, as `\\b` is one.
    """

    def __init__(self, pattern: re.Pattern[str], width: int, *, bounded: bool = False) -> None:
        self.places = 0
        self._pattern = pattern
        self._bounded = bounded
        self._reach = width + bounded
        self._text = ""
        self._from = 0

    def feed(self, delta: str) -> int:
        text = self._text + delta
        while match := self._pattern.search(text, self._from):
            if self._bounded and match.end() == len(text):
                break
            self.places += 1
            self._from = match.end()
        self._from = max(self._from, len(text) - self._reach + 1)
        kept = max(self._from - 1, 0)  # one character more: whether a word begins depends on it
        self._text, self._from = text[kept:], self._from - kept
        return self.places
