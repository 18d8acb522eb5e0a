"""Revisions: the draft fails, the revision complies, and what was said is kept where it can be."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from heedful.constraints import JsonFormat, Topic, WordCount
from heedful.pico.pool import Pool
from heedful.pico.revisions import HELD_OUT_REQUEST, draw_request, draw_revision, feedback, kept_share
from heedful.prompts.tasks import TASKS


def test_every_draft_fails_and_every_revision_complies(pool: Pool) -> None:
    rng, seen = random.Random(0), Counter[str]()
    for _ in range(900):
        revision = draw_revision(rng, pool)
        if revision is None:
            continue
        (task, broken), *others = revision.wishes
        seen[task] += 1
        assert broken.check(revision.draft).outcome == "fail"
        assert all(wish.check(revision.revised).passed for _, wish in revision.wishes)
        assert all(wish.check(revision.draft).passed for _, wish in others)
    assert set(seen) == set(TASKS)
    assert min(seen.values()) > 20


def test_a_revision_keeps_what_was_said_where_it_can(pool: Pool) -> None:
    """All but a new topic: words of the draft that are left are far more than another text of the pool has."""
    rng = random.Random(1)
    kept: dict[str, list[float]] = {task: [] for task in TASKS}
    anew = []
    for _ in range(900):
        revision = draw_revision(rng, pool)
        if revision is not None:
            kept[revision.wishes[0][0]].append(kept_share(revision.draft, revision.revised))
            anew.append(kept_share(revision.draft, rng.choice(pool.texts).text))
    chance = sum(anew) / len(anew)
    for task in set(TASKS) - {"topic"}:
        assert sum(kept[task]) / len(kept[task]) > 2 * chance, task
    for task in ("word_count", "include", "json", "toxicity"):
        assert sum(kept[task]) / len(kept[task]) > 0.5, task


def test_feedback_is_what_the_verifier_says_is_to_change() -> None:
    draft = "One two three four."
    verdicts = [WordCount(at_most=2).check(draft), WordCount(at_most=9).check(draft), Topic(topic="music").check(draft)]
    assert feedback(verdicts) == "Revise: 4 words, at most 2: cut 2."
    assert feedback([JsonFormat(keys=("a",)).check('{"b": 1}')]) == 'Revise: add the missing key "a".'


def test_the_request_of_the_measurement_is_never_trained_on() -> None:
    rng = random.Random(0)
    assert HELD_OUT_REQUEST not in {draw_request(rng) for _ in range(100)}


def test_share_kept() -> None:
    assert kept_share("The lamp stands by the window.", "A lamp, no window.") == pytest.approx(2 / 3)
    assert kept_share("It is.", "Anything") == 1.0
