"""IFBench's types on words, numbers and sentences decided as the prompts ask, where the reference decides otherwise.

Each is a constraint of its own, `ifbench-corrected/group_name`, with the fields of the type it corrects. The table in
docs/ifeval.md says how they differ; formats and tables are in `corrected_formats`.
"""

from __future__ import annotations

from heedful.constraints.ifbench import counts, letters, order, questions, ratios, reading, repeats, sentences
from heedful.constraints.ifbench.base import IFBenchConstraint
from heedful.constraints.ifbench.parts import Piece
from heedful.constraints.ifeval.corrected import corrects
from heedful.constraints.text import term_spans, word_spans
from heedful.constraints.verdict import Span, Verdict

CAPITALS = (*questions.CAPITALS[:18], "Kyiv", *questions.CAPITALS[18:])
"""With Kyiv, at 50.45 degrees between Brussels and Prague."""


class AsRead(IFBenchConstraint):
    """Words and sentences as a reader finds them."""

    def _words(self, text: str) -> list[Piece]:
        return reading.words(text)

    def _sentences(self, text: str) -> list[Piece]:
        return reading.sentences(text)


@corrects("accents and vowel signs written as characters of their own do not split a word")
class WordCountRangeCorrected(counts.WordCountRange):
    def _found(self, text: str) -> list[Span]:
        return word_spans(text)


@corrects("a lone mark is no word, and typographic marks are no part of one")
class UniqueWordCountCorrected(AsRead, counts.UniqueWordCount):
    def _found(self, text: str) -> list[Span]:
        firsts: dict[str, Span] = {}
        for word in self._words(text):
            firsts.setdefault(word.text.lower(), word.span)
        return list(firsts.values())


@corrects("'And' and 'and,' are the same conjunction")
class ConjunctionsCorrected(counts.Conjunctions):
    def _spelled(self, word: str) -> str:
        return "".join(filter(str.isalpha, word.lower()))


@corrects("'3-5' and a date are several numbers, not one")
class NumbersCorrected(counts.Numbers):
    def _found(self, text: str) -> list[Span]:
        return reading.number_spans(text)


@corrects("a keyword may be typeset otherwise, and may end in a mark: 'C++'")
class KeywordsMultipleCorrected(counts.KeywordsMultiple):
    def _found(self, keyword: str, text: str) -> list[Span]:
        return term_spans(text, keyword)


class _Marked(AsRead, ratios.KindsOfSentences):
    def _last(self, sentence: str) -> str:
        return reading.last_mark(sentence)


@corrects("a text without a question is no pass; quotes, emphasis and emoji may follow a sentence's mark")
class SentenceTypeCorrected(_Marked, ratios.SentenceType):
    def _verify(self, text: str) -> Verdict:
        if not any(self._counts(text)):
            return self._held(False, "neither a statement nor a question", hint=f"write {self.describe()}")
        return super()._verify(text)


@corrects("a text without any such sentence is no pass; quotes, emphasis and emoji may follow a sentence's mark")
class SentenceBalanceCorrected(_Marked, ratios.SentenceBalance):
    def _verify(self, text: str) -> Verdict:
        if not any(self._counts(text)):
            return self._held(False, "no statement, question or exclamation", hint=f"write {self.describe()}")
        return super()._verify(text)


@corrects("'Mr.' and the like end no sentence")
class SentenceWordsCorrected(AsRead, ratios.SentenceWords):
    pass


@corrects("a number or a lone mark is no word")
class ConsonantsCorrected(letters.Consonants):
    def _pieces(self, text: str) -> list[Piece]:
        return [word for word in reading.words(text) if any(map(str.isalpha, word.text))]


@corrects("a number is no palindrome, and typographic marks are no part of one")
class PalindromesCorrected(AsRead, letters.Palindromes):
    def _words(self, text: str) -> list[Piece]:
        return [word for word in super()._words(text) if word.text.isalpha()]


