"""From a classifier's answer to a verdict: the four semantic and stylistic constraints share this.

Knows no particular question and no particular classifier.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from pydantic import Field, StrictStr

from heedful.constraints.base import Constraint
from heedful.constraints.classification import Classification, get_classifier
from heedful.constraints.verdict import Verdict
from heedful.errors import InputError, UpstreamError


class Judged(Constraint):
    """A constraint that a classifier decides: it passes if the classifier's label is the one asked for.

    The score is the classifier's score of the asked label; unlike a count's, it says how sure the classifier is, and
    may lie below 1 for a text that passes. If the classifier cannot tell, or does not know the asked label, the
    verdict is 'unscored'; if it cannot be asked, 'error'.
    """

    task: ClassVar[str]

    verifier: StrictStr = Field(
        default="offline", description="'offline', or 'hf:ID-or-path', or 'judge:URL#model', or one that you registered"
    )

    @property
    @abstractmethod
    def label(self) -> str:
        """The classifier's name for what is asked."""

    @abstractmethod
    def _advice(self, found: str) -> str:
        """What to change, given the label that was found instead."""

    def _known(self, answer: Classification) -> bool:
        """Does the classifier know what is asked at all? Of an answer without a label: as far as that is known beforehand."""
        return answer.label is None or self.label in answer.scores

    def _instead(self) -> str:
        """What may be asked of a classifier that does not know what was asked: the rest of a sentence."""
        return ""

    def check_scorable(self) -> None:
        if not self._known(Classification(None, {}, "")):
            raise InputError(
                f"{self.id}: the {self.task} verifier {self.verifier!r} does not know {self.label!r}, so no text can be scored",
                f"use one that does ('hf:ID'){self._instead()}",
            )

    def _verify(self, text: str) -> Verdict:
        try:
            answer = get_classifier(self.task, self.verifier)(text)
        except UpstreamError as error:
            return self._undecided(f"the {self.task} verifier could not be asked: {error.cause}", error=True)
        if not self._known(answer):
            return self._undecided(
                f"the {self.task} verifier {self.verifier!r} does not know {self.label!r}: use one that does "
                f"('hf:ID'){self._instead()}"
            )
        if answer.label is None:
            return self._undecided(answer.reason)
        return self._verdict(
            answer.label == self.label,
            score=answer.scores.get(self.label, 0.0),
            measured=answer.label,
            reason=answer.reason,
            spans=answer.spans,
            hint=self._advice(answer.label) + _quotes(text, answer.spans),
        )


def _quotes(text: str, spans: tuple[tuple[int, int], ...], limit: int = 3) -> str:
    """The first few places that spoke against, in the text's own words."""
    quoted = list(dict.fromkeys(" ".join(text[start:end].split()) for start, end in spans))[:limit]
    return ", look at " + ", ".join(f"“{quote[:60]}”" for quote in quoted) if quoted else ""
