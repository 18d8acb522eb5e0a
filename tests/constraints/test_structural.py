"""Counts against their bounds: verdicts, scores, spans, hints and bad bounds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints import CharCount, WordCount
from heedful.errors import InputError


def test_too_many_words() -> None:
    verdict = WordCount(at_most=3).check("one two three, four five!")
    assert verdict.outcome == "fail"
    assert (verdict.measured, verdict.expected) == (5, "at most 3 words")
    assert verdict.hint == "5 words, at most 3: cut 2"
    assert verdict.spans == ((15, 24),)  # 'four five'
    assert verdict.score == pytest.approx(3 / 5)


def test_too_few_words() -> None:
    verdict = WordCount(at_least=4).check("one two three")
    assert verdict.hint == "3 words, at least 4: add 1"
    assert verdict.spans == ()
    assert verdict.score == pytest.approx(3 / 4)


def test_a_text_without_a_word_scores_zero() -> None:
    assert WordCount(at_least=1).check("…!").score == 0


@pytest.mark.parametrize(("text", "count"), [("  abc \n", 3), ("a b\nc", 5), ("e\u0301", 2), ("😀", 1)])
def test_characters_are_code_points_of_the_stripped_text(text: str, count: int) -> None:
    assert CharCount(exactly=count).check(text).passed


def test_surplus_characters_are_counted_after_the_leading_space() -> None:
    text = "  abcdef\n"
    ((start, end),) = CharCount(at_most=4).check(text).spans
    assert text[start:end] == "ef"


@pytest.mark.parametrize("constraint", [WordCount(at_most=9), CharCount(at_least=1), CharCount(exactly=3)])
@pytest.mark.parametrize("text", ["", "   ", "\n\t "])
def test_an_empty_text_fails(constraint: WordCount | CharCount, text: str) -> None:
    verdict = constraint.check(text)
    assert (verdict.outcome, verdict.score, verdict.reason) == ("fail", 0.0, "the text is empty")


@given(
    st.text(st.sampled_from("ab é.\n"), max_size=40),
    st.sampled_from([WordCount, CharCount]),
    st.integers(1, 12),
    st.integers(0, 12),
)
def test_between_is_both_and_the_score_is_one_exactly_on_a_pass(
    text: str, cls: type[WordCount] | type[CharCount], low: int, more: int
) -> None:
    between = cls(at_least=low, at_most=low + more).check(text)
    both = cls(at_least=low).check(text).passed and cls(at_most=low + more).check(text).passed
    assert between.passed == both
    assert cls(exactly=low).check(text).passed == cls(at_least=low, at_most=low).check(text).passed
    assert between.passed == (between.score == 1.0)
    assert between.score is not None
    assert 0 <= between.score <= 1


@given(st.integers(1, 30), st.integers(1, 30))
def test_doing_what_the_hint_says_complies(count: int, bound: int) -> None:
    text = " ".join(["word"] * count)
    hint = WordCount(exactly=bound).check(text).hint
    change = 0 if not hint else int(hint.rsplit(" ", 1)[1]) * (1 if ": add " in hint else -1)
    assert count + change == bound


@pytest.mark.parametrize(
    ("constraint", "words"),
    [
        (WordCount(exactly=1), "exactly 1 word"),
        (WordCount(at_most=50), "at most 50 words"),
        (CharCount(at_least=5), "at least 5 characters"),
        (WordCount(at_least=10, at_most=20), "between 10 and 20 words"),
    ],
)
def test_descriptions(constraint: WordCount | CharCount, words: str) -> None:
    assert constraint.describe() == words


@pytest.mark.parametrize(
    ("fields", "cause", "cure"),
    [
        ({}, "no bound is given", "give exactly"),
        ({"at_least": 5, "at_most": 3}, "reversed: at_least=5 is more than at_most=3", "swap them"),
        ({"exactly": 5, "at_most": 9}, "exactly=5 stands beside another bound", "give exactly alone"),
        ({"at_most": 0}, "at_most: input should be greater than or equal to 1 (given 0)", "fields of"),
        ({"at_most": True}, "at_most: input should be a valid integer (given True)", "fields of"),
        ({"at_most": "9"}, "at_most: input should be a valid integer (given '9')", "fields of"),
        ({"at_mots": 9}, "'at_mots' is not a field (did you mean 'at_most'?)", "exactly, at_least, at_most"),
    ],
)
def test_bad_bounds(fields: dict[str, object], cause: str, cure: str) -> None:
    with pytest.raises(InputError) as raised:
        WordCount(**fields)
    assert cause in raised.value.cause
    assert cure in raised.value.cure
