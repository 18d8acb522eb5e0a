"""A text as the pieces that phrases are made of. Knows no phrase.

What stands in quotation marks is one token, so that no rule reads the words in it as addressed to the writer; so are
"P.S.", a run of asterisks, `<<title>>`, "C++" and ".NET". "don't" is "do" and "not", which is how the phrases spell it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, cast

Kind = Literal["word", "number", "quoted", "angled", "bracketed", "stars", "marker", "mark", "break"]


class Token(NamedTuple):
    """One piece.

    Attributes:
        kind: 'word'; 'number' in digits; 'quoted', 'angled' (<<…>>) or 'bracketed' ([…]): opaque; 'stars': asterisks;
            'marker': a postscript's; 'mark': one character of punctuation; 'break': an end of line that ends a sentence.
        key: what phrases compare with: lower case, "n't" as 'not', the words inside quotation marks as they are.
        start, end: its place in the text.
        written: as the text has it.
    """

    kind: Kind
    key: str
    start: int
    end: int
    written: str

    @property
    def capital(self) -> bool:
        """It begins with a capital letter."""
        return self.written[:1].isupper()


_PIECES = re.compile(
    r"""
    (?P<quoted>["“”„](?P<double>[^"“”„]{1,400}?)["“”] | (?<!\w)['‘](?P<single>[^\s'‘’](?:[^'‘’\n]|['’](?=\w)){0,80}?)['’](?!\w))
    | (?P<angled><<[^<>\n]{0,80}>>)
    | (?P<bracketed>\[[^\[\]\n]{0,120}\])
    | (?P<stars>\*{3,})
    | (?P<marker>P\.\s?(?:P\.\s?)?S\b\.? | \bPP?S\b:?)
    | (?P<number>\d{1,3}(?:,\d{3})+(?!\d) | \d+)
    | (?P<word>i\.e\.|e\.g\.|(?<!\S)(?-i:\.[A-Z]{2,})\b|[^\W\d](?:\+\+|\#)(?!\w)
        |[^\W\d]\w*?(?=n['’]t\b)|n['’]t\b|[^\W\d]\w*(?:['’][^\W\d_]+)*)
    | (?P<break>\n\s*)
    | (?P<mark>[^\w\s])
    """,
    re.VERBOSE | re.IGNORECASE,
)
_KINDS = ("quoted", "angled", "bracketed", "stars", "marker", "number", "word", "break", "mark")
_WHOLE = {"n't": "not", "wo": "will", "ca": "can"}
"""What 'won't' and 'can't' are cut into."""

_SHORT = frozenset({"max", "min", "approx", "ca"})
"""Behind these, a full stop ends no sentence, unless the next word has a capital letter."""


def tokenize(text: str) -> list[Token]:
    """The pieces of `text`, in order; white space is none, and a line that goes on in lower case does not break."""
    return [token for match in _PIECES.finditer(text) if (token := _token(match, text)) is not None]


def _token(match: re.Match[str], text: str) -> Token | None:
    # Inner groups of a quotation are what it says, not a kind of token.
    named = match.groupdict()
    kind = next(name for name in _KINDS if named[name] is not None)
    found = match.group()
    if kind == "break":
        going_on = text[match.end() : match.end() + 1].islower() and found.count("\n") == 1
        return None if going_on else Token("break", "\n", *match.span(), found)
    if kind == "quoted":
        return Token("quoted", (match["double"] or match["single"] or "").strip(), *match.span(), found)
    key = found.lower().replace("’", "'")
    if kind == "number":
        key = key.replace(",", "")
    return Token(cast(Kind, kind), _WHOLE.get(key, key), *match.span(), found)


def ends_sentence(tokens: Sequence[Token], place: int) -> bool:
    """Does a sentence end with this token?"""
    token = tokens[place]
    after = tokens[place + 1] if place + 1 < len(tokens) else None
    if token.kind == "break":
        return True
    if token.kind == "mark" and token.key in ".!?;":
        if after is None or after.kind == "break":
            return True
        inside_number = after.kind == "number" and after.start == token.end
        shortened = token.key == "." and place > 0 and tokens[place - 1].key in _SHORT
        return not inside_number and not (shortened and not after.capital)
    return token.kind == "quoted" and token.key.endswith((".", "!", "?")) and after is not None and after.capital
