"""Terms included and excluded: verdicts, scores, spans, hints and bad terms."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints import Exclude, Include
from heedful.errors import InputError


def test_include() -> None:
    text = "The harbour, the Harbour-master and the harbours."
    verdict = Include(terms=("harbour", "boat"), at_least=2).check(text)
    assert verdict.outcome == "fail"
    assert verdict.measured == {"harbour": 2, "boat": 0}
    assert [text[start:end] for start, end in verdict.spans] == ["harbour", "Harbour"]
    assert verdict.score == pytest.approx(0.5)
    assert verdict.hint == "use “boat” twice"
    assert verdict.expected == "use “harbour”, “boat” at least twice each"
    assert Include(terms=("harbour",), at_least=3).check(text).hint == "use “harbour” once more"


def test_exclude() -> None:
    verdict = Exclude(terms=("very", "new york"), at_most=1).check("Very very nice, very New York.")
    assert verdict.outcome == "fail"
    assert verdict.measured == {"very": 3, "new york": 1}
    assert verdict.score == pytest.approx(1 / 3)
    assert verdict.hint == "take out “very” twice"


def test_case() -> None:
    assert Include(terms=("polish",)).check("Polish it").passed
    assert not Include(terms=("polish",), case_sensitive=True).check("Polish it").passed


def test_one_term_may_be_a_string() -> None:
    assert Include(terms="harbour") == Include(terms=("harbour",))


@pytest.mark.parametrize("terms", ["very, really", "very,really"])
def test_a_string_with_a_comma_may_be_one_term_or_several(terms: str) -> None:
    with pytest.raises(InputError) as raised:
        Exclude(terms=terms)
    assert "has a comma" in raised.value.cause
    assert f"terms: [very, really] for several, terms: [{terms!r}] for one" in raised.value.cure
    assert Exclude(terms=[terms]).terms == (terms,)


@given(st.lists(st.sampled_from(["red", "blue", "green", "-", "Red"]), min_size=1).map(" ".join), st.integers(1, 3))
def test_inclusion_and_exclusion_are_complements(text: str, k: int) -> None:
    included, excluded = Include(terms="red", at_least=k).check(text), Exclude(terms="red", at_most=k - 1).check(text)
    assert included.passed != excluded.passed
    for verdict in (included, excluded):
        assert verdict.passed == (verdict.score == 1.0)
        assert bool(verdict.hint) != verdict.passed


def test_an_empty_text_excludes_nothing() -> None:
    assert Exclude(terms="red").check(" ").outcome == "fail"


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"terms": ()}, "no terms are given"),
        ({"terms": ("",)}, "the term '' is empty"),
        ({"terms": ("a", "  ")}, "the term '  ' is empty"),
        ({"terms": ("\u00ad",)}, "is empty"),
        ({"terms": ("Dog", "dog")}, "the terms 'Dog' and 'dog' are the same"),
        ({"terms": ("dog",), "at_least": 0}, "greater than or equal to 1 (given 0)"),
        ({"terms": (3,)}, "terms.0: input should be a valid string (given 3)"),
        ({}, "'terms' is missing"),
    ],
)
def test_bad_terms(fields: dict[str, object], cause: str) -> None:
    with pytest.raises(InputError) as raised:
        Include(**fields)
    assert cause in raised.value.cause
    assert raised.value.cure
