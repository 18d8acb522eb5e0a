"""IFBench's `sentence` group: how each sentence follows on the one before, and what one of them holds."""

from __future__ import annotations

import re
from itertools import pairwise

from pydantic import Field

from heedful.constraints.ifbench.base import IFBenchConstraint, Place, ifbench_type
from heedful.constraints.ifbench.parts import PUNCTUATION, pieces
from heedful.constraints.ifeval.base import Bound, Text
from heedful.constraints.ifeval.parts import own_word_spans
from heedful.constraints.verdict import Span, Verdict


@ifbench_type("sentence:alliteration_increment")
class AlliterationIncrement(IFBenchConstraint):
    """Each sentence has more alliterating words than the one before: words with the first letter of a neighbour.

    As in the reference all of a sentence's alliterating words are counted, not the longest sequence of them.
    """

    def describe(self) -> str:
        return "in each sentence more alliterating words than in the one before"

    def _alliterating(self, runs: list[int]) -> int:
        """One number for a sentence, from the lengths of its sequences of words that begin alike."""
        return sum(runs)

    def _measure(self, sentence: str) -> int:
        stripped = (piece.text.lower().lstrip(PUNCTUATION + " ") for piece in pieces(sentence))
        firsts = [word[0] for word in stripped if word]
        return self._alliterating([len(run[0]) for run in re.finditer(r"(.)\1+", "".join(firsts), re.DOTALL)])

    def _verify(self, text: str) -> Verdict:
        found = self._sentences(text)
        counts = [self._measure(sentence.text) for sentence in found]
        wrong = [found[place].span for place, (a, b) in enumerate(pairwise(counts), start=1) if b <= a]
        things = f"sentences go beyond the one before ({', '.join(map(str, counts))} alliterating words)"
        return self._none_wrong(wrong, len(found), things, f"use {self.describe()}")


@ifbench_type("sentence:increment")
class SentenceIncrement(IFBenchConstraint):
    """Each sentence has exactly so many words more than the one before."""

    small_n: Bound = Field(description="how many words more")

    def describe(self) -> str:
        return f"in each sentence exactly {self.small_n} words more than in the one before"

    def _verify(self, text: str) -> Verdict:
        found = self._sentences(text)
        counts = [len(self._words(sentence.text)) for sentence in found]
        wrong = [found[i].span for i, (a, b) in enumerate(pairwise(counts), start=1) if b != a + self.small_n]
        things = f"sentences have the length that is due ({', '.join(map(str, counts))} words)"
        return self._none_wrong(wrong, len(found), things, f"write {self.describe()}")


@ifbench_type("sentence:keyword")
class SentenceKeyword(IFBenchConstraint):
    """One sentence holds a keyword, in any case, as a word of its own."""

    word: Text = Field(description="the keyword")
    N: Place = Field(description="which sentence, from 1")

    def describe(self) -> str:
        return f"“{self.word}” in sentence {self.N}"

    def _found(self, sentence: str) -> list[Span]:
        return own_word_spans(re.escape(self.word), sentence)

    def _verify(self, text: str) -> Verdict:
        found = self._sentences(text)
        hint = f"use {self.describe()}"
        if len(found) < self.N:
            return self._held(False, f"{len(found)} sentences, and number {self.N} is asked for", hint=hint)
        sentence, (start, _) = found[self.N - 1]
        spans = [(start + a, start + b) for a, b in self._found(sentence)]
        reason = f"sentence {self.N} holds “{self.word}” {len(spans)} times"
        return self._held(bool(spans), reason, measured=len(spans), spans=spans or [found[self.N - 1].span], hint=hint)
