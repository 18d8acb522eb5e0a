"""Terms found while the text is written: a term counts once nothing that follows can undo it.

'cat' may become 'catalogue', and 'e' an 'é': a term that ends in a letter counts when something after it shows that the
word is over. Knows spellings by `heedful.constraints.text`, and no particular constraint.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import TYPE_CHECKING

from heedful.constraints.prefix.monitor import Left, PrefixMonitor, PrefixVerdict
from heedful.constraints.text import fold, word_spans

if TYPE_CHECKING:
    from heedful.constraints.base import Constraint

_SPACE = re.compile(r"\s+")
_KEPT = 64  # how much scanned text may wait before it is dropped


class FoldedStream:
    """`fold` over a text in pieces: gives out the folded text as far as no completion can change it.

    Normalisation reorders accents, and never across a character that is none. So a character waits for the end of its
    accents before its folded form is known, unless that has no accent itself: those that follow are then appended.
    """

    def __init__(self, *, case_sensitive: bool) -> None:
        self._case_sensitive = case_sensitive
        self._last = [""]  # the last character with its accents so far, in pieces
        self._given = 0  # how much of its folded form is out already
        self._space = False  # does what is out end in white space, which swallows more of it?

    def feed(self, delta: str) -> str:
        """What `delta` adds to the folded text for good."""
        if not delta:
            return ""
        if delta.isascii():
            rest, self._last = self._fold("".join(self._last))[self._given :], [delta[-1]]
            self._given = 1
            return self._joined(rest + _SPACE.sub(" ", delta if self._case_sensitive else delta.lower()))
        start = len(delta) - 1
        while start >= 0 and unicodedata.combining(delta[start]):
            start -= 1
        if start < 0:
            self._last.append(delta)
            return ""
        whole = self._fold("".join(self._last) + delta[:start])[self._given :]
        self._last = [delta[start:]]
        begun = self._fold(delta[start:]) if start == len(delta) - 1 else ""
        if any(map(unicodedata.combining, begun)):
            begun = ""
        self._given = len(begun)
        return self._joined(whole + begun)

    def _fold(self, text: str) -> str:
        return fold(text, case_sensitive=self._case_sensitive).text

    def _joined(self, folded: str) -> str:
        folded = _SPACE.sub(" ", folded)
        if self._space and folded.startswith(" "):
            folded = folded[1:]
        if folded:
            self._space = folded.endswith(" ")
        return folded


class TermCounter:
    """How often each term stands in a text in pieces, as words of its own, counted as `find_term` does."""

    def __init__(self, terms: Mapping[str, str], *, case_sensitive: bool) -> None:
        """`terms`: the name of each, and its folded form."""
        self.counts = dict.fromkeys(terms, 0)
        self._terms = terms
        self._stream = FoldedStream(case_sensitive=case_sensitive)
        self._text = ""  # folded text that some term has still to be looked for in
        self._inside = False  # does a word end just before it, which it may go on with?
        self._from = dict.fromkeys(terms, 0)

    def feed(self, delta: str) -> dict[str, int]:
        """How often each term stands there whatever follows."""
        self._text += self._stream.feed(delta)
        interior: set[int] | None = None
        for name, term in self._terms.items():
            place = self._text.find(term, self._from[name])
            while place >= 0:
                if interior is None:
                    interior = self._interior()
                end = place + len(term)
                if place not in interior and end == len(self._text) and end in interior:
                    break  # the next character decides
                whole = place not in interior and end not in interior
                self.counts[name] += whole
                self._from[name] = end if whole else place + 1
                place = self._text.find(term, self._from[name])
            self._from[name] = max(self._from[name], len(self._text) - len(term) + 1) if place < 0 else place
        self._drop(min(self._from.values()))
        return self.counts

    def _interior(self) -> set[int]:
        """The places that a match may not begin or end at; the end of the text among them if it ends in a word."""
        known = "a" if self._inside else ""
        spans = word_spans(known + self._text)
        inside = {place - len(known) for start, end in spans for place in range(start + 1, end)}
        if spans and spans[-1][1] == len(known) + len(self._text):
            inside.add(len(self._text))
        return inside

    def _drop(self, until: int) -> None:
        if until < _KEPT:
            return
        known = "a" if self._inside else ""
        spans = word_spans(known + self._text[:until])
        self._inside = bool(spans) and spans[-1][1] == len(known) + until
        self._text = self._text[until:]
        self._from = {name: place - until for name, place in self._from.items()}


class TermsMonitor(PrefixMonitor):
    """Each term at least `low` times (satisfied once all are there), or at most `high` (violated once one is beyond)."""

    def __init__(
        self,
        constraint: Constraint,
        terms: Mapping[str, str],
        *,
        case_sensitive: bool,
        low: int = 0,
        high: int | None = None,
    ) -> None:
        super().__init__(constraint)
        self._counter = TermCounter(terms, case_sensitive=case_sensitive)
        self._low, self._high = low, high

    def step(self, delta: str) -> PrefixVerdict:
        counts = self._counter.feed(delta)
        if self._high is not None:
            most = max(counts, key=counts.__getitem__)
            reason = f"“{most}” so far: {counts[most]}; allowed: {self._high}"
            left = Left(max(self._high - counts[most], 0), "uses")
            return self.violated(reason, left) if counts[most] > self._high else self.open(reason, left)
        fewest = min(counts, key=counts.__getitem__)
        reason = f"“{fewest}” so far: {counts[fewest]}; asked: {self._low}"
        return self.satisfied(reason) if counts[fewest] >= self._low else self.open(reason)
