"""A small language for phrases, and a matcher. Knows no particular phrase, and what a slot holds is for its reader to say.

    do not (use|say|mention) [the] word {terms}

stands for any of these words in this order: `(a|b c)` is a choice, `[x]` may be left out, `{name}` is a slot, which a reader
fills from the tokens, and `<name>` is a group of phrases defined elsewhere. A word stands for its token's key; so do marks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from heedful.constraints.words.tokens import Token

Captures = dict[str, Any]
"""What the slots of a phrase hold, by name."""

Reader = Callable[[Sequence[Token], int], Iterator[tuple[int, Any]]]
"""Reads a slot: from a place among the tokens, each end that it may have and its value there."""


class Match(NamedTuple):
    """A phrase found.

    Attributes:
        end: the token after it.
        captures: what its slots hold.
        weight: how many of its tokens the phrase accounts for; those in a slot called 'gap…' are only stepped over.
    """

    end: int
    captures: Captures
    weight: int


class _Word(NamedTuple):
    key: str


class _Slot(NamedTuple):
    name: str


class _Choice(NamedTuple):
    """Alternatives: `by_word`, those that begin with a word, by that word; `others`, the rest."""

    options: tuple[_Sequence, ...]
    by_word: Mapping[str, tuple[_Sequence, ...]]
    others: tuple[_Sequence, ...]


_Sequence = tuple["_Word | _Slot | _Choice", ...]

_LEXEME = re.compile(r"\{[^}]+\}|<[\w-]+>|[()\[\]|]|[^\s()\[\]|{}]+")


class Phrase:
    """One phrase, compiled.

    Args:
        source: in the language above.
        groups: what `<name>` stands for.
        readers: of the slots; `{count:words}` is read by `readers["count:words"]` and captured as 'count'.

    Raises:
        ValueError: the source is not in the language, or names a group or slot that there is not.
    """

    def __init__(self, source: str, groups: Mapping[str, str], readers: Mapping[str, Reader]) -> None:
        self.source = source
        self._readers = readers
        self._root = _parsed(source, groups, readers)

    def match(self, tokens: Sequence[Token], place: int) -> Match | None:
        """The match that accounts for most tokens, of those that start at this one; or None."""
        return max(self._walk(self._root, tokens, place), key=lambda found: (found.weight, found.end), default=None)

    def starts(self) -> frozenset[str] | None:
        """The keys that a match can start with; None if it can start with a slot."""
        return _starts(self._root)

    def _walk(self, parts: _Sequence, tokens: Sequence[Token], place: int) -> Iterator[Match]:
        if not parts:
            yield Match(place, {}, 0)
            return
        head, rest = parts[0], parts[1:]
        if isinstance(head, _Word):
            if place < len(tokens) and tokens[place].key == head.key and tokens[place].kind != "quoted":
                for match in self._walk(rest, tokens, place + 1):
                    yield match._replace(weight=match.weight + 1)
            return
        if isinstance(head, _Choice):
            key = tokens[place].key if place < len(tokens) else ""
            for option in (*head.by_word.get(key, ()), *head.others):
                yield from self._walk((*option, *rest), tokens, place)
            return
        for end, value in self._readers[head.name](tokens, place):
            for match in self._walk(rest, tokens, end):
                weight = 0 if head.name.startswith("gap") else end - place
                yield Match(match.end, {head.name.split(":")[0]: value, **match.captures}, match.weight + weight)


def _starts(parts: _Sequence) -> frozenset[str] | None:
    if not parts or isinstance(parts[0], _Slot):
        return None
    if isinstance(parts[0], _Word):
        return frozenset({parts[0].key})
    found: frozenset[str] = frozenset()
    for option in parts[0].options:
        keys = _starts((*option, *parts[1:]))
        if keys is None:
            return None
        found |= keys
    return found


def _choice(options: tuple[_Sequence, ...]) -> _Choice:
    by_word: dict[str, tuple[_Sequence, ...]] = {}
    others = []
    for option in options:
        if option and isinstance(option[0], _Word):
            by_word[option[0].key] = (*by_word.get(option[0].key, ()), option)
        else:
            others.append(option)
    return _Choice(options, by_word, tuple(others))


def _parsed(source: str, groups: Mapping[str, str], readers: Mapping[str, Reader]) -> _Sequence:
    lexemes = _LEXEME.findall(source)

    def options(place: int, closing: str) -> tuple[tuple[_Sequence, ...], int]:
        found: list[_Sequence] = []
        parts: list[_Word | _Slot | _Choice] = []
        while place < len(lexemes) and lexemes[place] != closing:
            lexeme = lexemes[place]
            place += 1
            if lexeme == "|":
                found.append(tuple(parts))
                parts = []
            elif lexeme in "([":
                inner, place = options(place, ")" if lexeme == "(" else "]")
                parts.append(_choice(inner if lexeme == "(" else (*inner, ())))
            elif lexeme[0] == "{":
                if lexeme[1:-1] not in readers:
                    raise ValueError(f"{source!r} has the slot {lexeme}, which nothing reads")
                parts.append(_Slot(lexeme[1:-1]))
            elif lexeme[0] == "<" != lexeme:
                if lexeme[1:-1] not in groups:
                    raise ValueError(f"{source!r} names the group {lexeme}, which is not defined")
                parts += _parsed(f"({groups[lexeme[1:-1]]})", groups, readers)
            elif lexeme in ")]":
                raise ValueError(f"{source!r} has a {lexeme} too many")
            else:
                parts.append(_Word(lexeme))
        if closing and place == len(lexemes):
            raise ValueError(f"{source!r} lacks a {closing}")
        return (*found, tuple(parts)), place + 1

    alternatives, _ = options(0, "")
    return alternatives[0] if len(alternatives) == 1 else (_choice(alternatives),)