@corrects("typographic marks are no letters, and a dash is no word")
class PrimeLengthsCorrected(AsRead, letters.PrimeLengths):
    pass


@corrects("typographic marks are no letters, and a dash is no word")
class NoConsecutiveCorrected(AsRead, letters.NoConsecutive):
    pass


@corrects("typographic marks are no letters, and a dash is no word")
class AlphabetCorrected(AsRead, letters.Alphabet):
    pass


@corrects('“don’t” and "don\'t" are the same word, and a dash is none')
class RepeatsCorrected(AsRead, order.Repeats):
    pass


class _PlainEnds(AsRead, order._Ends):
    def _first(self, text: str) -> str:
        return next((word.text.lower() for word in self._words(text)), "")

    def _last(self, text: str) -> str:
        return next((word.text.lower() for word in reversed(self._words(text))), "")


@corrects("one sentence has none that follows it, and is no pass; any mark may stand around a word")
class LastFirstCorrected(_PlainEnds, order.LastFirst):
    def _verify(self, text: str) -> Verdict:
        if len(self._sentences(text)) < 2:
            return self._held(False, "one sentence", hint="write two sentences or more")
        return super()._verify(text)


@corrects("any mark may stand around the first and the last word")
class ParagraphLastFirstCorrected(_PlainEnds, order.ParagraphLastFirst):
    pass


@corrects('"don\'t" is one word')
class WordsPositionCorrected(AsRead, order.WordsPosition):
    def _split(self, text: str) -> list[str]:
        return _as_written(text, self._words(text))


@corrects("\"don't\" is one word, and 'Mr.' ends no sentence")
class KeywordPositionCorrected(AsRead, order.KeywordPosition):
    def _split(self, text: str) -> list[str]:
        return _as_written(text, self._words(text))


def _as_written(text: str, words: list[Piece]) -> list[str]:
    """The words with the marks within them, and without those around them."""
    return [text[start:end].strip("".join(c for c in text[start:end] if not c.isalnum())) for _, (start, end) in words]


@corrects("the longest sequence of words that begin alike counts, not all such words")
class AlliterationIncrementCorrected(AsRead, sentences.AlliterationIncrement):
    def _alliterating(self, runs: list[int]) -> int:
        return max(runs, default=0)


@corrects("'Mr.' and the like end no sentence, and a dash is no word")
class SentenceIncrementCorrected(AsRead, sentences.SentenceIncrement):
    pass


@corrects("'Mr.' and the like end no sentence, and the keyword may be typeset otherwise")
class SentenceKeywordCorrected(AsRead, sentences.SentenceKeyword):
    def _found(self, sentence: str) -> list[Span]:
        return term_spans(sentence, self.word)


@corrects("the first word must be another one: other white space is no change")
class RepeatChangeCorrected(repeats.RepeatChange):
    def _changed(self, text: str) -> bool:
        return text.split()[:1] != self.prompt_to_repeat.split()[:1]


@corrects("a line break may stand for a space")
class RepeatSpanCorrected(repeats.RepeatSpan):
    def _read(self, text: str) -> str:
        return " ".join(text.lower().split())


@corrects("'Mr.' and the like end no sentence, and any mark may stand before its first letter")
class SentenceAlphabetCorrected(AsRead, questions.SentenceAlphabet):
    def _sentences(self, text: str) -> list[Piece]:
        found = super()._sentences(text)
        return [Piece("".join(word.text for word in self._words(sentence.text)), sentence.span) for sentence in found]


@corrects("Kyiv lies north of 45 degrees too; a full stop may follow the last")
class EuropeanCapitalsCorrected(questions.EuropeanCapitals):
    def _listed(self, text: str) -> list[str]:
        spelled = {"Kiev": "Kyiv", "Luxembourg City": "Luxembourg"}
        listed = super()._listed(text.strip().rstrip("."))
        return [spelled.get(capital, capital) for capital in listed]

    def _asked(self) -> tuple[str, ...]:
        return CAPITALS
