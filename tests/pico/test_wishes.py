"""Wishes: a constraint about a text is what the verifier says, and neither of the two alone gives the answer away."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from heedful.constraints import Exclude, WordCount
from heedful.pico.pool import Pool
from heedful.pico.wishes import PLAIN_TASKS, as_json, constraint_about, constraint_and_text, json_constraint, text_for


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("name", PLAIN_TASKS)
def test_a_constraint_about_a_text_is_what_the_verifier_says(pool: Pool, name: str, truth: bool) -> None:
    rng, made = random.Random(0), 0
    for text in pool.texts[:150]:
        constraint = constraint_about(rng, pool, name, text, truth)
        if constraint is not None:
            made += 1
            assert constraint.check(text.text).passed == truth, (text.text, constraint)
    assert made > 100


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("name", PLAIN_TASKS)
def test_a_text_for_a_constraint_is_what_the_verifier_says(pool: Pool, name: str, truth: bool) -> None:
    rng = random.Random(1)
    found = [constraint_and_text(rng, pool, name, truth) for _ in range(120)]
    made = [pair for pair in found if pair is not None]
    assert len(made) > 60
    for constraint, text in made:
        assert constraint.check(text.text).passed == truth, (text.text, constraint)
        for other_truth in (True, False):
            other = text_for(rng, pool, constraint, other_truth)
            assert other is None or constraint.check(other.text).passed == other_truth, (other.text, constraint)


@pytest.mark.parametrize("truth", [True, False])
def test_a_json_constraint_is_what_the_verifier_says(pool: Pool, truth: bool) -> None:
    rng = random.Random(0)
    for text in pool.texts[:150]:
        response, keys = as_json(rng, text)
        assert json_constraint(rng, keys, truth).check(response).passed == truth


def test_a_plain_text_breaks_every_wish_for_json(pool: Pool) -> None:
    rng = random.Random(0)
    for text in pool.texts[:50]:
        assert not json_constraint(rng, (), truth=False).check(text.text).passed


def test_a_forbidden_word_does_not_tell_whether_it_was_used(pool: Pool) -> None:
    rng, asked = random.Random(2), {True: Counter[str](), False: Counter[str]()}
    for truth in (True, False) * 1200:
        found = constraint_and_text(rng, pool, "exclude", truth)
        if found is not None and isinstance(found[0], Exclude):
            asked[truth].update(found[0].terms)
    for word in ("the", "and", "we"):
        kept, broken = asked[True][word], asked[False][word]
        assert kept > 5
        assert broken > 5


def test_a_broken_bound_is_missed_clearly(pool: Pool) -> None:
    rng = random.Random(3)
    for _ in range(200):
        text = rng.choice(pool.texts)
        constraint = constraint_about(rng, pool, "word_count", text, truth=False)
        assert isinstance(constraint, WordCount)
        bounds = [n for n in (constraint.exactly, constraint.at_least, constraint.at_most) if n is not None]
        assert min(abs(text.words - n) for n in bounds) >= 0.1 * min(text.words, *bounds)


def test_json_is_no_wish_about_a_plain_text(pool: Pool) -> None:
    with pytest.raises(ValueError, match="no constraint about a plain text for task 'json'"):
        constraint_about(random.Random(0), pool, "json", pool.texts[0], truth=True)
