"""Amounts: every way to say a bound gives that bound."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.constraints import WordCount
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
    ],
)
@some
@given(NUMBERS)
def test_greatest(form: str, n: int) -> None:
    assert read(f"Write a note, {form.format(n=n, m=n + 1)}.") == (WordCount(at_most=n),)


@pytest.mark.parametrize("form", ["at least {n} words", "{n} words or more", "no fewer than {n} words",
    "a minimum of {n} words", "more than {m} words", "over {m} words", "{n}+ words"])  # fmt: skip
@some
@given(NUMBERS)
def test_least(form: str, n: int) -> None:
    assert read(f"Write a note with {form.format(n=n, m=n - 1)}.") == (WordCount(at_least=n),)


@pytest.mark.parametrize("form", ["between {n} and {m} words", "{n} to {m} words", "{n}-{m} words", "{n}–{m} words",
    "from {n} to {m} words", "at least {n} and at most {m} words"])  # fmt: skip
@some
@given(NUMBERS, st.integers(1, 500))
def test_between(form: str, n: int, more: int) -> None:
    assert read(f"Write a note of {form.format(n=n, m=n + more)}.") == (WordCount(at_least=n, at_most=n + more),)


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
