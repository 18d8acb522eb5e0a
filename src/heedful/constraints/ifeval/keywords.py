"""IFEval's `keywords` group: words that must stand in a text, must not, or must stand so often.

Knows spellings as the reference compares them: a keyword is found inside longer words too ('art' in 'party').
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import Field, field_validator

from heedful.constraints.ifeval.base import Bound, IFEvalConstraint, Relation, Text, bounds, ifeval_type
from heedful.constraints.ifeval.parts import letter_spans, own_word_spans, pattern_spans
from heedful.constraints.verdict import Span, Verdict
from heedful.errors import InputError

Terms = Annotated[tuple[Text, ...], Field(min_length=1)]


def _searchable(term: str) -> str:
    """The term, if it is a regular expression: the reference takes every keyword for one."""
    try:
        re.compile(term)
    except re.error as error:
        raise InputError(
            f"the keyword {term!r} cannot be searched: IFEval takes a keyword for a regular expression, and {error}",
            f"escape it ({re.escape(term)!r}), or use lexical/include and lexical/exclude, which take it as it is",
        ) from error
    return term


def _quoted(terms: Sequence[str]) -> str:
    return ", ".join(f"“{term}”" for term in terms)


@ifeval_type("keywords:existence")
class KeywordsExistence(IFEvalConstraint):
    """Use each keyword at least once, in any case, inside longer words too. The score is the share that is there."""

    keywords: Terms = Field(description="what must stand in the text; regular expressions, as in the reference")

    @field_validator("keywords")
    @classmethod
    def _can_be_searched(cls, keywords: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_searchable, keywords))

    def describe(self) -> str:
        return f"use {_quoted(self.keywords)}"

    def _found(self, text: str) -> dict[str, list[Span]]:
        return {keyword: pattern_spans(keyword, text) for keyword in self.keywords}

    def _verify(self, text: str) -> Verdict:
        found = self._found(text)
        missing = [keyword for keyword, spans in found.items() if not spans]
        there = len(found) - len(missing)
        return self._verdict(
            not missing,
            score=there / len(found),
            measured={keyword: len(spans) for keyword, spans in found.items()},
            reason=f"{there} of {len(found)} keywords" + (f", without {_quoted(missing)}" if missing else ""),
            spans=sorted(span for spans in found.values() for span in spans),
            hint=f"use {_quoted(missing)}",
        )


@ifeval_type("keywords:frequency")
class KeywordsFrequency(IFEvalConstraint):
    """Use a keyword so often, in any case, inside longer words too."""

    keyword: Text = Field(description="the keyword; a regular expression, as in the reference")
    frequency: Bound = Field(description="how often")
    relation: Relation = Field(description="'at least' or 'less than'")

    @field_validator("keyword")
    @classmethod
    def _can_be_searched(cls, keyword: str) -> str:
        return _searchable(keyword.strip())

    def describe(self) -> str:
        return f"use “{self.keyword}” {bounds(self.relation, self.frequency, 'time')}"

    def _found(self, text: str) -> list[Span]:
        return pattern_spans(self.keyword, text)

    def _verify(self, text: str) -> Verdict:
        unit = f"“{self.keyword}”"
        return self._counted(self._found(text), self.relation, self.frequency, unit, unit)


@ifeval_type("keywords:forbidden_words")
class ForbiddenWords(IFEvalConstraint):
    """Use none of the words, as words of their own, in any case. The score is 1 / (1 + the number of uses)."""

    forbidden_words: Terms = Field(
        description="what must not stand in the text; regular expressions, as in the reference"
    )

    @field_validator("forbidden_words")
    @classmethod
    def _can_be_searched(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(_searchable, words))

    def describe(self) -> str:
        return f"do not use {_quoted(self.forbidden_words)}"

    def _found(self, text: str) -> dict[str, list[Span]]:
        return {word: own_word_spans(word, text) for word in self.forbidden_words}

    def _verify(self, text: str) -> Verdict:
        found = {word: spans for word, spans in self._found(text).items() if spans}
        uses = sum(map(len, found.values()))
        return self._verdict(
            not found,
            score=1 / (1 + uses),
            measured={word: len(spans) for word, spans in found.items()},
            reason=f"{uses} forbidden: {_quoted(list(found))}" if found else "no forbidden word",
            spans=sorted(span for spans in found.values() for span in spans),
            hint=f"take out {_quoted(list(found))}",
        )


@ifeval_type("keywords:letter_frequency")
class LetterFrequency(IFEvalConstraint):
    """Use a letter so often, in either case.

    Where the letter is none of a–z ('#' and '!', in two of the published prompts), the reference draws a random one; here the
    character itself is counted.
    """

    letter: Annotated[str, Field(strict=True, min_length=1, max_length=1)] = Field(description="the letter")
    let_frequency: Bound = Field(description="how often")
    let_relation: Relation = Field(description="'at least' or 'less than'")

    def describe(self) -> str:
        return f"use the letter “{self.letter}” {bounds(self.let_relation, self.let_frequency, 'time')}"

    def _verify(self, text: str) -> Verdict:
        unit = f"“{self.letter}”"
        return self._counted(letter_spans(self.letter, text), self.let_relation, self.let_frequency, unit, unit)
