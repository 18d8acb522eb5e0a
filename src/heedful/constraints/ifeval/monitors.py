"""What can be proved of a text that is still being written, for each of IFEval's types: which monitor watches which.

Counts that only grow prove 'at least' satisfied and 'less than' or 'exactly' violated. Nothing is certain before the end of a
language, and of how a text ends: `ResponseLanguage` and `EndChecker` have no monitor of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from heedful.constraints.base import monitor_for
from heedful.constraints.ifeval.arrangement import NoComma, Quotation, RepeatPrompt, TwoResponses
from heedful.constraints.ifeval.base import IFEvalConstraint, Relation
from heedful.constraints.ifeval.case import CapitalWordFrequency, EnglishCapital, EnglishLowercase
from heedful.constraints.ifeval.formats import (
    CONSTRAINED_RESPONSES,
    FENCES,
    ConstrainedResponse,
    JsonText,
    MultipleSections,
    NumberBulletLists,
    NumberHighlightedSections,
    NumberPlaceholders,
    Postscript,
    Title,
)
from heedful.constraints.ifeval.keywords import ForbiddenWords, KeywordsExistence, KeywordsFrequency, LetterFrequency
from heedful.constraints.ifeval.length import NthParagraphFirstWord, NumberParagraphs, NumberSentences, NumberWords
from heedful.constraints.ifeval.parts import POSTSCRIPTS, comma_spans, first_word, letter_spans, word_spans
from heedful.constraints.ifeval.settled import CapitalCounter, SentenceCounter
from heedful.constraints.prefix.json_reader import JsonReader, Listener
from heedful.constraints.prefix.json_text import JsonMonitor, LooseEnvelope
from heedful.constraints.prefix.lengths import Counter, CountMonitor, WordCounter
from heedful.constraints.prefix.marks import (
    BulletCounter,
    DividedText,
    EmphasisCounter,
    PlaceholderCounter,
    TitleFinder,
)
from heedful.constraints.prefix.monitor import PrefixMonitor, PrefixVerdict
from heedful.constraints.prefix.patterns import PatternCounter, width_of
from heedful.constraints.verdict import Span


def _counted(
    asked: IFEvalConstraint, counter: Counter, things: str, relation: Relation | Literal["exactly"], bound: int
) -> CountMonitor:
    high = {"at least": None, "less than": bound - 1, "exactly": bound}[relation]
    return CountMonitor(asked, counter, things, low=bound, high=high)


class _Each:
    """Counts what is found in one character, whatever stands around it."""

    def __init__(self, spans: Callable[[str], list[Span]]) -> None:
        self._spans = spans
        self._count = 0

    def feed(self, delta: str) -> int:
        self._count += len(self._spans(delta))
        return self._count


class _Several:
    """The least of several counts; 0 as long as one of them has nothing that can be counted."""

    def __init__(self, counters: list[Counter | None]) -> None:
        self._counters = counters

    def feed(self, delta: str) -> int:
        return min(counter.feed(delta) if counter else 0 for counter in self._counters)


class _Any:
    """The sum of several counts."""

    def __init__(self, counters: list[Counter]) -> None:
        self._counters = counters

    def feed(self, delta: str) -> int:
        return sum(counter.feed(delta) for counter in self._counters)


class _Lower:
    """Counts in the lower-cased text. (Only a Greek sigma depends on what follows: none may be looked for.)"""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter

    def feed(self, delta: str) -> int:
        return self._counter.feed(delta.lower())


def _pattern(keyword: str) -> PatternCounter | None:
    width = width_of(keyword)
    return PatternCounter(re.compile(keyword, re.IGNORECASE), width) if width else None


@monitor_for(KeywordsExistence)
def _keywords(asked: KeywordsExistence) -> PrefixMonitor:
    return CountMonitor(asked, _Several([_pattern(keyword) for keyword in asked.keywords]), "uses of each", low=1)


@monitor_for(KeywordsFrequency)
def _frequency(asked: KeywordsFrequency) -> PrefixMonitor:
    counter = _pattern(asked.keyword)
    if counter is None:
        return PrefixMonitor(asked)
    return _counted(asked, counter, "uses", asked.relation, asked.frequency)


@monitor_for(ForbiddenWords)
def _forbidden(asked: ForbiddenWords) -> PrefixMonitor:
    counters: list[Counter] = [
        PatternCounter(re.compile(rf"\b{word}\b", re.IGNORECASE), width, bounded=True)
        for word in asked.forbidden_words
        if (width := width_of(word))
    ]
    return CountMonitor(asked, _Any(counters), "forbidden words", high=0)


@monitor_for(LetterFrequency)
def _letters(asked: LetterFrequency) -> PrefixMonitor:
    counter = _Each(lambda delta: letter_spans(asked.letter, delta))
    return _counted(asked, counter, "letters", asked.let_relation, asked.let_frequency)


@monitor_for(NumberWords)
def _words(asked: NumberWords) -> PrefixMonitor:
    return _counted(asked, WordCounter(word_spans), "words", asked.relation, asked.num_words)


@monitor_for(NumberSentences)
def _sentences(asked: NumberSentences) -> PrefixMonitor:
    return _counted(asked, SentenceCounter(), "sentences", asked.relation, asked.num_sentences)


@monitor_for(CapitalWordFrequency)
def _capitals(asked: CapitalWordFrequency) -> PrefixMonitor:
    return _counted(asked, CapitalCounter(), "words in capitals", asked.capital_relation, asked.capital_frequency)


@monitor_for(EnglishCapital)
@monitor_for(EnglishLowercase)
def _in_case(asked: EnglishCapital | EnglishLowercase) -> PrefixMonitor:
    def wrong(delta: str) -> list[Span]:
        return [(place, place + 1) for place, char in enumerate(delta) if asked._wrong(char)]

    return CountMonitor(asked, _Each(wrong), "letters of the other case", high=0)


@monitor_for(NumberBulletLists)
def _bullets(asked: NumberBulletLists) -> PrefixMonitor:
    return _counted(asked, BulletCounter(), "bullet points", "exactly", asked.num_bullets)


@monitor_for(NumberHighlightedSections)
def _highlights(asked: NumberHighlightedSections) -> PrefixMonitor:
    return _counted(asked, EmphasisCounter(), "highlighted sections", "at least", asked.num_highlights)


@monitor_for(MultipleSections)
def _sections(asked: MultipleSections) -> PrefixMonitor:
    spliter = asked.section_spliter
    width = width_of(spliter)
    # A marker that begins like the number before it could lose its beginning to that one.
    if not width or re.match(r"[\d\s.\\]", spliter):
        return PrefixMonitor(asked)
    counter = PatternCounter(re.compile(rf"{spliter}\s?\d"), width + 2)
    return _counted(asked, counter, "sections", "at least", asked.num_sections)


@monitor_for(NumberPlaceholders)
def _placeholders(asked: NumberPlaceholders) -> PrefixMonitor:
    return _counted(asked, PlaceholderCounter(), "placeholders", "at least", asked.num_placeholders)


@monitor_for(Postscript)
def _postscript(asked: Postscript) -> PrefixMonitor:
    marker = asked.postscript_marker
    known = POSTSCRIPTS.get(marker)
    width = len(known) if known else width_of(marker.lower())  # the known ones match less than their own length
    if not width or re.search("[σς]", marker.lower()):
        return PrefixMonitor(asked)
    counter = _Lower(PatternCounter(re.compile(known or marker.lower()), width))
    return CountMonitor(asked, counter, "postscripts", low=1)


@monitor_for(Title)
def _title(asked: Title) -> PrefixMonitor:
    return CountMonitor(asked, TitleFinder(), "titles", low=1)


@monitor_for(ConstrainedResponse)
def _answers(asked: ConstrainedResponse) -> PrefixMonitor:
    pattern = re.compile("|".join(map(re.escape, CONSTRAINED_RESPONSES)))
    return CountMonitor(asked, PatternCounter(pattern, max(map(len, CONSTRAINED_RESPONSES))), "answers", low=1)


@monitor_for(JsonText)
def _json(asked: JsonText) -> PrefixMonitor:
    return JsonMonitor(asked, LooseEnvelope(FENCES), JsonReader(Listener(), lenient=True))


@monitor_for(NoComma)
def _commas(asked: NoComma) -> PrefixMonitor:
    return CountMonitor(asked, _Each(comma_spans), "commas", high=0)


@monitor_for(NumberParagraphs)
@monitor_for(TwoResponses)
class PartsMonitor(PrefixMonitor):
    """Violated by a part too many, and by one without anything in it between two dividers."""

    def __init__(self, constraint: NumberParagraphs | TwoResponses) -> None:
        super().__init__(constraint)
        if isinstance(constraint, TwoResponses):
            self._most, self._parts = 2, DividedText("******")
        else:
            self._most, self._parts = constraint.num_paragraphs, DividedText("***")

    def step(self, delta: str) -> PrefixVerdict:
        self._parts.feed(delta)
        if self._parts.gap:
            return self.violated(f"one of the first {self._parts.place} parts is empty")
        reason = f"parts with something in them so far: {self._parts.visible}; asked: {self._most}"
        return self.violated(reason) if self._parts.visible > self._most else self.open(reason)


@monitor_for(NthParagraphFirstWord)
class FirstWordMonitor(PrefixMonitor):
    """Violated by a paragraph too many, and by the wrong first word once that is whole."""

    def __init__(self, constraint: NthParagraphFirstWord) -> None:
        super().__init__(constraint)
        self._asked = constraint
        self._parts = DividedText("\n\n")
        self._head = ""  # of the paragraph in question, up to the end of its first word
        self._over = False  # is that word whole?

    def step(self, delta: str) -> PrefixVerdict:
        nth, asked = self._asked.nth_paragraph, self._asked.first_word.lower()
        for place, text in self._parts.feed(delta):
            if not self._over and place == nth - 1:
                self._head = (self._head + text).lstrip()
                words = self._head.split(maxsplit=1)
                # What stands after leading quotes up to a mark, or to white space, cannot change any more.
                bare = words[0].lstrip("'").lstrip('"') if words else ""
                self._over = len(self._head) > len(words[0] if words else "") or any(mark in bare for mark in ".,?!'\"")
            self._over |= place >= nth
        begins = first_word(self._head)
        if self._over and begins != asked:
            return self.violated(f"paragraph {nth} begins with “{begins}”, not with “{asked}”")
        reason = f"paragraphs so far: {self._parts.visible}; asked: {self._asked.num_paragraphs}"
        return self.violated(reason) if self._parts.visible > self._asked.num_paragraphs else self.open(reason)


@monitor_for(RepeatPrompt)
class RepeatMonitor(PrefixMonitor):
    """Violated by the first character that differs; satisfied once the whole request is there."""

    def __init__(self, constraint: RepeatPrompt) -> None:
        super().__init__(constraint)
        self._due = _same_sigma(constraint.prompt_to_repeat.strip())
        self._same = 0
        self._begun = False

    def step(self, delta: str) -> PrefixVerdict:
        if not self._begun:
            delta = delta.lstrip()
        self._begun |= bool(delta)
        given, asked = _same_sigma(delta), self._due[self._same :]
        together = min(len(given), len(asked))
        same = next((place for place in range(together) if given[place] != asked[place]), together)
        self._same += same
        reason = f"characters of the request repeated so far: {self._same}; asked: {len(self._due)}"
        if same < together:
            return self.violated(reason)
        done = self._begun and self._same == len(self._due) and "σ" not in self._due
        return self.satisfied(reason) if done else self.open(reason)


def _same_sigma(text: str) -> str:
    """In lower case, with one small sigma: which of the two a capital one becomes depends on what follows it."""
    return text.lower().replace("ς", "σ")


@monitor_for(Quotation)
class QuotationMonitor(PrefixMonitor):
    """Violated if the first visible character is no double quotation mark."""

    def __init__(self, constraint: Quotation) -> None:
        super().__init__(constraint)
        self._first = ""

    def step(self, delta: str) -> PrefixVerdict:
        self._first = self._first or delta.lstrip()[:1]
        if self._first not in ("", '"'):
            return self.violated(f"the first character is {self._first}, not a double quotation mark")
        return self.open("the last character decides")
