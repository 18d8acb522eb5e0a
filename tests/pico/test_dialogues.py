"""Dialogues: what a check turn says is what the verifiers say, and no violating text is learnt."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from heedful.constraints import Exclude, Include, Register, WordCount
from heedful.pico.checks import CHECK, Wish, check_answer, check_name, found_in, says
from heedful.pico.dialogues import Mixture, draw_dialogue, draw_text_only
from heedful.pico.phrasing import instruction_text
from heedful.pico.pool import Pool
from heedful.pico.wishes import PLAIN_TASKS, constraint_about
from heedful.prompts.base import base_prompts
from heedful.prompts.tasks import TASKS

MIXTURE = Mixture(
    revisions=0.2,
    follow=0.5,
    json=0.15,
    ends=0.5,
    constraints=(1, 3, 2, 1),
    stated=3,
    check_weight=5.0,
    outcome_weight=10.0,
)


def test_only_complying_responses_are_learnt_and_checks_weigh_more(pool: Pool) -> None:
    rng, seen = random.Random(1), Counter[bool]()
    for _ in range(400):
        turns = draw_dialogue(rng, pool, MIXTURE)
        assert [turn.role for turn in turns] == ["user", "assistant"] * (len(turns) // 2)
        first = dict(zip((turn.content for turn in turns[2::2]), turns[3::2], strict=True)).get(CHECK)
        if first is not None:
            complies = all(part.endswith(" yes") for part in first.content.split("; "))
            assert turns[1].weight == float(complies)
            assert first.weight == 5.0
            seen[complies] += 1
        # A failing answer is never the end of a conversation, and never learnt.
        if turns[1].weight == 0.0:
            assert len(turns) > 2
    assert min(seen.values()) > 60


def test_a_check_says_what_was_found_and_whether_it_complies() -> None:
    wishes = [
        Wish("word_count", WordCount(at_most=4), True, ""),
        Wish("register", Register(level="formal"), False, "informal"),
    ]
    assert check_answer(wishes) == "word count: yes; register: informal, no"
    assert says("register: informal, no", "register") is False
    assert says("word count: yes", "word_count") is True
    for other in ("register: informal", "topic: yes", "register: informal, no; topic: art, yes", ""):
        assert says(other, "register") is None


@pytest.mark.parametrize("task", PLAIN_TASKS)
def test_what_a_check_finds_is_what_the_verifier_finds(pool: Pool, task: str) -> None:
    rng = random.Random(8)
    for text in pool.texts[:80]:
        kept = rng.random() < 0.5
        constraint = constraint_about(rng, pool, task, text, kept)
        if constraint is None:
            continue
        found, measured = found_in(constraint, kept, text.traits), constraint.check(text.text).measured
        if isinstance(constraint, Include | Exclude):
            assert (found != "none") == (constraint.terms[0] in text.vocabulary)
        else:
            assert found == ("" if task.endswith("count") else measured)


def test_a_revision_ends_its_conversation_and_complies(pool: Pool) -> None:
    rng, found = random.Random(4), 0
    for _ in range(400):
        turns = draw_dialogue(rng, pool, MIXTURE)
        asked = [i for i, turn in enumerate(turns) if turn.role == "user" and turn.weight]
        if asked:
            found += 1
            assert asked == [len(turns) - 2]
            assert turns[1].weight == 0.0
            assert turns[-1].weight == 1.0
            assert turns[-1].content != turns[1].content
    assert 40 < found < 120


def test_every_task_is_asked_for_and_checked_both_ways(pool: Pool) -> None:
    rng, answers = random.Random(2), Counter[tuple[str, str]]()
    for _ in range(2500):
        for turn in draw_dialogue(rng, pool, MIXTURE):
            if turn.weight == 5.0:
                answers.update((part.split(":")[0], part.split()[-1]) for part in turn.content.split("; "))
    for name in TASKS:
        yes, no = answers[check_name(name), "yes"], answers[check_name(name), "no"]
        assert yes + no > 150, name
        assert 0.3 < yes / (yes + no) < 0.7, (name, yes, no)


def test_the_end_of_a_conversation_tells_whether_its_answer_complies(pool: Pool) -> None:
    rng = random.Random(5)
    learnt, complied_and_went_on = Counter[bool](), 0
    for _ in range(600):
        turns = draw_dialogue(rng, pool, MIXTURE)
        complies, over = turns[1].weight == 1.0, len(turns) == 2
        if turns[1].outcome:
            assert complies == over
            learnt[over] += 1
        complied_and_went_on += complies and not over
    assert min(learnt.values()) > 100
    assert complied_and_went_on > 100


def test_another_answer_is_asked_for_until_one_complies(pool: Pool) -> None:
    rng, answers = random.Random(7), Counter[int]()
    mixture = MIXTURE._replace(follow=0.0, revisions=0.0, json=0.0, constraints=(0, 1), again=1.0)
    for _ in range(200):
        turns = draw_dialogue(rng, pool, mixture)
        given = [turn for turn in turns if turn.role == "assistant"]
        if len(given) > 1 and given[0].weight == 0.0:
            answers[len(given)] += 1
            assert all(turn.outcome == 10.0 for turn in given)
            assert [turn.weight for turn in given[:-1]] == [0.0] * (len(given) - 1)
            # The conversation ends with an answer that complies, or by asking once more.
            assert (turns[-1] is given[-1]) == (given[-1].weight == 1.0)
    assert set(answers) == {2, 3, 4, 5}


def test_no_held_out_paraphrase_and_no_base_prompt_of_a_study_is_shown(pool: Pool) -> None:
    rng = random.Random(3)
    said = " \n".join(
        turn.content for _ in range(800) for turn in draw_dialogue(rng, pool, MIXTURE) if turn.role == "user"
    )
    assert not [prompt.text for prompt in base_prompts() if prompt.text in said]
    openings = [
        clause.split("{")[0].strip()
        for task in TASKS.values()
        for template in task.templates
        if template.held_out
        for clause in template.forms.values()
    ]
    assert not [opening for opening in openings if len(opening) > 12 and opening in said]


def test_an_instruction_has_its_constraints_and_at_most_one_clause_ahead() -> None:
    rng = random.Random(6)
    for _ in range(200):
        tasks = rng.sample(list(TASKS), 3)
        wishes = [(task, TASKS[task].draw(rng)) for task in tasks]
        asked = instruction_text(rng, wishes, "Write a note.", held_out=rng.random() < 0.5)
        ahead, _, behind = asked.partition("Write a note.")
        assert ahead.count(":") <= 1
        assert behind or ahead


def test_the_control_sees_texts_alone(pool: Pool) -> None:
    rng = random.Random(7)
    for _ in range(50):
        [turn] = draw_text_only(rng, pool, MIXTURE)
        assert (turn.role, turn.weight, turn.outcome) == ("assistant", 1.0, 0.0)
