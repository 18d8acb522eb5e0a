"""IFEval's `change_case` group: all capitals, no capitals, so many words in capitals.

Knows letters; which language a text is in, the detector says.
"""

from __future__ import annotations

from abc import abstractmethod

from pydantic import Field

from heedful.constraints.ifeval.base import Bound, IFEvalConstraint, Relation, bounds, ifeval_type
from heedful.constraints.ifeval.tokens import capital_tokens
from heedful.constraints.language import detect_language
from heedful.constraints.verdict import Span, Verdict


@ifeval_type("change_case:capital_word_frequency")
class CapitalWordFrequency(IFEvalConstraint):
    """A number of words in capitals, as NLTK's tokenizer splits words ('CAN'T' and 'CANNOT' are two)."""

    capital_frequency: Bound = Field(description="how many")
    capital_relation: Relation = Field(description="'at least' or 'less than'")

    def describe(self) -> str:
        return f"{bounds(self.capital_relation, self.capital_frequency, 'word')} in capitals"

    def _found(self, text: str) -> list[Span]:
        return capital_tokens(text)

    def _verify(self, text: str) -> Verdict:
        relation, bound = self.capital_relation, self.capital_frequency
        return self._counted(self._found(text), relation, bound, "word in capitals", "words in capitals")


class _EnglishInCase(IFEvalConstraint):
    """English without one letter of the other case."""

    def describe(self) -> str:
        return f"English in {self._case()} letters only"

    @abstractmethod
    def _case(self) -> str:
        """'capital' or 'lower-case'."""

    @abstractmethod
    def _wrong(self, char: str) -> bool:
        """Whether one character is a letter of the other case."""

    @abstractmethod
    def _in_case(self, text: str) -> bool:
        """Whether the text has letters, and none of the other case."""

    def _verify(self, text: str) -> Verdict:
        if not self._in_case(text):
            wrong = [(place, place + 1) for place, char in enumerate(text) if self._wrong(char)]
            found = f"{len(wrong)} letters not {self._case()}" if wrong else f"no {self._case()} letter"
            hint = f"write everything in {self._case()} letters"
            return self._held(False, found, measured=len(wrong), spans=wrong, hint=hint)
        return self._english(text)

    def _english(self, text: str) -> Verdict:
        detected = detect_language(text)
        if detected.missing:
            return self._undecided(detected.reason)
        # A text of which the detector can make nothing passes in the reference.
        passed = detected.language in (None, "en")
        reason = f"{self._case()} letters only; language: {detected.reason}"
        return self._held(passed, reason, measured=detected.language or "unknown", hint="write in English")


@ifeval_type("change_case:english_capital")
class EnglishCapital(_EnglishInCase):
    """English in capital letters only."""

    def _case(self) -> str:
        return "capital"

    def _wrong(self, char: str) -> bool:
        return char.islower() or (char.istitle() and not char.isupper())

    def _in_case(self, text: str) -> bool:
        return text.isupper()


@ifeval_type("change_case:english_lowercase")
class EnglishLowercase(_EnglishInCase):
    """English in lower-case letters only."""

    def _case(self) -> str:
        return "lower-case"

    def _wrong(self, char: str) -> bool:
        return char.isupper() or char.istitle()

    def _in_case(self, text: str) -> bool:
        return text.islower()
