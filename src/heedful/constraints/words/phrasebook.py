"""The table of phrases, compiled: which kind of requirement which phrases make. Reads `phrases.yaml`; knows no text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from heedful.constraints.words import slots
from heedful.constraints.words.counts import Counts
from heedful.constraints.words.numbers import times_at
from heedful.constraints.words.patterns import Captures, Phrase, Reader
from heedful.constraints.words.tokens import Token


class Found(NamedTuple):
    """A phrase found among the tokens.

    Attributes:
        kind: which kind of requirement it makes.
        start, end: its first token, and the one after its last.
        captures: what its slots hold.
        weight: how many tokens it accounts for.
    """

    kind: str
    start: int
    end: int
    captures: Captures
    weight: int


class Phrasebook:
    """Phrases by kind, found by the words that they can start with."""

    def __init__(self, phrases: dict[str, list[Phrase]]) -> None:
        self._anywhere: list[tuple[str, Phrase]] = []
        self._by_start: dict[str, list[tuple[str, Phrase]]] = {}
        for kind, several in phrases.items():
            for phrase in several:
                starts = phrase.starts()
                if starts is None:
                    self._anywhere.append((kind, phrase))
                for key in starts or ():
                    self._by_start.setdefault(key, []).append((kind, phrase))

    def at(self, tokens: Sequence[Token], place: int) -> Iterator[Found]:
        """Every phrase that starts at this token, in the form that accounts for most."""
        for kind, phrase in (*self._by_start.get(tokens[place].key, ()), *self._anywhere):
            match = phrase.match(tokens, place)
            if match is not None and match.end > place:
                yield Found(kind, place, *match)


@cache
def phrasebook(table: str) -> Phrasebook:
    """One of the tables of `phrases.yaml`: 'phrases', what is understood; 'signs', what sounds like a requirement."""
    source = yaml.safe_load(files(__package__).joinpath("phrases.yaml").read_text(encoding="utf-8"))
    readers = _readers(source)
    return Phrasebook(
        {kind: [Phrase(text, source["groups"], readers) for text in several] for kind, several in source[table].items()}
    )


def _readers(source: dict[str, Any]) -> dict[str, Reader]:
    groups = source["groups"]
    counts = Counts(
        *(
            {form: Phrase(text, groups, {}) for form, text in source["bounds"][side].items()}
            for side in ("before", "after")
        )
    )
    readers: dict[str, Reader] = {
        "amount": counts.reader(None),
        "times": slots.either(
            counts.reader(None, number=times_at),  # 'twice', 'three times or more'
            counts.reader(Phrase("times|time", groups, {}), bounded=True),  # '3 or more times'
        ),
        "quotedterms": slots.quoted_terms,
        "bareterms": slots.bare_terms,
        "oneterm": slots.one_term,
        "lastwords": slots.last_words,
        "keys": slots.keys,
        "phrase": slots.phrase,
        "restofline": slots.rest_of_line,
        "letter": slots.letter,
        "marker": slots.marker,
        "ordinal": slots.ordinal,
        "number": slots.number,
        "sectionmark": slots.section_mark,
        "language": slots.language,
        "topic": slots.to_clause_end,
        "several": slots.several,
        "yes": slots.yes,
        "start": slots.clause_start,
        "clauseend": slots.clause_end,
        "stars3": slots.stars(3, 5),
        "stars6": slots.stars(6, 99),
        "angled": slots.of_kind("angled"),
        "bracketed": slots.of_kind("bracketed"),
        "open": slots.of_key("("),
        "close": slots.of_key(")"),
        "break": slots.of_kind("break"),
        **{f"gap{most}": slots.up_to(most) for most in range(9)},
    }
    for name, text in source["units"].items():
        unit = Phrase(text, groups, {})
        readers[f"count:{name}"] = counts.reader(unit)
        readers[f"count:bounded {name}"] = counts.reader(unit, bounded=True)
    return readers
