"""Those of IFBench's `words` group that ask for letters: which a word begins with, which it holds, how many it has."""

from __future__ import annotations

import re
import string
from itertools import pairwise

from heedful.constraints.ifbench.base import IFBenchConstraint, ifbench_type
from heedful.constraints.ifbench.parts import Piece, pieces
from heedful.constraints.ifeval.base import bounds
from heedful.constraints.verdict import Verdict

PALINDROMES, SHORTEST = 10, 5
"""How many palindromes are asked for, and of how many letters at least."""

_CLUSTER = re.compile("[bcdfghjklmnpqrstvwxyz]{2}")
_PRIMES = frozenset(n for n in range(2, 100) if all(n % d for d in range(2, n)))


@ifbench_type("words:alphabet")
class Alphabet(IFBenchConstraint):
    """Each word begins with the next letter of the alphabet; A follows Z."""

    def describe(self) -> str:
        return "each word beginning with the next letter of the alphabet"

    def _verify(self, text: str) -> Verdict:
        words = self._words(text)
        first = words[0].text[0].lower() if words else ""
        if not first or first not in string.ascii_lowercase:
            return self._held(
                False, "the first word begins with no letter from A to Z", hint="begin with such a letter"
            )
        start = string.ascii_lowercase.index(first)
        wrong = [
            word.span
            for place, word in enumerate(words[1:], start=1)
            if word.text.lower()[0] != string.ascii_lowercase[(start + place) % 26]
        ]
        return self._none_wrong(
            wrong, len(words), "words begin with the letter that is due", f"write {self.describe()}"
        )


@ifbench_type("words:vowel")
class Vowels(IFBenchConstraint):
    """One paragraph, without a line break, with at most three of the vowels a, e, i, o and u."""

    def describe(self) -> str:
        return "one paragraph with at most three of the vowels a, e, i, o, u"

    def _verify(self, text: str) -> Verdict:
        paragraphs = text.strip().count("\n") + 1
        used = sorted(set("aeiou") & set(text.lower()))
        holds = [paragraphs == 1, len(used) <= 3]
        return self._verdict(
            all(holds),
            score=sum(holds) / len(holds),
            measured=list(used),
            reason=f"{bounds('exactly', paragraphs, 'line')} with the vowels {', '.join(used) or 'none'}",
            hint=f"write {self.describe()}",
        )


@ifbench_type("words:consonants")
class Consonants(IFBenchConstraint):
    """Each word holds two consonants beside each other; a number or a lone mark is a word too, as in the reference."""

    def describe(self) -> str:
        return "two consonants beside each other in each word"

    def _pieces(self, text: str) -> list[Piece]:
        return pieces(text)

    def _verify(self, text: str) -> Verdict:
        words = self._pieces(text)
        wrong = [word.span for word in words if not _CLUSTER.search(word.text.lower())]
        things = "words have two consonants beside each other"
        return self._none_wrong(wrong, len(words), things, "replace the words that have not")


@ifbench_type("words:palindrome")
class Palindromes(IFBenchConstraint):
    """At least ten palindromes of five characters or more; the same one may be repeated."""

    def describe(self) -> str:
        return f"{bounds('at least', PALINDROMES, 'palindrome')} of {SHORTEST} letters or more"

    def _verify(self, text: str) -> Verdict:
        words = ((word.text.lower(), word.span) for word in self._words(text))
        found = [span for word, span in words if len(word) >= SHORTEST and word == word[::-1]]
        return self._counted(found, "at least", PALINDROMES, "palindrome")


@ifbench_type("words:prime_lengths")
class PrimeLengths(IFBenchConstraint):
    """The number of characters of each word is prime, and below a hundred."""

    def describe(self) -> str:
        return "only words whose number of letters is prime"

    def _verify(self, text: str) -> Verdict:
        words = self._words(text)
        wrong = [word.span for word in words if len(word.text) not in _PRIMES]
        return self._none_wrong(wrong, len(words), "words have a prime number of letters", "replace the others")


@ifbench_type("words:no_consecutive")
class NoConsecutive(IFBenchConstraint):
    """No two words beside each other begin with the same letter."""

    def describe(self) -> str:
        return "no two words beside each other beginning with the same letter"

    def _verify(self, text: str) -> Verdict:
        words = self._words(text)
        wrong = [second.span for first, second in pairwise(words) if first.text.lower()[0] == second.text.lower()[0]]
        things = "words begin otherwise than the word before them"
        return self._none_wrong(wrong, len(words), things, "replace the words that do not")
