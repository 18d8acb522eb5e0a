"""Words of a text with their places, and the base forms that an inflected English word may have.

Knows no lexicon: who looks a word up tries its `base_forms` in turn.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

# Apostrophes and hyphens inside a word belong to it; numbers may carry a unit ('35mm') or a fraction ('f/2.8' is a word too).
_WORD = re.compile(r"[^\W\d_]/\d+(?:\.\d+)?|\w+(?:['-]\w+)*")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "‐": "-", "‑": "-"})  # each one character: spans stay true
_VOWELS = "aeiou"


class Word(NamedTuple):
    """A word as it is looked up (lower case, plain apostrophes) and where it stands, in characters."""

    text: str
    start: int
    end: int


def plain(text: str) -> str:
    """The text with typographic apostrophes and hyphens made plain; as many characters as before."""
    return text.translate(_APOSTROPHES)


def words(text: str) -> list[Word]:
    """The words of a text, in order."""
    return [Word(match[0].lower(), match.start(), match.end()) for match in _WORD.finditer(plain(text))]


def has_latin_letters(text: str) -> bool:
    """Whether the English lexicons have anything to read here."""
    return any(character.isalpha() and character < "ɐ" for character in text)


@lru_cache(maxsize=200_000)
def base_forms(word: str) -> tuple[str, ...]:
    """The word itself, then what it may be an inflection of, likeliest first.

    >>> base_forms("ponies"), base_forms("hiking"), base_forms("knitted")
    (('ponies', 'pony', 'ponie'), ('hiking', 'hike'), ('knitted', 'knit', 'knitt', 'knitte'))
    """
    forms = [word]
    stem = word
    if stem.endswith(("'s", "s'")):
        stem = stem[:-2] if stem.endswith("'s") else stem[:-1]
        forms.append(stem)
    if len(stem) < 4:
        return tuple(forms)
    if stem.endswith("ies"):
        forms += [stem[:-3] + "y", stem[:-1]]
    elif stem.endswith(("ches", "shes", "sses", "xes", "zes", "oes")):
        forms += [stem[:-2], stem[:-1]]
    elif stem.endswith("ves"):
        forms += [stem[:-1], stem[:-3] + "f", stem[:-3] + "fe"]
    elif stem.endswith("s") and not stem.endswith(("ss", "us", "is")):
        forms.append(stem[:-1])
        if stem.endswith("ings"):
            stem = stem[:-1]
    if stem.endswith("ied"):
        forms.append(stem[:-3] + "y")
    elif stem.endswith("ed"):
        forms += _verbs(stem[:-2])
    elif stem.endswith("ing"):
        forms += _verbs(stem[:-3])
    return tuple(dict.fromkeys(forms))


def _verbs(stem: str) -> list[str]:
    """The verbs that a stem before -ed or -ing may come from: 'knitt' → knit, 'hik' → hike, 'sail' → sail."""
    if len(stem) < 2 or not any(letter in "aeiouy" for letter in stem):
        return []
    if len(stem) > 2 and stem[-1] == stem[-2] and stem[-1] not in _VOWELS:
        return [stem[:-1], stem, stem + "e"]
    one_syllable = sum(letter in _VOWELS for letter in stem) == 1
    if one_syllable and len(stem) > 2 and stem[-1] not in "aeiouwxy" and stem[-2] in _VOWELS:
        return [stem + "e"]  # a short stem would have doubled its consonant: 'cared' is not of 'car'
    return [stem, stem + "e"]
