"""The lexicon files hold no contradiction, and the reader finds phrases as its description says."""

from __future__ import annotations

import time
from collections import defaultdict
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.constraints.classification import TASKS, get_classifier
from heedful.constraints.offline.lexicon import IDIOMS, Lexicon
from heedful.constraints.offline.words import base_forms, plain, words

FILES = ("register.txt", "sentiment.txt", "topics.txt", "toxicity.txt")

MAY_SHARE = {frozenset({"directed adjectives", "contempt"}), frozenset({"mild adjectives", "contempt"})}
"""Sections of toxicity.txt that say different things of the same word: what it is of someone, and before a noun."""


def sections_of(name: str) -> dict[str, list[str]]:
    """Every phrase of a lexicon file, to the sections that list it; a section is there as often as it lists it."""
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in files("heedful.constraints.offline").joinpath(name).read_text(encoding="utf-8").splitlines():
        if line.startswith("== "):
            section = line[3:].partition("|")[0].removesuffix("!").strip()
        elif line and not line.startswith("#"):
            for phrase in line.partition(":")[2].split(","):
                found[phrase.strip()].append(section)
    return found


@pytest.mark.parametrize("name", FILES)
def test_nothing_is_listed_twice_or_empty(name: str) -> None:
    found = sections_of(name)
    assert "" not in found
    assert {phrase: where for phrase, where in found.items() if len(where) != len(set(where))} == {}
    assert [phrase for phrase in found if phrase != phrase.lower()] == []


@pytest.mark.parametrize("name", ["register.txt", "sentiment.txt", "toxicity.txt"])
def test_nothing_speaks_for_two_sides(name: str) -> None:
    """Only a topic may share words with another; 'no entry in two registers'."""
    shared = {phrase: where for phrase, where in sections_of(name).items() if len(where) > 1}
    assert {phrase: where for phrase, where in shared.items() if frozenset(where) not in MAY_SHARE} == {}


def test_an_idiom_is_in_no_topic() -> None:
    assert [phrase for phrase, where in sections_of("topics.txt").items() if IDIOMS in where and len(where) > 1] == []


def found(lexicon: Lexicon, text: str) -> list[str]:
    return [match.entry.key for match in lexicon.matches(words(text))]


def test_longest_phrase_inflections_exact_sections_and_idioms() -> None:
    lexicon = Lexicon(
        "# a comment\n== idioms\n0: blue moon\n== sky | the heavens\n3: moon, full moon\n== plain !\n1: moonlit"
    )
    assert found(lexicon, "Full moons rise over a moon, once in a blue moon; moonlit") == [
        "full moon",
        "moon",
        "moonlit",
    ]
    assert found(lexicon, "moonlits") == []  # an exact entry has no inflections
    assert lexicon.aliases == {"sky": "sky", "the heavens": "sky", "plain": "plain"}
    assert lexicon.single_words("sky") == {"moon"}


@given(st.text())
def test_words_are_where_they_say(text: str) -> None:
    assert len(plain(text)) == len(text)
    for word in words(text):
        assert plain(text)[word.start : word.end].lower() == word.text


@pytest.mark.parametrize(
    ("word", "base"),
    [
        ("ponies", "pony"),
        ("hiking", "hike"),
        ("knitted", "knit"),
        ("churches", "church"),
        ("knives", "knife"),
        ("dog's", "dog"),
    ],
)
def test_base_forms(word: str, base: str) -> None:
    assert base_forms(word)[0] == word
    assert base in base_forms(word)


def test_a_word_is_not_taken_for_a_shorter_one() -> None:
    assert "car" not in base_forms("cared")
    assert "bas" not in base_forms("bass")


@settings(deadline=None)  # the first call loads the lexicons
@given(st.text(max_size=200))
def test_any_text_gets_an_answer_whose_spans_lie_in_it(text: str) -> None:
    for task in TASKS:
        answer = get_classifier(task)(text)
        assert answer.reason
        assert all(0 <= start < end <= len(text) for start, end in answer.spans)
        assert all(0 <= score <= 1 for score in answer.scores.values())
        assert answer.label is None or answer.label in answer.scores


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("filler", ["stupid and ", "a" * 30, "you, ", "* ", "a-"])
def test_long_texts_take_time_in_proportion(task: str, filler: str) -> None:
    """No pattern may backtrack without end: 20,000 characters within two seconds (about 0.05 s alone)."""
    classify = get_classifier(task)
    classify("The first call loads the lexicon.")
    start = time.process_time()
    classify((filler * 20_000)[:20_000])
    assert time.process_time() - start < 2
