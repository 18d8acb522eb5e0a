"""Where the things that IFBench counts are in a text: words, sentences, tokens, numbers, emoji.

Each function is pure and finds things as the reference does, its quirks included. Knows nothing of constraints and bounds.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache
from typing import NamedTuple

from heedful.constraints.ifeval.sentences import sentence_spans
from heedful.constraints.verdict import Span

PUNCTUATION = string.punctuation
"""ASCII's; the reference knows no other, so that a curly quote or a long dash is part of a word."""

_WITHOUT_PUNCTUATION = str.maketrans("", "", PUNCTUATION)
_PIECE = re.compile(r"\S+")
_NUMBER = re.compile(rf"\d(?:[{re.escape(PUNCTUATION)}]*\d)*")


class Piece(NamedTuple):
    """A stretch of a text: what is read of it, and where it stands."""

    text: str
    span: Span


def pieces(text: str) -> list[Piece]:
    """What stands between white space."""
    return [Piece(match[0], match.span()) for match in _PIECE.finditer(text)]


def bare(text: str) -> str:
    """The text without ASCII punctuation."""
    return text.translate(_WITHOUT_PUNCTUATION)


def bare_words(text: str) -> list[Piece]:
    """What stands between white space, without ASCII punctuation; so "don't" is read as 'dont', and '-' is no word."""
    read = (Piece(bare(piece.text), piece.span) for piece in pieces(text))
    return [piece for piece in read if piece.text]


def trimmed(text: str) -> str:
    """The text without ASCII punctuation and spaces at its ends."""
    return text.strip(PUNCTUATION + " ")


def sentences(text: str) -> list[Piece]:
    """Sentences, as Punkt splits them."""
    return [Piece(text[start:end], (start, end)) for start, end in sentence_spans(text)]


def lines(text: str) -> list[Piece]:
    """Lines, empty ones included."""
    found, start = [], 0
    for line in text.split("\n"):
        found.append(Piece(line, (start, start + len(line))))
        start += len(line) + 1
    return found


@lru_cache(maxsize=64)
def tokens(text: str) -> tuple[str, ...]:
    """Words and punctuation marks as NLTK's word tokenizer splits them: "don't" is 'do' and "n't"."""
    # Takes a second to import; few types need it.
    from nltk.tokenize.destructive import NLTKWordTokenizer

    tokenizer = NLTKWordTokenizer()
    return tuple(str(token) for piece in sentences(text) for token in tokenizer.tokenize(piece.text))


def word_tokens(text: str) -> list[str]:
    """The tokens that hold a letter or a digit."""
    return [token for token in tokens(text) if any(char.isalnum() for char in token)]


def number_spans(text: str) -> list[Span]:
    """Numbers: digits with nothing but ASCII punctuation between them, so that '1,000' is one, and '3-5' too."""
    return [match.span() for match in _NUMBER.finditer(text)]


def is_emoji(char: str) -> bool:
    """Whether one character is an emoji by itself; so neither half of a flag, nor the keycap around a digit."""
    # Unicode's property also holds for the digits, '#' and '*' (keycaps begin so) and for the letters of flags.
    if char.isascii() or "\U0001f1e6" <= char <= "\U0001f1ff":
        return False
    import regex

    return bool(regex.match(r"\p{Emoji}", char))
