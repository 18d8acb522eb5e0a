"""What stands in the slots of phrases, apart from amounts: terms, keys, a letter, a language, a last phrase.

Each reader takes the tokens and a place, and yields every end that the slot may have, with its value. Knows no phrase.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from heedful.constraints.verdict import Span
from heedful.constraints.words.numbers import number_at, ordinal_at
from heedful.constraints.words.patterns import Reader
from heedful.constraints.words.tokens import Token, ends_sentence

_NO_TERM = frozenset(
    """a an the and or but in on of to for with by as at from it its this that these those you your my me i is are
    was be do does not no any all each every least most more less word words phrase term keyword keywords letter
    letters use make keep avoid must should can may will if so then than please exactly only times once twice
    limit count""".split()
)
"""What is never the term of 'the word x' unless it stands in quotation marks."""

_THE_TOPIC_OF = [["the", word, "of"] for word in ("topic", "subject", "theme")]

_JOINS = frozenset({",", "and", "or", "&", "/"})
_NOUNS = frozenset("word words term terms phrase phrases keyword keywords".split())
_COUNTING = frozenset("at exactly once twice thrice no not more less fewer up between for only".split())
_BEHIND_LISTS = frozenset(
    """about regarding in using without within under where which while when please nothing also appear appears occur
    occurs somewhere anywhere throughout needs need has have cannot shall could would ought never while because""".split()
)
_TYPES = frozenset("string str text int integer number float bool boolean array list object date datetime null".split())


def quoted_terms(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Terms in quotation marks, or in one pair of brackets: '"x", "y" and "z"'."""
    yield from _listed(tokens, place, bare=False)


