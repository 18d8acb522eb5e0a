"""Where the things that IFEval's prompts ask for are in a text, as a careful reader would find them.

The counterpart of `parts`: each function is pure, takes a text and gives spans in it. Knows nothing of constraints and bounds.
"""

from __future__ import annotations

import re

from heedful.constraints.ifeval.sentences import sentence_spans as punkt_spans
from heedful.constraints.text import word_spans
from heedful.constraints.verdict import Span

_BULLET = re.compile(r"^[ \t>]*[*+\-•‣◦·][ \t]+(?=[^\n]*\w)[^\n]*$", re.MULTILINE)
_EMPHASIS = re.compile(r"(?<!\*)(\*{1,3})(?=[^\s*])([^\n*]*[^\s*])\1(?!\*)")
_PLACEHOLDER = re.compile(r"\[(?!\s*[xX]?\s*\])[^\[\]\n]*[^\W\d_][^\[\]\n]*\](?!\()")
_DIVIDER = re.compile(r"(?<!\S)\*{3}(?!\S)")
_BLANK_LINES = re.compile(r"\n(?:[ \t\r]*\n)+")
_SIX_STARS = re.compile(r"\*{6,}")
_COMMAS = re.compile("[,،՝߸፣᠂᠈꓾꘍꛵︐︑﹐﹑，､、⸲⸴⹁⹌]")
_CAPITALS = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_MARKUP = r"""^[ \t>#*_\-"“'‘]*"""

# After these a capital goes on with the sentence; after the others only a lower-case word does.
_BEFORE_NAMES = frozenset(
    "mr mrs ms dr prof st sr jr rev hon gen col capt lt sgt messrs mme mlle mt ft no vs cf e.g i.e viz".split()
)
_ABBREVIATIONS = frozenset(
    "etc inc ltd co corp u.s u.k u.n a.m p.m al approx dept est fig jan feb mar apr jun jul aug sep sept oct nov dec".split()
)
_ENDS = re.compile(r"""[.?!…。！？](?:["'”’)\]}*_»]*)$""")
_LAST_WORD = re.compile(r"([^\W\d_][\w.]*)\.$")
_ELLIPSIS = re.compile(r"(?:\.{3}|…)[\"'”’)]*\s+(?=[\"'“‘(]?[A-Z])")


def bullet_spans(text: str) -> list[Span]:
    """Lines that begin with a bullet, white space and something with a word in it; so neither '---' nor '-5' nor '*so*'."""
    return [match.span() for match in _BULLET.finditer(text)]


def highlight_spans(text: str) -> list[Span]:
    """Markdown's emphasis: asterisks that touch what they enclose, as many behind as before; so not '2 * 3 * 4'."""
    return [match.span() for match in _EMPHASIS.finditer(text)]


def placeholder_spans(text: str) -> list[Span]:
    """Square brackets around something with a letter; neither links, nor footnotes, nor check boxes."""
    return [match.span() for match in _PLACEHOLDER.finditer(text)]


def paragraph_dividers() -> re.Pattern[str]:
    """Three asterisks with nothing but white space beside them."""
    return _DIVIDER


def blank_lines() -> re.Pattern[str]:
    """One blank line or several, which may hold white space."""
    return _BLANK_LINES


def response_divider() -> re.Pattern[str]:
    """Six asterisks; more of them are one divider too."""
    return _SIX_STARS


def comma_spans(text: str) -> list[Span]:
    """The commas of any script."""
    return [match.span() for match in _COMMAS.finditer(text)]


def capital_spans(text: str) -> list[Span]:
    """Words in capitals; "CAN'T" and CANNOT are one each, and NASA's is none."""
    return [match.span() for match in _CAPITALS.finditer(text) if match[0].isupper()]


def section_spans(spliter: str, text: str) -> list[Span]:
    """Lines that begin with the marker and a number or Roman numeral, each number once.

    Quotes and Markdown's marks may stand before it.
    """
    pattern = re.compile(rf"{_MARKUP}({re.escape(spliter)}[ \t]*(\d+|[IVX]+)\b)", re.MULTILINE | re.IGNORECASE)
    firsts: dict[str, Span] = {}
    for match in pattern.finditer(text):
        firsts.setdefault(match[2].upper(), match.span(1))
    return list(firsts.values())


def postscript_spans(marker: str, text: str) -> list[Span]:
    """A postscript: a line that begins with the marker, behind which there is a word."""
    letters = r"\s?".join(map(re.escape, marker.replace(" ", "")))
    pattern = re.compile(rf"{_MARKUP}({letters}(?=.*?\w).*)", re.MULTILINE | re.IGNORECASE | re.DOTALL)
    return [match.span(1) for match in pattern.finditer(text)]


def sentence_spans(text: str) -> list[Span]:
    """Sentences: what ends with a stop, or is left behind the last one in its paragraph.

    Titles ('Mr.') and abbreviations do not end one, three dots before a capital do, what holds no word is none, and a
    paragraph without any stop (a heading, a signature) is none unless the text has nothing else.
    """
    found: list[Span] = []
    edges = [0, *(place for match in _BLANK_LINES.finditer(text) for place in match.span()), len(text)]
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        pieces = [piece for piece in _joined(text, start, end) if word_spans(text[slice(*piece)])]
        if any(_ENDS.search(text[slice(*piece)].rstrip()) for piece in pieces):
            found += pieces
    return found or [(0, len(text))] * bool(word_spans(text))


def _joined(text: str, start: int, end: int) -> list[Span]:
    pieces: list[Span] = []
    for first, last in punkt_spans(text[start:end]):
        first, last = start + first, start + last
        if pieces and _goes_on(text[slice(*pieces[-1])], text[first:last]):
            pieces[-1] = (pieces[-1][0], last)
        else:
            pieces.append((first, last))
    return [part for piece in pieces for part in _at_ellipses(text, *piece)]


def _goes_on(before: str, after: str) -> bool:
    last = _LAST_WORD.search(before)
    word = last[1].lower() if last else ""
    return word in _BEFORE_NAMES or (word in _ABBREVIATIONS and after.lstrip("\"'“‘(")[:1].islower())


def _at_ellipses(text: str, start: int, end: int) -> list[Span]:
    cuts = [start, *(place for match in _ELLIPSIS.finditer(text, start, end) for place in match.span()), end]
    # The dots themselves belong to the sentence before them.
    firsts, lasts = cuts[::2], [*cuts[2:-1:2], end]
    return list(zip(firsts, lasts, strict=True))
