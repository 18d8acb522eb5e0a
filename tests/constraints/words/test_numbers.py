"""Numbers in words are read back as what they were written from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints.words.numbers import number_at, ordinal_at, times_at
from heedful.constraints.words.tokens import tokenize

ONES = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen
eighteen nineteen""".split()
TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split()


def spelled(number: int) -> str:
    """English words for 0 to 999,999, by the school's rule: the oracle."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10] + (f"-{ONES[number % 10]}" if number % 10 else "")
    unit, name = (1000, "thousand") if number >= 1000 else (100, "hundred")
    joint = " and " if number % unit < 100 else " "
    return f"{spelled(number // unit)} {name}" + (f"{joint}{spelled(number % unit)}" if number % unit else "")


def read(text: str) -> tuple[int, bool] | None:
    tokens = tokenize(text)
    found = number_at(tokens, 0)
    return None if found is None else (found.value, found.end == len(tokens))


@given(st.integers(0, 999_999))
def test_words_and_digits_and_thousands_commas(number: int) -> None:
    for written in (spelled(number), str(number), f"{number:,}", spelled(number).replace("-", " ")):
        assert read(written) == (number, True), written


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("a dozen", 12),
        ("two dozen", 24),
        ("half a dozen", 6),
        ("a hundred", 100),
        ("2 thousand", 2000),
        ("a single", 1),
    ],
)
def test_other_ways(text: str, number: int) -> None:
    assert read(text) == (number, True)


@pytest.mark.parametrize("text", ["a", "an", "and five", "hundred", "dozens", '"five"', ""])
def test_no_number(text: str) -> None:
    assert read(text) is None


def test_ordinals_and_times() -> None:
    for text, number in (("second", 2), ("2nd", 2), ("4", 4), ("last", -1)):
        found = ordinal_at(tokenize(text), 0)
        assert found is not None
        assert found.value == number
    for text, number in (("once", 1), ("twice", 2), ("three times", 3), ("1 time", 1)):
        found = times_at(tokenize(text), 0)
        assert found is not None
        assert found == (number, len(tokenize(text)))
    assert times_at(tokenize("three sentences"), 0) is None
