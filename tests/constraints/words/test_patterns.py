"""The language of phrases: what it matches, against a plain enumeration, and what it refuses."""

from __future__ import annotations

from itertools import product

import pytest

from heedful.constraints.words.patterns import Phrase
from heedful.constraints.words.phrasebook import phrasebook
from heedful.constraints.words.slots import one_term, up_to
from heedful.constraints.words.tokens import tokenize

GROUPS = {"use": "use|make use of"}


def test_every_sentence_of_the_language_is_matched_whole_and_no_other() -> None:
    phrase = Phrase("(do|must) not [ever] <use> [the] (word|words [:])", GROUPS, {})
    parts = [("do", "must"), ("not",), ("", "ever"), ("use", "make use of"), ("", "the"), ("word", "words", "words :")]
    for words in product(*parts):
        text = " ".join(filter(None, words))
        match = phrase.match(tokenize(text), 0)
        assert match is not None, text
        assert match.end == match.weight == len(tokenize(text)), text
        assert phrase.starts() == {"do", "must"}
    for text in ("do use the word", "not use the word", "do not use", 'do not use "word"', ""):
        assert phrase.match(tokenize(text), 0) is None, text


def test_slots_capture_and_gaps_weigh_nothing() -> None:
    phrase = Phrase("end {gap3} with {term}", {}, {"gap3": up_to(3), "term": one_term})
    match = phrase.match(tokenize("end your whole answer with 'bye' today"), 0)
    assert match is not None
    assert match.captures["term"] == ("bye",)
    assert (match.end, match.weight) == (6, 3)
    assert phrase.match(tokenize("end it. Now go with 'bye'"), 0) is None  # a gap stays within its sentence


@pytest.mark.parametrize(
    ("source", "fault"),
    [("(a|b", r"lacks a \)"), ("a) b", r"has a \) too many"), ("{x}", r"the slot \{x\}, which nothing reads"),
     ("<x>", "the group <x>, which is not defined")],
)  # fmt: skip
def test_what_is_not_in_the_language_is_refused(source: str, fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        Phrase(source, {}, {})


def test_the_tables_compile() -> None:
    for table in ("phrases", "signs"):
        assert list(phrasebook(table).at(tokenize("without commas"), 0))
