"""Lexicons: weighted words and phrases in sections, read from a text file and found in a text.

The file format: '== name | alias, alias' opens a section, '3: word, some phrase' lists entries of that weight, '#' is a
comment. '== name !' opens a section whose entries are matched as they are written; all others also match their inflections
('pony' finds 'ponies'). The section 'idioms' holds phrases that hide the words in them and count for nothing. Knows nothing
of what the sections mean.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib.resources import files
from typing import NamedTuple

from heedful.constraints.offline.words import Word, base_forms, words

IDIOMS = "idioms"


class Entry(NamedTuple):
    """A word or phrase: its words after the first, how it is written in the file, and its weight in each section."""

    rest: tuple[str, ...]
    key: str
    exact: bool
    weights: tuple[tuple[str, float], ...]


class Match(NamedTuple):
    """An entry found in a text: from word `first` to before word `stop`, and the same in characters."""

    entry: Entry
    first: int
    stop: int
    start: int
    end: int


class Lexicon:
    """Sections of weighted words and phrases.

    Attributes:
        aliases: every section's name and aliases, to its name.
    """

    def __init__(self, source: str) -> None:
        """Args: source: the text of a lexicon file."""
        self.aliases: dict[str, str] = {}
        self._entries: dict[str, list[Entry]] = defaultdict(list)
        self._by_word: dict[str, tuple[Entry, ...]] = {}
        weights: dict[tuple[str, bool], dict[str, float]] = defaultdict(dict)
        section, exact = "", False
        for line in source.splitlines():
            if line.startswith("== "):
                section, _, aliases = (part.strip() for part in line[3:].partition("|"))
                exact = section.endswith("!")
                section = section.removesuffix("!").strip()
                self.aliases[section] = section
                self.aliases.update((alias.strip(), section) for alias in aliases.split(",") if alias.strip())
            elif line and not line.startswith("#"):
                weight, _, phrases = line.partition(":")
                for phrase in phrases.split(","):
                    known = weights[phrase.strip().lower(), exact]
                    known[section] = max(float(weight), known.get(section, 0.0), key=abs)
        self.aliases.pop(IDIOMS, None)
        for (phrase, is_exact), by_section in weights.items():
            first, *rest = (word.text for word in words(phrase))
            weighted = () if IDIOMS in by_section else tuple(sorted(by_section.items()))
            self._entries[first].append(Entry(tuple(rest), phrase, is_exact, weighted))

    def matches(self, text: Sequence[Word]) -> Iterator[Match]:
        """Entries in the text from left to right, the longest at each place, none overlapping; idioms left out."""
        position = 0
        while position < len(text):
            candidates = self._starting_with(text[position].text)
            entry = _first_that_goes_on(candidates, text, position + 1) if candidates else None
            stop = position + 1 + (len(entry.rest) if entry else 0)
            if entry and entry.weights:
                yield Match(entry, position, stop, text[position].start, text[stop - 1].end)
            position = stop

    def valences(self) -> Iterator[tuple[str, float]]:
        """Every phrase as written in the file, and its weight: the strongest, if it stands in several sections."""
        for entries in self._entries.values():
            for entry in entries:
                if entry.weights:
                    yield entry.key, max((weight for _, weight in entry.weights), key=abs)

    def single_words(self, section: str) -> frozenset[str]:
        """The entries of a section that are one word."""
        return frozenset(
            first
            for first, entries in self._entries.items()
            for entry in entries
            if not entry.rest and any(name == section for name, _ in entry.weights)
        )

    def _starting_with(self, word: str) -> tuple[Entry, ...]:
        """Entries that may start with this word: longest first, then those that are nearest to the word as it stands."""
        known = self._by_word.get(word)
        if known is None:
            found = [
                entry
                for form in base_forms(word)
                for entry in self._entries.get(form, ())
                if form == word or not entry.exact
            ]
            known = self._by_word[word] = tuple(sorted(found, key=lambda entry: -len(entry.rest)))
        return known


def _first_that_goes_on(candidates: Sequence[Entry], text: Sequence[Word], position: int) -> Entry | None:
    """The first entry whose further words are those of the text from `position` on."""
    for entry in candidates:
        at = position
        for wanted in entry.rest:
            word = text[at].text if at < len(text) else ""
            if wanted != word and (entry.exact or wanted not in base_forms(word)):
                break
            at += 1
        else:
            return entry
    return None


def load_lexicon(name: str) -> Lexicon:
    """The lexicon in a file of this folder."""
    return Lexicon(files(__package__).joinpath(name).read_text(encoding="utf-8"))
