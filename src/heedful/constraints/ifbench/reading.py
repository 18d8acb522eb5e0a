"""Words, sentences, quotes and code fences of a text as a careful reader would find them: the counterpart of `parts`.

Each function is pure. Knows nothing of constraints and bounds.
"""

from __future__ import annotations

import re
import unicodedata

from heedful.constraints.ifbench.parts import Piece, is_emoji
from heedful.constraints.ifeval.corrected_parts import sentence_spans
from heedful.constraints.verdict import Span

_PIECE = re.compile(r"[^\s—–…/]+")
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?")
_FENCED = re.compile(r"\s*```[^\n`]*\n(.*?)\n?```\s*", re.DOTALL)
_APOSTROPHE = re.compile(r"(?<=\w)['’](?=\w)")
_QUOTES = str.maketrans("“”„«»‘’‚‹›", "\"\"\"\"\"'''''")
_CLOSING = "\"'”’»)]}*_` "
_KEYCAP, _TAG_END = "\u20e3", "\U000e007f"


def words(text: str) -> list[Piece]:
    """Words without any punctuation: “don’t” is read as 'dont', a dash divides two words, and a lone mark is none."""
    read = (Piece("".join(filter(_is_letter, match[0])), match.span()) for match in _PIECE.finditer(text))
    return [piece for piece in read if piece.text]


def _is_letter(char: str) -> bool:
    return char.isalnum() or (unicodedata.category(char)[0] == "M" and char != _KEYCAP)


def sentences(text: str) -> list[Piece]:
    """Sentences; 'Mr.' ends none, and neither a heading nor a signature is one."""
    return [Piece(text[start:end].strip(), (start, end)) for start, end in sentence_spans(text)]


def last_mark(sentence: str) -> str:
    """The mark that ends a sentence, before closing quotes, brackets, emphasis and emoji."""
    end = len(sentence)
    while end and (sentence[end - 1] in _CLOSING or belongs_to_emoji(sentence[end - 1])):
        end -= 1
    return sentence[end - 1 : end]


def number_spans(text: str) -> list[Span]:
    """Numbers, with commas between thousands and one decimal point: '3-5' is two, and '1,000.5' one."""
    return [match.span() for match in _NUMBER.finditer(text)]


def straight(text: str) -> str:
    """The text with straight quotes for typographic ones, and without the apostrophes within words."""
    return _APOSTROPHE.sub("", text).translate(_QUOTES)


def unfenced(text: str) -> str:
    """What stands between Markdown's ``` marks if they enclose the whole text, else the text; without blank lines."""
    fenced = _FENCED.fullmatch(text)
    inner = fenced[1] if fenced else text
    return "\n".join(line for line in inner.replace("\r\n", "\n").split("\n") if line.strip())


def belongs_to_emoji(char: str) -> bool:
    """Whether a character is an emoji or part of one: half a flag, the keycap around a digit, an invisible joiner."""
    if char in (_KEYCAP, _TAG_END, "\ufe0f", "\u200d") or "\U0001f1e6" <= char <= "\U0001f1ff":
        return True
    return is_emoji(char)
