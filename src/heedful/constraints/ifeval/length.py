"""IFEval's `length_constraints` group: how many words, sentences and paragraphs, and how a paragraph begins.

Knows nothing of what the text says.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from heedful.constraints.ifeval.base import Bound, IFEvalConstraint, Relation, Text, bounds, ifeval_type
from heedful.constraints.ifeval.parts import (
    blank_line_paragraphs,
    first_word,
    gaps_within,
    starred_paragraphs,
    visible,
    word_spans,
)
from heedful.constraints.ifeval.sentences import sentence_spans
from heedful.constraints.verdict import Span, Verdict


@ifeval_type("length_constraints:number_words")
class NumberWords(IFEvalConstraint):
    r"""A number of words, as `\w+` finds them."""

    num_words: Bound = Field(description="how many")
    relation: Relation = Field(description="'at least' or 'less than'")

    def describe(self) -> str:
        return bounds(self.relation, self.num_words, "word")

    def _found(self, text: str) -> list[Span]:
        return word_spans(text)

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), self.relation, self.num_words, "word")


@ifeval_type("length_constraints:number_sentences")
class NumberSentences(IFEvalConstraint):
    """A number of sentences, as Punkt splits them."""

    num_sentences: Bound = Field(description="how many")
    relation: Relation = Field(description="'at least' or 'less than'")

    def describe(self) -> str:
        return bounds(self.relation, self.num_sentences, "sentence")

    def _found(self, text: str) -> list[Span]:
        return sentence_spans(text)

    def _verify(self, text: str) -> Verdict:
        return self._counted(self._found(text), self.relation, self.num_sentences, "sentence")


@ifeval_type("length_constraints:number_paragraphs")
class NumberParagraphs(IFEvalConstraint):
    """Exactly so many paragraphs, divided by three asterisks; an empty one fails unless it is the first or the last."""

    num_paragraphs: Bound = Field(description="exactly this many")

    def describe(self) -> str:
        return f"{bounds('exactly', self.num_paragraphs, 'paragraph')} divided by ***"

    def _verify(self, text: str) -> Verdict:
        paragraphs = starred_paragraphs(text)
        if gap := gaps_within(text, paragraphs):
            return self._held(
                False, "an empty paragraph between two ***", spans=gap, hint="fill it, or take one *** out"
            )
        return self._counted(visible(text, paragraphs), "exactly", self.num_paragraphs, "paragraph")


@ifeval_type("length_constraints:nth_paragraph_first_word")
class NthParagraphFirstWord(IFEvalConstraint):
    """Exactly so many paragraphs, divided by blank lines, of which one begins with a given word.

    As in the reference, empty paragraphs are not counted, but do move the ones behind them.
    """

    first_word: Text = Field(description="the word that it begins with, in any case")
    num_paragraphs: Bound = Field(description="exactly this many")
    nth_paragraph: Annotated[int, Field(strict=True, ge=1)] = Field(description="which one, from 1")

    def describe(self) -> str:
        many = bounds("exactly", self.num_paragraphs, "paragraph")
        return f"{many} divided by blank lines, number {self.nth_paragraph} beginning with “{self.first_word}”"

    def _paragraphs(self, text: str) -> list[Span]:
        return blank_line_paragraphs(text)

    def _first_word(self, paragraph: str) -> str:
        return first_word(paragraph)

    def _verify(self, text: str) -> Verdict:
        paragraphs = self._paragraphs(text)
        count = len(visible(text, paragraphs))
        begins = ""
        spans: list[Span] = []
        if self.nth_paragraph <= count:
            start, end = paragraphs[self.nth_paragraph - 1]
            begins = self._first_word(text[start:end])
            spans = [(start, end)]
        right_word, right_count = begins == self.first_word.lower(), count == self.num_paragraphs
        found = f"{count} paragraph{'' if count == 1 else 's'}, number {self.nth_paragraph} begins with “{begins}”"
        changes = [] if right_count else [f"write {bounds('exactly', self.num_paragraphs, 'paragraph')}"]
        if not right_word:
            changes.append(f"begin number {self.nth_paragraph} with “{self.first_word}”")
        return self._verdict(
            right_word and right_count,
            score=(right_word + right_count) / 2,
            measured={"paragraphs": count, "first_word": begins},
            reason=found,
            spans=spans,
            hint="; ".join(changes),
        )
