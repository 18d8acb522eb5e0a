"""IFBench's `count` group: how many words, names, numbers, pronouns and marks. Knows nothing of what the text says."""

from __future__ import annotations

import re

from pydantic import Field, model_validator

from heedful.constraints.ifbench.base import IFBenchConstraint, Place, ifbench_type
from heedful.constraints.ifbench.english import CONJUNCTIONS, NAMES, PRONOUNS
from heedful.constraints.ifbench.parts import number_spans, pieces, tokens, trimmed
from heedful.constraints.ifeval.base import Bound, Text, bounds
from heedful.constraints.ifeval.parts import own_word_spans, word_spans
from heedful.constraints.verdict import Span, Verdict
from heedful.errors import InputError

MARKS = ".,!?;:"
"""The marks that `count:punctuation` asks for, beside the interrobang."""

TIMES = (1, 2, 3, 5, 7)
"""How often the five keywords of `count:keywords_multiple` must stand in the text."""

_JAPANESE = re.compile("[\u3040-\u30ff\u4e00-\u9fff]")
_INTERROBANG = re.compile(r"\?!|!\?|‽")


@ifbench_type("count:word_count_range")
class WordCountRange(IFBenchConstraint):
    r"""Between so many and so many words, as `\w+` finds them."""

    min_words: Bound = Field(description="at least this many")
    max_words: Bound = Field(description="at most this many")

    @model_validator(mode="after")
    def _in_order(self) -> WordCountRange:
        if self.min_words > self.max_words:
            raise InputError(
                f"no text has at least {self.min_words} and at most {self.max_words} words",
                "give min_words the smaller number",
            )
        return self

    def describe(self) -> str:
        return f"{self.min_words} to {self.max_words} words"

    def _found(self, text: str) -> list[Span]:
        return word_spans(text)

    def _verify(self, text: str) -> Verdict:
        found = self._found(text)
        if len(found) < self.min_words:
            return self._counted(found, "at least", self.min_words, "word")
        return self._counted(found, "less than", self.max_words + 1, "word")


@ifbench_type("count:unique_word_count")
class UniqueWordCount(IFBenchConstraint):
    """At least so many different words; what is punctuation only counts as one word, as in the reference."""

    N: Bound = Field(description="at least this many")

    def describe(self) -> str:
        return bounds("at least", self.N, "different word")

    def _found(self, text: str) -> list[Span]:
        firsts: dict[str, Span] = {}
        for piece in pieces(text):
            firsts.setdefault(trimmed(piece.text.lower()), piece.span)
        return list(firsts.values())

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), "at least", self.N, "different word")


@ifbench_type("count:conjunctions")
class Conjunctions(IFBenchConstraint):
    """At least so many different coordinating conjunctions; 'And' and 'and,' are two, as in the reference."""

    small_n: Bound = Field(description="at least this many")

    def describe(self) -> str:
        return bounds("at least", self.small_n, "different coordinating conjunction")

    def _spelled(self, word: str) -> str:
        """What tells one conjunction from another."""
        return word

    def _found(self, text: str) -> list[Span]:
        firsts: dict[str, Span] = {}
        for piece in pieces(text):
            if trimmed(piece.text).lower() in CONJUNCTIONS:
                firsts.setdefault(self._spelled(piece.text), piece.span)
        return list(firsts.values())

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), "at least", self.small_n, "different conjunction")


@ifbench_type("count:person_names")
class PersonNames(IFBenchConstraint):
    """At least so many different names, of the fifty that the prompt lists."""

    N: Bound = Field(description="at least this many")

    def describe(self) -> str:
        return f"{bounds('at least', self.N, 'different name')} of the fifty that are listed"

    def _verify(self, text: str) -> Verdict:
        firsts = (re.search(rf"\b{name}\b", text) for name in NAMES)
        return self._counted(sorted(found.span() for found in firsts if found), "at least", self.N, "different name")


@ifbench_type("count:numbers")
class Numbers(IFBenchConstraint):
    """Exactly so many numbers in digits."""

    N: Bound = Field(description="exactly this many")

    def describe(self) -> str:
        return bounds("exactly", self.N, "number")

    def _found(self, text: str) -> list[Span]:
        return number_spans(text)

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), "exactly", self.N, "number")


