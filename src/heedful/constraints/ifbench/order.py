"""Those of IFBench's `words` group that ask for words in places: first, last, so manieth, not too often."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from pydantic import Field

from heedful.constraints.ifbench.base import IFBenchConstraint, Place, ifbench_type
from heedful.constraints.ifbench.parts import PUNCTUATION, lines, trimmed, word_tokens
from heedful.constraints.ifeval.base import Bound, Text
from heedful.constraints.verdict import Verdict


@ifbench_type("words:repeats")
class Repeats(IFBenchConstraint):
    """No word more often than so many times."""

    small_n: Bound = Field(description="how often a word may stand in the text")

    def describe(self) -> str:
        return f"no word more than {self.small_n} time{'' if self.small_n == 1 else 's'}"

    def _verify(self, text: str) -> Verdict:
        words = [(word.text.lower(), word.span) for word in self._words(text)]
        often = {word: times for word, times in Counter(word for word, _ in words).items() if times > self.small_n}
        surplus = sum(times - self.small_n for times in often.values())
        shown = ", ".join(f"“{word}” {times} times" for word, times in sorted(often.items())[:5])
        return self._verdict(
            not often,
            score=1 - surplus / len(words) if often else 1.0,
            measured=dict(often),
            reason=f"{len(often)} words too often: {shown}" if often else "no word too often",
            spans=[span for word, span in words if word in often],
            hint=f"replace some of {shown}",
        )


class _Ends(IFBenchConstraint):
    """Reads the first and the last word of a stretch of text; 'a,' is not 'a' within it, as in the reference."""

    def _first(self, text: str) -> str:
        words = text.lstrip(PUNCTUATION + " ").split()
        return words[0].lower() if words else ""

    def _last(self, text: str) -> str:
        words = text.rstrip(PUNCTUATION + " ").split()
        return words[-1].lower() if words else ""


@ifbench_type("words:last_first")
class LastFirst(_Ends):
    """The last word of each sentence is the first of the next; one sentence alone is in order, as in the reference."""

    def describe(self) -> str:
        return "each sentence beginning with the last word of the one before"

    def _verify(self, text: str) -> Verdict:
        pairs = list(pairwise(self._sentences(text)))
        wrong = [b.span for a, b in pairs if not self._last(a.text) or self._last(a.text) != self._first(b.text)]
        things = "sentences begin with the last word of the one before"
        return self._none_wrong(wrong, len(pairs), things, f"write {self.describe()}")


@ifbench_type("words:paragraph_last_first")
class ParagraphLastFirst(_Ends):
    """Each line ends with the word that it begins with."""

    def describe(self) -> str:
        return "each paragraph ending with the word that it begins with"

    def _verify(self, text: str) -> Verdict:
        paragraphs = [line for line in lines(text) if self._last(trimmed(line.text.strip()))]
        wrong = []
        for line in paragraphs:
            paragraph = trimmed(line.text.strip())
            if self._first(paragraph) != self._last(paragraph):
                wrong.append(line.span)
        return self._none_wrong(
            wrong, len(paragraphs), "paragraphs end with their first word", f"write {self.describe()}"
        )


class _Tokens(IFBenchConstraint):
    """Counts words as NLTK's tokenizer splits them: "don't" is two."""

    def _split(self, text: str) -> list[str]:
        return word_tokens(text)


@ifbench_type("words:words_position")
class WordsPosition(_Tokens):
    """The second word and the last but one are a keyword, in any case."""

    keyword: Text = Field(description="the keyword")

    def describe(self) -> str:
        return f"“{self.keyword.strip()}” as the second word and as the last but one"

    def _verify(self, text: str) -> Verdict:
        words = self._split(text)
        found = [words[1], words[-2]] if len(words) > 1 else []
        right = sum(word.lower() == self.keyword.strip().lower() for word in found)
        shown = f"the second word is “{found[0]}”, the last but one “{found[1]}”" if found else "fewer than two words"
        return self._verdict(
            right == 2, score=right / 2, measured=list(found), reason=shown, hint=f"write {self.describe()}"
        )


@ifbench_type("words:keywords_specific_position")
class KeywordPosition(_Tokens):
    """A keyword, in any case, is such a word of such a sentence."""

    keyword: Text = Field(description="the keyword")
    n: Place = Field(description="which sentence, from 1")
    m: Place = Field(description="which of its words, from 1")

    def describe(self) -> str:
        return f"“{self.keyword.strip()}” as word {self.m} of sentence {self.n}"

    def _verify(self, text: str) -> Verdict:
        found = self._sentences(text)
        hint = f"write {self.describe()}"
        if len(found) < self.n:
            return self._held(False, f"{len(found)} sentences, and number {self.n} is asked for", hint=hint)
        sentence = found[self.n - 1]
        words = self._split(sentence.text)
        if len(words) < self.m:
            return self._held(False, f"sentence {self.n} has {len(words)} words", spans=[sentence.span], hint=hint)
        word = words[self.m - 1]
        passed = word.lower() == self.keyword.strip().lower()
        reason = f"word {self.m} of sentence {self.n} is “{word}”"
        return self._held(passed, reason, measured=word, spans=[sentence.span], hint=hint)