def bare_terms(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Terms with or without quotation marks, one word each: 'moon, sun and stars'."""
    yield from (read for read in _listed(tokens, place, bare=True) if not _goes_on(tokens, read[0]))


def one_term(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """One term: quoted, or one word."""
    term = _term(tokens, place, bare=True)
    if term is not None:
        yield place + 1, (term,)


def last_words(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Bare terms of one or two words that end their clause: 'pizza or pasta' in 'without mentioning pizza or pasta.'"""
    items: list[str] = []
    end = place
    while True:
        start = end
        while end < min(start + 2, len(tokens)) and tokens[end].kind == "word" and tokens[end].key not in _NO_TERM:
            end += 1
        if end == start or not _clause_ends(tokens, end):
            return
        items.append(" ".join(token.written for token in tokens[start:end]))
        yield end, tuple(items)
        if end >= len(tokens) or tokens[end].key not in {"and", "or"}:
            return
        end += 1


def keys(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Names of fields, quoted or not, with or without a type: 'title and body', '"a", "b"', 'name (string), age: int'.

    A little word ends its part of the list if it is a name: 'with keys a and b' has two, 'with keys a reader knows' none.
    """
    found: list[str] = []
    end = place
    while end < len(tokens):
        term = _term(tokens, end, bare=not found or tokens[place].kind != "quoted")
        little = tokens[end].kind == "word" and tokens[end].key not in _JOINS and _clause_ends(tokens, end + 1)
        term = tokens[end].written if term is None and little else term
        if term is None or term in found:
            break
        found.append(term)
        end = _after_type(tokens, end + 1)
        if _list_may_end(tokens, end) and not _goes_on(tokens, end):
            yield end, tuple(found)
        after = _after_joint(tokens, end)
        if after == end:
            break
        end = after
    if not found:
        yield from _listed(tokens, place, bare=True)


def phrase(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, str]]:
    """A phrase in quotation marks."""
    if place < len(tokens) and tokens[place].kind == "quoted":
        yield place + 1, tokens[place].key


def rest_of_line(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, Span]]:
    """Everything to the end of the line or text, as a place in the text, for 'end with this exact phrase: …'."""
    end = next((i for i in range(place, len(tokens)) if tokens[i].kind == "break"), len(tokens))
    if end > place:
        yield end, (tokens[place].start, tokens[end - 1].end)


def letter(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, str]]:
    """One character, quoted or not."""
    if place < len(tokens) and len(tokens[place].key) == 1 and tokens[place].kind in ("word", "quoted", "mark"):
        yield place + 1, tokens[place].key.lower()


def marker(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, str]]:
    """P.S. or P.P.S, quoted or not."""
    if place < len(tokens):
        said = tokens[place].key.lower().replace(" ", "").replace(".", "").rstrip(":")
        if said in {"ps", "pps"} and tokens[place].kind in ("marker", "quoted"):
            yield place + 1, "P.P.S" if said == "pps" else "P.S."


def ordinal(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, int]]:
    """'second', '2nd', '2', 'last' (−1)."""
    found = ordinal_at(tokens, place)
    if found is not None:
        yield found.end, found.value


def number(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, int]]:
    """A number in digits or words."""
    found = number_at(tokens, place)
    if found is not None:
        yield found.end, found.value


def section_mark(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, str]]:
    """The word of 'Section X' or of '"SECTION 1"', as it is written."""
    if place >= len(tokens):
        return
    if tokens[place].kind == "quoted":
        words = tokens[place].key.split()
        if len(words) == 2 and words[1].strip(".") in {"X", "x", "1", "N", "i", "I"}:
            yield place + 1, words[0]
        return
    following = tokens[place + 1].key if place + 1 < len(tokens) else ""
    if tokens[place].kind == "word" and following in {"x", "1", "n"} and tokens[place].key not in _NO_TERM:
        yield place + 2, tokens[place].written


def language(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, str]]:
    """A language by its English name, written with a capital, as its ISO 639-1 code."""
    if place < len(tokens) and tokens[place].capital:
        code = _languages().get(tokens[place].key)
        if code is not None:
            yield place + 1, code


def clause_start(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, None]]:
    """Takes nothing: a clause must begin here, after a comma, a colon or a sentence."""
    before = tokens[place - 1] if place else None
    if before is None or before.key in {",", ":", "–", "—", "("} or ends_sentence(tokens, place - 1):
        yield place, None


def yes(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, None]]:
    """'My answer is yes', quoted or not: the first of the three answers that IFEval asks to choose among."""
    said = [token.key.lower().strip(". ,") for token in tokens[place : place + 4]]
    if said[:1] == ["my answer is yes"]:
        yield place + 1, None
    elif said == ["my", "answer", "is", "yes"]:
        yield place + 4, None


def to_clause_end(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, Span]]:
    """Everything to the end of the clause, as a place in the text: what 'about' is about."""
    if [token.key for token in tokens[place : place + 3]] in _THE_TOPIC_OF:
        return  # the topic is what follows
    end = place
    while (
        end < len(tokens)
        and tokens[end].key not in {",", ":", "–", "—", "(", ")"}
        and not (tokens[end].kind in ("mark", "break") and ends_sentence(tokens, end))
    ):
        end += 1
        if tokens[end - 1].kind == "quoted" and ends_sentence(tokens, end - 1):
            break
    if end > place:
        yield end, (tokens[place].start, tokens[end - 1].end)


def stars(least: int, most: int) -> Reader:
    """A run of asterisks, so many."""

    def read(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, None]]:
        if place < len(tokens) and least <= tokens[place].key.count("*") <= most and set(tokens[place].key) == {"*"}:
            yield place + 1, None

    return read


def of_key(key: str) -> Reader:
    """The token with this key: for what the language of phrases has no word for."""

    def read(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, None]]:
        if place < len(tokens) and tokens[place].key == key:
            yield place + 1, None

    return read


def of_kind(kind: str) -> Reader:
    """Any token of this kind."""

    def read(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, None]]:
        if place < len(tokens) and tokens[place].kind == kind:
            yield place + 1, None

    return read


def either(*readers: Reader) -> Reader:
    """What one of these reads."""

    def read(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, Any]]:
        for reader in readers:
            yield from reader(tokens, place)

    return read


def up_to(most: int) -> Reader:
    """Up to so many tokens of whatever kind, within the sentence: what may stand between two parts of a phrase."""

    def read(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, None]]:
        for end in range(place, min(place + most, len(tokens)) + 1):
            if end > place and ends_sentence(tokens, end - 1):
                return
            yield end, None

    return read


def several(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, Span]]:
    """A list with a comma or 'but' to the end of its sentence, as a place in the text: 'apple, banana and cherry'."""
    end = place
    while end < len(tokens) and not ends_sentence(tokens, end) and tokens[end].key not in {"(", ":"}:
        end += 1
    if any(token.key in {",", "but"} for token in tokens[place:end]) and tokens[place].kind == "word":
        yield end, (tokens[place].start, tokens[end - 1].end)


def clause_end(tokens: Sequence[Token], place: int) -> Iterator[tuple[int, None]]:
    """Takes nothing: there must be the end of a clause here."""
    if _clause_ends(tokens, place):
        yield place, None


def _clause_ends(tokens: Sequence[Token], place: int) -> bool:
    return (
        place >= len(tokens)
        or tokens[place].key in {",", ":", "–", "—", "(", ")", "and", "but", "or"}
        or (tokens[place].kind in ("mark", "break") and ends_sentence(tokens, place))
    )


def _listed(tokens: Sequence[Token], place: int, *, bare: bool) -> Iterator[tuple[int, tuple[str, ...]]]:
    if place < len(tokens) and tokens[place].kind == "bracketed":
        inside = [part.strip(" '\"“”") for part in tokens[place].written.strip("[]").split(",")]
        yield place + 1, tuple(dict.fromkeys(filter(None, inside)))
        return
    found: list[str] = []
    end = place
    while True:
        term = _term(tokens, end, bare=bare and (not found or tokens[place].kind != "quoted"))
        if term is None or term in found:
            return
        found.append(term)
        end += 1
        if _list_may_end(tokens, end):
            yield end, tuple(found)
        start, end = end, _after_joint(tokens, end)
        if end == start:
            return


def _list_may_end(tokens: Sequence[Token], end: int) -> bool:
    """A list does not end before a joint and one more quoted term: '"x" and "y"' is never read as "x" alone."""
    after = _after_joint(tokens, end)
    return not (
        after > end and after < len(tokens) and tokens[after].kind == "quoted" and tokens[end - 1].kind == "quoted"
    )


def _after_joint(tokens: Sequence[Token], end: int) -> int:
    """The place behind ', and', 'as well as' and the like; and behind 'the term' in 'the term x and the term y'."""
    after = end
    while after < len(tokens) and tokens[after].key in _JOINS and tokens[after].kind in ("word", "mark"):
        after += 1
    if [token.key for token in tokens[end : end + 3]] == ["as", "well", "as"]:
        after = end + 3
    named = after > end and after + 2 < len(tokens) and tokens[after].key == "the" and tokens[after + 1].key in _NOUNS
    if named and not _counts(tokens, after + 3):
        return after + 2
    return after


def _goes_on(tokens: Sequence[Token], end: int) -> bool:
    """Is the last name without quotation marks only the first of its words? 'first name'."""
    return (
        end < len(tokens)
        and tokens[end - 1].kind == tokens[end].kind == "word"
        and tokens[end].key not in _NO_TERM | _JOINS | _BEHIND_LISTS
    )


def _counts(tokens: Sequence[Token], place: int) -> bool:
    """Is it said here how often? 'the word "x" and the word "y" twice' is no list."""
    return place < len(tokens) and (tokens[place].key in _COUNTING or number_at(tokens, place) is not None)


def _after_type(tokens: Sequence[Token], end: int) -> int:
    """The place behind the type of a field: 'name (string)', 'age: int'."""
    keys = [token.key for token in tokens[end : end + 3]]
    if keys[:1] == ["("]:
        return next((place + 1 for place in range(end, min(end + 8, len(tokens))) if tokens[place].key == ")"), end)
    return end + 2 if keys[:1] in ([":"], ["-"]) and keys[1:2] and keys[1] in _TYPES else end


def _term(tokens: Sequence[Token], place: int, *, bare: bool) -> str | None:
    if place >= len(tokens):
        return None
    token = tokens[place]
    if token.kind == "quoted":
        said = token.key.strip(" .,;:!?")
        return said if any(char.isalnum() for char in said) else None
    if bare and token.kind in ("word", "number") and token.key not in _NO_TERM:
        return token.written
    return None


@cache
def _languages() -> dict[str, str]:
    text = files(__package__).joinpath("languages.txt").read_text(encoding="utf-8")
    lines = (line.split("#")[0].split() for line in text.splitlines())
    return {name.lower(): line[0] for line in lines if line for name in line[1:]}
