"""IFBench's `ratio` group: shares of stop words and of another text, and how kinds of sentences stand to each other."""

from __future__ import annotations

from collections import Counter

from pydantic import Field

from heedful.constraints.ifbench.base import IFBenchConstraint, Percentage, ifbench_type
from heedful.constraints.ifbench.english import STOP_WORDS
from heedful.constraints.ifbench.parts import tokens
from heedful.constraints.ifeval.base import Text
from heedful.constraints.ifeval.parts import word_spans
from heedful.constraints.verdict import Verdict

TOLERANCE = 2
"""By how many percentage points the overlap may miss."""


@ifbench_type("ratio:stop_words")
class StopWords(IFBenchConstraint):
    r"""Stop words are at most such a share of the words, as `\w+` finds them."""

    percentage: Percentage = Field(description="at most this many of a hundred words")

    def describe(self) -> str:
        return f"at most {self.percentage:g} % stop words"

    def _verify(self, text: str) -> Verdict:
        words = word_spans(text)
        if not words:
            return self._held(False, "no word", measured=0, hint="write words")
        found = [(start, end) for start, end in words if text[start:end].lower() in STOP_WORDS]
        share = (len(found) / len(words)) * 100
        passed = share <= self.percentage
        return self._verdict(
            passed,
            score=1.0 if passed else self.percentage / share,
            measured=round(share, 1),
            reason=f"{len(found)} of {len(words)} words are stop words: {share:.1f} %",
            spans=found,
            hint=f"use fewer of them: at most {self.percentage:g} %",
        )


@ifbench_type("ratio:overlap")
class Overlap(IFBenchConstraint):
    """Such a share of the text's trigrams of words stands in another text too, give or take two points."""

    reference_text: Text = Field(description="the other text")
    percentage: Percentage = Field(description="this many of a hundred trigrams")

    def describe(self) -> str:
        return f"{self.percentage:g} % (±{TOLERANCE}) of the trigrams in the reference text too"

    def _verify(self, text: str) -> Verdict:
        own, other = _trigrams(text), _trigrams(self.reference_text)
        if not own:
            return self._held(False, "fewer than three words", measured=0, hint="write three words or more")
        share = len(own & other) / len(own) * 100
        passed = self.percentage - TOLERANCE <= share <= self.percentage + TOLERANCE
        return self._verdict(
            passed,
            score=1.0 if passed else 1 - abs(share - self.percentage) / 100,
            measured=round(share, 1),
            reason=f"{share:.1f} % of {len(own)} trigrams, {self.describe()}",
            hint=f"take {'more' if share < self.percentage else 'less'} from the reference text",
        )


def _trigrams(text: str) -> set[tuple[str, str, str]]:
    found = tokens(text)
    return set(zip(found, found[1:], found[2:], strict=False))


class KindsOfSentences(IFBenchConstraint):
    """Sentences by the mark that they end with."""

    def _last(self, sentence: str) -> str:
        """The mark that a sentence ends with."""
        return sentence[-1:]

    def _counts(self, text: str) -> tuple[int, int, int]:
        """Statements, questions, exclamations."""
        last = [self._last(sentence.text) for sentence in self._sentences(text)]
        return last.count("."), last.count("?"), last.count("!")


@ifbench_type("ratio:sentence_type")
class SentenceType(KindsOfSentences):
    """Two statements for every question; none of either is in order too, as in the reference."""

    def describe(self) -> str:
        return "two statements for each question"

    def _verify(self, text: str) -> Verdict:
        statements, questions, _ = self._counts(text)
        most = max(statements, 2 * questions)
        return self._verdict(
            statements == 2 * questions,
            score=min(statements, 2 * questions) / most if most else 1.0,
            measured={"statements": statements, "questions": questions},
            reason=f"{statements} statements and {questions} questions",
            hint=self.describe(),
        )


@ifbench_type("ratio:sentence_balance")
class SentenceBalance(KindsOfSentences):
    """As many statements as questions and exclamations; none of them is in order too, as in the reference."""

    def describe(self) -> str:
        return "as many statements as questions and as exclamations"

    def _verify(self, text: str) -> Verdict:
        counts = self._counts(text)
        statements, questions, exclamations = counts
        return self._verdict(
            len(set(counts)) == 1,
            score=min(counts) / max(counts) if any(counts) else 1.0,
            measured={"statements": statements, "questions": questions, "exclamations": exclamations},
            reason=f"{statements} statements, {questions} questions, {exclamations} exclamations",
            hint=self.describe(),
        )


@ifbench_type("ratio:sentence_words")
class SentenceWords(IFBenchConstraint):
    """Three sentences of the same length in characters, and no word twice."""

    def describe(self) -> str:
        return "three sentences with the same number of characters and no word twice"

    def _verify(self, text: str) -> Verdict:
        found = self._sentences(text)
        lengths = [len(sentence.text.strip()) for sentence in found]
        words = [word.text.lower() for word in self._words(text)]
        repeated = sorted(word for word, times in Counter(words).items() if times > 1)
        holds = [len(found) == 3, len(set(lengths)) == 1, not repeated]
        return self._verdict(
            all(holds),
            score=sum(holds) / len(holds),
            measured={"lengths": list(lengths), "repeated": list(repeated)},
            reason=f"{len(found)} sentences of {', '.join(map(str, lengths))} characters; {len(repeated)} words repeated",
            spans=[sentence.span for sentence in found],
            hint=f"write {self.describe()}",
        )
