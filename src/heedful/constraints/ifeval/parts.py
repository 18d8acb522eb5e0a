"""Where the things that IFEval counts are in a text: words, letters, paragraphs, bullets, placeholders, sections.

Each function is pure, takes a text and gives spans in it, as the reference finds them, its quirks included; with a pattern of a
user it raises `TooSlowError` where the search takes too long. Knows nothing of constraints and bounds.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from heedful.constraints.searching import find_spans
from heedful.constraints.verdict import Span

_WORD = re.compile(r"\w+")
_COMMA = re.compile(",")
_STARS = re.compile(r"\s?\*{3}\s?")
_BLANK_LINE = re.compile(r"\n\n")
_STARRED_BULLET = re.compile(r"^\s*\*[^*].*$", re.MULTILINE)
_DASHED_BULLET = re.compile(r"^\s*-.*$", re.MULTILINE)
_PLACEHOLDER = re.compile(r"\[.*?\]")
_EMPHASIS = re.compile(r"\*[^\n*]*\*")
_STRONG = re.compile(r"\*\*[^\n*]*\*\*")
_TITLE = re.compile(r"<<[^\n]+>>")
_WORD_ENDS = frozenset(".,?!'\"")
POSTSCRIPTS = {"P.P.S": r"p\.\s?p\.\s?s", "P.S.": r"p\.\s?s\."}
"""The two usual markers, in lower case, with the white space that may stand in them."""


def word_spans(text: str) -> list[Span]:
    r"""Words: the longest runs of letters, digits and underscores."""
    return [match.span() for match in _WORD.finditer(text)]


def comma_spans(text: str) -> list[Span]:
    """ASCII commas."""
    return [match.span() for match in _COMMA.finditer(text)]


def letter_spans(letter: str, text: str) -> list[Span]:
    """Each place of a letter, in either case."""
    asked = letter.lower()
    return [(place, place + 1) for place, char in enumerate(text) if asked in char.lower()]


def pattern_spans(pattern: str, text: str) -> list[Span]:
    """Each place of a regular expression, in any case."""
    return find_spans(pattern, text, re.IGNORECASE)


def own_word_spans(pattern: str, text: str) -> list[Span]:
    """Each place of a regular expression that begins and ends as a word does, in any case."""
    return find_spans(pattern, text, re.IGNORECASE, around=r"\b%s\b")


def between(dividers: re.Pattern[str], text: str) -> list[Span]:
    """What the dividers leave, empty pieces included: always one more than there are dividers."""
    edges = [0, *(place for match in dividers.finditer(text) for place in match.span()), len(text)]
    return list(zip(edges[::2], edges[1::2], strict=True))


def starred_paragraphs(text: str) -> list[Span]:
    """Paragraphs divided by three asterisks, wherever those stand; empty ones included."""
    return between(_STARS, text)


def blank_line_paragraphs(text: str) -> list[Span]:
    """Paragraphs divided by two line breaks; empty ones included."""
    return between(_BLANK_LINE, text)


def visible(text: str, spans: Sequence[Span]) -> list[Span]:
    """Those spans that hold more than white space."""
    return [(start, end) for start, end in spans if text[start:end].strip()]


def gaps_within(text: str, spans: Sequence[Span]) -> list[Span]:
    """Those spans but the first and the last that hold nothing but white space."""
    return [(start, end) for start, end in spans[1:-1] if not text[start:end].strip()]


def first_word(paragraph: str) -> str:
    """The first word in lower case: without quotes before it, and up to a punctuation mark."""
    words = paragraph.split(maxsplit=1)
    word = words[0].lstrip("'").lstrip('"') if words else ""
    end = next((place for place, char in enumerate(word) if char in _WORD_ENDS), len(word))
    return word[:end].lower()


def bullet_spans(text: str) -> list[Span]:
    """Lines that begin with one asterisk or with a dash (so also '---' and '-5')."""
    return sorted(match.span() for bullet in (_STARRED_BULLET, _DASHED_BULLET) for match in bullet.finditer(text))


def placeholder_spans(text: str) -> list[Span]:
    """Anything in square brackets, within a line."""
    return [match.span() for match in _PLACEHOLDER.finditer(text)]


def highlight_spans(text: str) -> list[Span]:
    """Anything visible between asterisks or double asterisks, within a line."""
    single = [match.span() for match in _EMPHASIS.finditer(text) if match[0].strip("*").strip()]
    double = [match.span() for match in _STRONG.finditer(text) if match[0][2:-2].strip()]
    return sorted(single + double)


def section_spans(spliter: str, text: str) -> list[Span]:
    """Where sections begin: the marker and a number."""
    return find_spans(spliter, text, around=r"\s?%s\s?\d+\s?")


def title_spans(text: str) -> list[Span]:
    """Titles in double angular brackets, within a line, that are not empty."""
    return [match.span() for match in _TITLE.finditer(text) if match[0].lstrip("<").rstrip(">").strip()]


def postscript_spans(marker: str, text: str) -> list[Span]:
    """From a postscript marker, wherever it stands, to the end of its line; in the lower-cased `text`."""
    known = POSTSCRIPTS.get(marker)
    around = r"\s*%s.*$" if known is None else rf"\s*{known}%s.*$"
    return find_spans(marker.lower() if known is None else "", text.lower(), re.MULTILINE, around=around)
