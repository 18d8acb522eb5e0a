"""What a word is, and how two spellings are compared. Knows nothing of constraints.

A **word** is a longest run of letters, digits and underscores, as `re.findall(r"\\w+", text)` finds it: the rule that
agrees with IFEval's. So "don't" and "well-known" are two words each, "3.14" is two, "U.S." is two, and punctuation is
none. Two things are added that `\\w` leaves out and that matter outside ASCII: an accent or vowel sign written as a
character of its own, and an invisible joiner or soft hyphen, belong to the word that they stand in (otherwise "café"
with a separate accent would end at the "e", and Hindi words fall into pieces). Scripts written without spaces
(Chinese, Thai) are not segmented.

**Spellings** are compared by `fold`: canonical Unicode equivalence, case folded if asked, typographic apostrophes and
hyphens as their ASCII forms, any white space as one space, invisible characters left out.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from heedful.constraints.verdict import Span
from heedful.errors import InputError

_ZERO_WIDTH_SPACE = "\u200b"  # a format character by its category, but it separates words (UAX #29)
_INSIDE = "\uffff"  # a noncharacter: stands for whatever continues a word without being \w
_WORD = re.compile(rf"\w[\w{_INSIDE}]*")
_AS_WORDS = bytes(ord("a" if chr(i).isalnum() or chr(i) == "_" else " ") for i in range(128)) + b" " * 128
_OF_ASCII = bytes(range(128))
_SYMBOL = "\x7f"  # stands for any character beyond ASCII that is no part of a word
_FEW = 24  # different characters beyond ASCII, up to which replacing each is faster than a regular expression
_ASCII = re.compile(r"[\t-\r\x1c-~]+")  # white space too
_ASCII_RUN = re.compile(r"[!-~]+(?: [!-~]+)*")
_ONE_SPACE = bytes.maketrans(b"\t\n\r\x0b\x0c", b"     ")
_PLAIN = str.maketrans(dict.fromkeys("‘’ʼ＇", "'") | dict.fromkeys("‐‑﹣－", "-"))


def check_is_text(text: object) -> None:
    """InputError where it is no str."""
    if not isinstance(text, str):
        raise InputError(f"a {type(text).__name__} is no text", "give a str; decode bytes first")


def is_whole(text: str) -> bool:
    """Whether it has no half of a surrogate pair, which stands for no character, or for a byte that is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def word_spans(text: str) -> list[Span]:
    """Where the words of `text` are, in order."""
    return [match.span() for match in _WORD.finditer(_with_marks_inside(text))]


def count_words(text: str) -> int:
    """How many words `text` has."""
    as_words = _as_words(text)
    if as_words is None:
        for char in filter(_continues_word, _beyond_ascii(text)):
            text = text.replace(char, "")  # where words are only counted, it can as well be missing
        as_words = _as_words(text)
    if as_words is None:
        return len(_WORD.findall(_with_marks_inside(text)))
    return as_words.count(b" a") + as_words.startswith(b"a")


def words_from(text: str, first: int) -> Span | None:
    """From the word of this number, counted from 0, to the end of the last; None where there are no more than that."""
    as_words = _as_words(text)
    if as_words is not None:
        pieces = as_words.split(None, first)
        return (len(as_words) - len(pieces[first]), len(as_words.rstrip())) if len(pieces) > first else None
    marked = _with_marks_inside(text)
    begin = next(islice(_WORD.finditer(marked), first, None), None)
    if begin is None:
        return None
    last = len(marked) - 1
    while not _is_word(marked[last]):
        last -= 1
    end = last + 1
    while end < len(marked) and marked[end] == _INSIDE:
        end += 1
    return begin.start(), end


@lru_cache(maxsize=64)
def _as_words(text: str) -> bytes | None:
    """One byte for one character, b"a" in a word and b" " between words; None where that is the slower way."""
    if not text.isascii():
        others = _beyond_ascii(text)
        if len(others) > _FEW or any(map(_continues_word, others)):
            return None
        for char in others:
            text = text.replace(char, "a" if _is_word(char) else " ")
    return text.encode().translate(_AS_WORDS)


def _beyond_ascii(text: str) -> set[str]:
    """The different characters; a set of all of them takes six times as long."""
    return {*text.encode("utf-8", "surrogatepass").translate(None, _OF_ASCII).decode("utf-8", "surrogatepass")}


def _with_marks_inside(text: str) -> str:
    """One character for one character, so that spans hold in the original."""
    if text.isascii():
        return text
    marks = {ord(char): _INSIDE for char in _beyond_ascii(text) if _continues_word(char)}
    if _INSIDE in text:  # itself it is no part of a word
        marks[ord(_INSIDE)] = " "
    return text.translate(marks) if marks else text


@lru_cache(maxsize=4096)
def _continues_word(char: str) -> bool:
    category = unicodedata.category(char)
    return category[0] == "M" or (category == "Cf" and char != _ZERO_WIDTH_SPACE)


class _Run(NamedTuple):
    """Folded characters from `at` on, up to the next run, and the span in the original that they came from: one by one if
    `plain`, else all of them from all of it."""

    at: int
    start: int
    end: int
    plain: bool


