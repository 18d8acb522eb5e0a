"""Amounts: every way to say a bound gives that bound."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.constraints import CharCount, Topic, WordCount
from heedful.constraints.words import parse

NUMBERS = st.integers(2, 3000)
some = settings(max_examples=15)


def read(text: str) -> tuple[object, ...]:
    return parse(text).constraints


@pytest.mark.parametrize(
    "form",
    [
        "at most {n} words",
        "{n} words or fewer",
        "no more than {n} words",
        "{n} words max",
        "up to {n} words",
        "fewer than {m} words",
        "under {m} words",
        "a maximum of {n} words",
        "{n} words or less",
        "{n} or less words",
        "≤ {n} words",
        "<= {n} words",
        "< {m} words",
        "max. {n} words",
        "not longer than {n} words",
        "limit: {n} words",
    ],
)
@some
@given(NUMBERS)
def test_greatest(form: str, n: int) -> None:
    assert read(f"Write a note, {form.format(n=n, m=n + 1)}.") == (WordCount(at_most=n),)


@pytest.mark.parametrize("form", ["at least {n} words", "{n} words or more", "no fewer than {n} words",
    "a minimum of {n} words", "more than {m} words", "over {m} words", "{n}+ words", "≥ {n} words",
    ">= {n} words", "> {m} words", "min. {n} words", "not shorter than {n} words"])  # fmt: skip
@some
@given(NUMBERS)
def test_least(form: str, n: int) -> None:
    assert read(f"Write a note with {form.format(n=n, m=n - 1)}.") == (WordCount(at_least=n),)


@pytest.mark.parametrize("form", ["between {n} and {m} words", "{n} to {m} words", "{n}-{m} words", "{n}–{m} words",
    "from {n} to {m} words", "at least {n} and at most {m} words", "minimum {n} words, maximum {m}",
    "at most {m} words and at least {n}", "{n} to {m} words, no more",
    "text neither shorter than {n} nor longer than {m} words"])  # fmt: skip
@some
@given(NUMBERS, st.integers(1, 500))
def test_between(form: str, n: int, more: int) -> None:
    assert read(f"Write a note of {form.format(n=n, m=n + more)}.") == (WordCount(at_least=n, at_most=n + more),)


def test_two_bounds_said_apart_are_two() -> None:
    both = (WordCount(at_least=50), WordCount(at_most=80))
    assert read("Write a text not shorter than 50 words nor longer than 80 words.") == both


def test_two_numbers_in_words() -> None:
    assert read("Write between one hundred and one hundred and fifty words.") == (WordCount(at_least=100, at_most=150),)
    assert read("Write between one hundred and one thousand words.") == (WordCount(at_least=100, at_most=1000),)


@pytest.mark.parametrize("text", ["Word limit: {n}.", "The word limit is {n} words.", "Word limit: {n} words or less."])
@some
@given(NUMBERS)
def test_a_limit_is_the_most(text: str, n: int) -> None:
    assert read(text.format(n=n)) == (WordCount(at_most=n),)


def test_a_limit_of_characters_is_the_most() -> None:
    assert read("The character limit is 300.") == (CharCount(at_most=300),)


def test_a_short_form_ends_no_sentence() -> None:
    assert read("Write about dogs in max. 50 words.") == (Topic(topic="dogs"), WordCount(at_most=50))
    assert read("Write about dogs in ≤ 50 words.") == (Topic(topic="dogs"), WordCount(at_most=50))
    assert read("Write 50 words max. Use no commas.")[:1] == (WordCount(at_most=50),)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("at least 20 words", WordCount(at_least=20)),
        ("exactly 20 words", WordCount(exactly=20)),
        ("between 20 and 30 words", WordCount(at_least=20, at_most=30)),
    ],
)
@pytest.mark.parametrize("no_more", ["no more than", "and no more than", "not more than"])
def test_no_more_than_begins_the_next_limit(said: str, words: WordCount, no_more: str) -> None:
    assert read(f"Write {said}, {no_more} 200 characters.") == (words, CharCount(at_most=200))


@some
@given(NUMBERS)
def test_exactly(n: int) -> None:
    for form in (f"exactly {n} words", f"{n} words, no more and no fewer", f"in {n} words", f"a {n}-word text"):
        assert read(f"Write, please, {form}.") == (WordCount(exactly=n),), form


@pytest.mark.parametrize("about", ["about", "around", "roughly", "approximately"])
@some
@given(n=NUMBERS)
def test_what_is_not_exact_is_told_and_not_guessed(about: str, n: int) -> None:
    parsed = parse(f"Write a note of {about} {n} words.")
    assert parsed.constraints == ()
    assert [parsed.words(unread.span) for unread in parsed.unread] == [f"of {about} {n} words"]
    assert f"between {round(0.9 * n)} and {round(1.1 * n)}" in parsed.unread[0].why
