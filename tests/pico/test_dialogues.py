"""Dialogues: what a check turn says is what the verifiers say, and no violating text is learnt."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from heedful.pico.dialogues import CHECK, as_json, check_name, constraint_about, draw_dialogue, json_constraint
from heedful.pico.pool import PoolText, draw_pool
from heedful.prompts.base import base_prompts
from heedful.prompts.tasks import TASKS

PLAIN = [name for name in TASKS if name != "json"]


@pytest.fixture(scope="module")
def pool() -> tuple[PoolText, ...]:
    return draw_pool(7, 150).texts


@pytest.mark.parametrize("truth", [True, False])
@pytest.mark.parametrize("name", PLAIN)
def test_a_constraint_about_a_text_is_what_the_verifier_says(
    pool: tuple[PoolText, ...], name: str, truth: bool
) -> None:
    rng, made = random.Random(0), 0
    for text in pool:
        constraint = constraint_about(rng, name, text, rng.choice(pool), truth)
        if constraint is not None:
            made += 1
            assert constraint.check(text.text).passed == truth, (text.text, constraint)
    assert made > 100


@pytest.mark.parametrize("truth", [True, False])
def test_a_json_constraint_is_what_the_verifier_says(pool: tuple[PoolText, ...], truth: bool) -> None:
    rng = random.Random(0)
    for text in pool:
        response, keys = as_json(rng, text)
        assert json_constraint(rng, keys, truth).check(response).passed == truth


def test_only_complying_responses_are_learnt_and_checks_weigh_more(pool: tuple[PoolText, ...]) -> None:
    rng, seen = random.Random(1), Counter[bool]()
    for _ in range(300):
        turns = draw_dialogue(rng, pool, check_weight=5.0)
        assert [turn.role for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
        assert all(turn.weight == 0 for turn in turns if turn.role == "user")
        response, checks = turns[1], list(zip(turns[2::2], turns[3::2], strict=True))
        assert all(answer.weight == 5.0 for _, answer in checks)
        implicit = [answer.content for question, answer in checks if question.content == CHECK]
        complies = not implicit or all(part.endswith(" yes") for part in implicit[0].split(", "))
        assert response.weight == (1.0 if complies else 0.0)
        seen[complies] += 1
    assert min(seen.values()) > 60


def test_every_task_is_asked_for_and_checked_both_ways(pool: tuple[PoolText, ...]) -> None:
    rng, answers = random.Random(2), Counter[str]()
    for _ in range(1500):
        for turn in draw_dialogue(rng, pool, 1.0)[3::2]:
            answers.update(turn.content.split(", "))
    for name in TASKS:
        yes, no = answers[f"{check_name(name)} yes"], answers[f"{check_name(name)} no"]
        assert 0.2 < yes / (yes + no) < 0.8, (name, yes, no)


def test_no_held_out_paraphrase_and_no_base_prompt_of_a_study_is_shown(pool: tuple[PoolText, ...]) -> None:
    rng = random.Random(3)
    prompts = [draw_dialogue(rng, pool, 1.0)[0].content for _ in range(600)]
    studied = [prompt.text for prompt in base_prompts()]
    held_out = [
        clause.split("{")[0].strip()
        for task in TASKS.values()
        for template in task.templates
        if template.held_out
        for clause in template.forms.values()
    ]
    for prompt in prompts:
        assert not any(text in prompt for text in studied)
    for opening in (clause for clause in held_out if len(clause) > 12):
        assert not any(opening in prompt for prompt in prompts), opening