class Folded(NamedTuple):
    """A text in the form in which spellings are compared.

    Attributes:
        text: the folded text.
        runs: where its characters came from, in order.
    """

    text: str
    runs: list[_Run]

    def source(self, start: int, end: int) -> Span:
        """The span in the original of a span of the folded text that is not empty."""
        first, last = self._run(start), self._run(end - 1)
        return (
            first.start + start - first.at if first.plain else first.start,
            last.start + end - last.at if last.plain else last.end,
        )

    def _run(self, place: int) -> _Run:
        return self.runs[bisect_right(self.runs, place, key=itemgetter(0)) - 1]


def fold(text: str, *, case_sensitive: bool, spaces: bool = True) -> Folded:
    """`text` in the form in which spellings are compared, with the way back to the original.

    Without `spaces`, white space may stay as it is, which is faster: for looking up what has none.

    Works through runs that Unicode normalisation cannot reach across (a character and its combining marks), so the
    result is the canonical caseless form of the whole: NFD(casefold(NFD(text))), Unicode standard D145. Of ASCII that is
    lower case, character by character, whatever marks come after it.
    """
    if text.isascii():
        plain = text if not spaces or text.isprintable() else text.encode().translate(_ONE_SPACE).decode()
        # With spaces, nothing may be left out, and no run of white space become shorter.
        if not spaces or (plain.isprintable() and "  " not in plain):
            return Folded(plain if case_sensitive else plain.lower(), [_Run(0, 0, len(text), plain=True)])
    pieces: list[str] = []
    runs: list[_Run] = []
    start, length, at = 0, len(text), 0
    ascii_run = _ASCII_RUN if spaces else _ASCII
    while start < length:
        if run := ascii_run.match(text, start):
            end = run.end()
            pieces.append(run[0] if case_sensitive else run[0].lower())
            runs.append(_Run(at, start, end, plain=True))
            at += end - start
            start = end
            continue
        end = start + 1
        if text[start].isspace():
            while end < length and text[end].isspace():
                end += 1
            piece = " "
        else:
            while end < length and unicodedata.combining(text[end]):
                end += 1
            piece = _fold_piece(text[start:end], case_sensitive)
        if piece == " " and pieces[-1:] == [" "]:  # two runs of white space with something invisible between
            runs[-1] = runs[-1]._replace(end=end)
        elif piece:
            pieces.append(piece)
            runs.append(_Run(at, start, end, plain=False))
            at += len(piece)
        start = end
    return Folded("".join(pieces), runs)


def fold_to_ascii(text: str, *, case_sensitive: bool) -> str | None:
    """A text of ASCII in which terms that are `seen_in_ascii` stand where they stand in `fold` of it without `spaces`.

    A letter beyond ASCII is in no such term, and to those beside it only a part of a word; a symbol not even that. Several
    times as fast. None where a mark is a character of its own: it goes on with the word before it, if there is one.
    """
    if not text.isascii():
        others = _beyond_ascii(text)
        if len(others) > _FEW:
            return None
        for char in others:
            stand_in = _fold_piece(char, case_sensitive)
            if not stand_in.isascii():
                if _continues_word(char):
                    return None
                stand_in = "_" if any(map(_is_word, stand_in)) else _SYMBOL
            text = text.replace(char, stand_in)
    return text if case_sensitive else text.lower()


def seen_in_ascii(term: str) -> bool:
    """Whether `fold_to_ascii` serves for this folded term."""
    return term.isascii() and term.isprintable() and not {" ", "_"} & {*term}


@lru_cache(maxsize=4096)
def fold_term(term: str, *, case_sensitive: bool) -> str:
    """A word or phrase in the form in which it is looked for, without white space around it."""
    return fold(term.strip(), case_sensitive=case_sensitive).text.strip()


@lru_cache(maxsize=4096)
def _fold_piece(piece: str, case_sensitive: bool) -> str:
    piece = unicodedata.normalize("NFD", piece)
    if not case_sensitive:
        piece = unicodedata.normalize("NFD", piece.casefold())
    piece = piece.translate(_PLAIN)
    return "".join(c for c in piece if unicodedata.category(c) != "Cf" or c == _ZERO_WIDTH_SPACE)


def term_spans(text: str, term: str) -> list[Span]:
    """Where `term` stands in `text` as words of its own, in any case and typographic form."""
    return find_term(fold(text, case_sensitive=False), fold_term(term, case_sensitive=False))


def find_term(folded: Folded, term: str) -> list[Span]:
    """Where the folded `term` stands in the text as words of its own, as spans in the original; matches do not overlap.

    A match never cuts a word: 'art' is not found in 'party', and 'cafe' not in 'café'. It is found in 'art-house' and
    "art's", which are two words each.
    """
    return [folded.source(start, start + len(term)) for start in term_starts(folded.text, term)]


def term_starts(folded: str, term: str) -> Iterator[int]:
    """The same, as places in the folded text."""
    start = folded.find(term)
    while start >= 0:
        end = start + len(term)
        if _cuts_word(folded, start) or _cuts_word(folded, end):
            end = start + 1
        else:
            yield start
        start = folded.find(term, end)


def _cuts_word(text: str, place: int) -> bool:
    """Whether a word of `text` begins before `place` and goes on there: what `word_spans` would say, looked up on the spot."""
    if not 0 < place < len(text) or not (_is_word(text[place]) or _continues_word(text[place])):
        return False
    before = place - 1
    while before >= 0 and not _is_word(text[before]) and _continues_word(text[before]):
        before -= 1
    return before >= 0 and _is_word(text[before])


def _is_word(char: str) -> bool:
    r"""Whether it is matched by \w."""
    return char.isalnum() or char == "_"
