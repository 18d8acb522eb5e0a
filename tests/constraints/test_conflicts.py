"""Contradictions are named; what only looks like one is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints import CharCount, Constraint, Exclude, Include, Register, WordCount, constraint_from
from heedful.constraints.conflicts import check_together, conflict, conflicts
from heedful.constraints.words import parse
from heedful.errors import InputError


@given(st.integers(1, 99), st.integers(1, 99))
def test_bounds_clash_exactly_if_no_count_meets_both(low: int, high: int) -> None:
    possible = any(low <= count <= high for count in range(1, 100))
    assert (conflict(WordCount(at_most=high), WordCount(at_least=low)) is None) == possible


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


TERMS = st.sampled_from(["cat", "Cat", "CAT", "dog"]).map(lambda term: (term,))
SOME = (
    st.builds(WordCount, exactly=st.integers(1, 4))
    | st.builds(WordCount, at_most=st.integers(1, 4))
    | st.builds(CharCount, at_least=st.integers(1, 12))
    | st.builds(CharCount, exactly=st.integers(1, 12))
    | st.builds(Include, terms=TERMS, at_least=st.integers(1, 2), case_sensitive=st.booleans())
    | st.builds(Exclude, terms=TERMS, at_most=st.integers(0, 2), case_sensitive=st.booleans())
)


@given(SOME, SOME, st.lists(st.sampled_from(["cat", "Cat", "CAT", "dog"]), min_size=1, max_size=4).map(" ".join))
def test_no_text_passes_two_that_certainly_exclude_each_other(first: Constraint, second: Constraint, text: str) -> None:
    found = conflict(first, second)
    assert found == conflict(second, first)
    if found is not None and found.certain:
        assert not (first.passes(text) and second.passes(text))


@pytest.mark.parametrize(
    ("include", "exclude", "excluded"),
    [(False, False, True), (True, False, True), (False, True, False), (True, True, False)],
)
def test_terms_exclude_each_other_where_no_spelling_is_left(include: bool, exclude: bool, excluded: bool) -> None:
    pair = Include(terms=("Cat",), case_sensitive=include), Exclude(terms=("cat",), case_sensitive=exclude)
    assert bool(conflicts(pair)) == excluded


def test_what_is_certain_is_refused_and_what_is_not_is_told() -> None:
    with pytest.raises(InputError, match=r"no text can pass: at least 10 and at most 5 words exclude each other"):
        check_together([WordCount(at_most=5), Register(level="formal"), WordCount(at_least=10)])
    french, german = ({"id": "ifeval/language_response_language", "language": each} for each in ("fr", "de"))
    told = check_together([constraint_from(french), constraint_from(german)])  # "123" is of any language
    assert [each.why for each in told] == ["the languages fr and de exclude each other"]
    by_two = check_together([Register(level="formal"), Register(level="informal", verifier="hf:other")])
    assert [each.certain for each in by_two] == [False]
    assert check_together([WordCount(at_most=5), WordCount(at_least=5)]) == ()