@ifbench_type("count:punctuation")
class PunctuationCover(IFBenchConstraint):
    """Each of . , ! ? ; : at least once, and an interrobang beside them: ?!, !? or ‽."""

    def describe(self) -> str:
        return f"each of {' '.join(MARKS)} and, beside them, ?!"

    def _verify(self, text: str) -> Verdict:
        interrobang = _INTERROBANG.search(text)
        # One interrobang is taken out, ?! before !?, and what is left must hold the rest.
        rest = text.replace("?!", "", 1) if "?!" in text else text.replace("!?", "", 1)
        missing = [mark for mark in MARKS if mark not in rest]
        if not interrobang:
            missing.append("?!")
        asked = len(MARKS) + 1
        return self._verdict(
            not missing,
            score=(asked - len(missing)) / asked,
            measured=list(missing),
            reason=f"{asked - len(missing)} of {asked} marks" + (f", without {' '.join(missing)}" if missing else ""),
            hint=f"use {' '.join(missing)}",
        )


@ifbench_type("count:words_japanese")
class WordsJapanese(IFBenchConstraint):
    """Every so manieth word in Japanese; numbers and punctuation in its place are let pass."""

    N: Place = Field(description="every how manieth")

    def describe(self) -> str:
        return f"each word whose number is a multiple of {self.N} in Japanese"

    def _verify(self, text: str) -> Verdict:
        asked = pieces(text)[self.N - 1 :: self.N]
        words = [piece for piece in asked if trimmed(piece.text) and not trimmed(piece.text).isdigit()]
        wrong = [piece.span for piece in words if not _JAPANESE.search(piece.text)]
        return self._none_wrong(wrong, len(words), "of these words are Japanese", "write them in Japanese")


@ifbench_type("count:pronouns")
class Pronouns(IFBenchConstraint):
    """At least so many pronouns, each use counted, among NLTK's tokens: "I'm" holds one."""

    N: Bound = Field(description="at least this many")

    def describe(self) -> str:
        return bounds("at least", self.N, "pronoun")

    def _verify(self, text: str) -> Verdict:
        count = sum(token in PRONOUNS for token in tokens(text.replace("/", " ").lower()))
        found = f"{count} pronoun{'' if count == 1 else 's'}, at least {self.N}"
        passed = count >= self.N
        score = 1.0 if passed else count / self.N
        return self._verdict(passed, score=score, measured=count, reason=found, hint=f"add {self.N - count}")


@ifbench_type("count:keywords_multiple")
class KeywordsMultiple(IFBenchConstraint):
    """Five keywords exactly once, twice, three, five and seven times, in any case, as words of their own."""

    keyword1: Text = Field(description="exactly once")
    keyword2: Text = Field(description="exactly twice")
    keyword3: Text = Field(description="exactly three times")
    keyword4: Text = Field(description="exactly five times")
    keyword5: Text = Field(description="exactly seven times")

    def _asked(self) -> list[tuple[str, int]]:
        keywords = (self.keyword1, self.keyword2, self.keyword3, self.keyword4, self.keyword5)
        return list(zip((keyword.strip() for keyword in keywords), TIMES, strict=True))

    def describe(self) -> str:
        return "exactly " + ", ".join(f"{times} × “{keyword}”" for keyword, times in self._asked())

    def _found(self, keyword: str, text: str) -> list[Span]:
        return own_word_spans(re.escape(keyword), text)

    def _verify(self, text: str) -> Verdict:
        found = [(keyword, times, self._found(keyword, text)) for keyword, times in self._asked()]
        right = sum(len(spans) == times for _, times, spans in found)
        changes = [f"{times} × “{word}”, not {len(spans)}" for word, times, spans in found if len(spans) != times]
        return self._verdict(
            right == len(found),
            score=right / len(found),
            measured=[len(spans) for *_, spans in found],
            reason=f"{right} of {len(found)} keywords as often as asked",
            spans=sorted(span for *_, spans in found for span in spans),
            hint=f"use {'; '.join(changes)}",
        )
