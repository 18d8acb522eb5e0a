"""Contradictions are named; what only looks like one is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints import WordCount
from heedful.constraints.words import Reading, parse
from heedful.constraints.words.conflicts import contradictions


@given(st.integers(1, 99), st.integers(1, 99))
def test_bounds_clash_exactly_if_no_count_meets_both(low: int, high: int) -> None:
    pair = [Reading(WordCount(at_most=high), ((0, 1),)), Reading(WordCount(at_least=low), ((2, 3),))]
    possible = any(low <= count <= high for count in range(1, 100))
    assert bool(contradictions(pair)) == (not possible)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Use at most 10 words and at least 20 words.", "at least 20 and at most 10 words"),
        ("Use exactly 5 words. Use exactly 6 words.", "at least 6 and at most 5 words"),
        ('Use the word "cat" and avoid the word "Cat".', "“cat” is asked for and forbidden"),
        ("Use formal language, and keep it casual.", "formal and informal"),
        ("Answer in French. Answer in German.", "fr and de"),
        ("Write in all caps. Use only lowercase letters.", "all capitals and no capitals"),
        ("Use at least 5 sentences. Use fewer than 4 sentences.", "at least 5 and fewer than 4"),
        ("Use three bullet points. Use four bullet points.", "exactly 3 and exactly 4"),
    ],
)
def test_named(text: str, why: str) -> None:
    parsed = parse(text)
    assert len(parsed.contradictions) == 1
    assert why in parsed.contradictions[0].why
    assert not parsed.understood


@pytest.mark.parametrize(
    "text",
    [
        "Use at least 10 words and at most 20 words.",
        'Use the word "cat" at least twice and the word "dog" at most once.',
        "Highlight at least 3 sections. Highlight at least 5 sections.",
        "The letter q should appear at least 5 times. The letter z should appear fewer than 4 times.",
    ],
)
def test_no_contradiction(text: str) -> None:
    assert parse(text).understood
