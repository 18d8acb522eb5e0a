"""Contrast squares: neither the prompt alone nor the response alone predicts the label, in any fold."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest
import torch

from heedful.constraints import JsonFormat
from heedful.pico.grammar import draw_text, draw_traits
from heedful.probes import bag_of_words, cross_validate, fold_auroc
from heedful.prompts.base import base_prompts
from heedful.prompts.instructions import natural_instructions, pool_instructions
from heedful.prompts.squares import CELLS, PoolResponse, Square, make_squares
from heedful.prompts.tasks import TASKS

BASES = base_prompts()[:40]


@pytest.fixture(scope="module")
def pool() -> list[PoolResponse]:
    rng, responses = Random(0), []
    for asked in pool_instructions(list(TASKS.values()), BASES, 6, seed=0):
        text = draw_text(rng, draw_traits(rng), rng.randint(1, 4))
        if isinstance(asked.constraint, JsonFormat):
            text = json.dumps(dict.fromkeys(asked.constraint.keys, text))
        responses.append(
            PoolResponse(asked.instruction_id, asked.base_id, asked.base, asked.task, asked.constraint, text)
        )
    return responses


@pytest.fixture(scope="module")
def squares(pool: list[PoolResponse]) -> dict[str, list[Square]]:
    return {name: make_squares(task, pool, 60, seed=0) for name, task in TASKS.items()}


@pytest.mark.parametrize("name", TASKS)
def test_a_square_lies_in_one_base_prompt_and_one_paraphrase(squares: dict[str, list[Square]], name: str) -> None:
    assert len(squares[name]) == 60
    for square in squares[name]:
        first, second = square.responses
        assert first.base_id == second.base_id
        assert first.response_id != second.response_id
        assert all(first.base in prompt for prompt in square.prompts)
        wordings = [TASKS[name].wording(constraint) for constraint in square.constraints]
        clauses = [square.template.clause(wording.form, **wording.slots) for wording in wordings]
        assert all(clause in prompt for clause, prompt in zip(clauses, square.prompts, strict=True))


@pytest.mark.parametrize("name", TASKS)
def test_responses_were_generated_under_neither_instruction(squares: dict[str, list[Square]], name: str) -> None:
    for square in squares[name]:
        assert not {response.constraint for response in square.responses} & set(square.constraints)


def test_a_response_stands_in_one_square_of_a_task_only(squares: dict[str, list[Square]]) -> None:
    for made in squares.values():
        used = Counter(response.response_id for square in made for response in square.responses)
        assert set(used.values()) == {1}


def test_bare_responses_are_enough_for_all_tasks_but_json(squares: dict[str, list[Square]]) -> None:
    for name in ("word_count", "char_count", "include", "exclude"):
        assert not any(response.elicited_by for square in squares[name] for response in square.responses)
    # A text whose topic the verifier does not see leaves a base prompt one pair short.
    elicited = [bool(response.elicited_by) for square in squares["topic"] for response in square.responses]
    assert sum(elicited) < 0.15 * len(elicited)
    assert all(response.elicited_by == "json" for square in squares["json"] for response in square.responses)


@pytest.mark.parametrize("side", ["prompt", "response"])
@pytest.mark.parametrize("name", TASKS)
def test_one_side_alone_says_nothing_in_any_fold(squares: dict[str, list[Square]], name: str, side: str) -> None:
    texts, labels, groups = [], [], []
    for square in squares[name]:
        for cell in CELLS:
            i, r = int(cell[1]) - 1, int(cell[3]) - 1
            texts.append(square.prompts[i] if side == "prompt" else square.responses[r].text)
            labels.append(int(i == r))
            groups.append(square.responses[0].base_id)
    y = torch.tensor(labels)
    found = cross_validate(bag_of_words(texts).features, y, groups, n_folds=5, C=0.1)
    # Each text stands once in each class of its fold, so that any score of it wins as often as it loses: exactly 0.5.
    # Equal rows may be rounded differently by where threads divide a matrix product; that is no difference.
    by_fold = fold_auroc(found.task.scores[0].round(decimals=4), y, found.fold)
    torch.testing.assert_close(by_fold, torch.full_like(by_fold, 0.5), atol=1e-6, rtol=0)


def test_both_sides_together_do_say_something(squares: dict[str, list[Square]]) -> None:
    """The check above can fail: the same texts with their relation spelt out are told apart."""
    texts, labels, groups = [], [], []
    for square in squares["sentiment"]:
        for cell in CELLS:
            i, r = int(cell[1]) - 1, int(cell[3]) - 1
            texts.append(f"relation {'kept' if i == r else 'broken'}")
            labels.append(int(i == r))
            groups.append(square.responses[0].base_id)
    y = torch.tensor(labels)
    found = cross_validate(bag_of_words(texts).features, y, groups, n_folds=5, C=0.1)
    assert fold_auroc(found.task.scores[0], y, found.fold).min() == 1.0


def test_natural_instructions_spread_evenly_over_base_prompts_and_hold_paraphrases_out() -> None:
    asked = natural_instructions(list(TASKS.values()), BASES, 80, seed=3)
    for name in TASKS:
        mine = [instruction for instruction in asked if instruction.task == name]
        assert set(Counter(instruction.base_id for instruction in mine).values()) == {2}
        held_out = sum(instruction.held_out for instruction in mine) / len(mine)
        assert 0.05 < held_out < 0.4
    assert len({instruction.instruction_id for instruction in asked}) == len(asked)


def test_a_seed_gives_the_same_instructions_and_squares_again(pool: list[PoolResponse]) -> None:
    tasks = list(TASKS.values())
    assert natural_instructions(tasks, BASES, 20, 5) == natural_instructions(tasks, BASES, 20, 5)
    assert natural_instructions(tasks, BASES, 20, 5) != natural_instructions(tasks, BASES, 20, 6)
    assert make_squares(TASKS["topic"], pool, 20, 5) == make_squares(TASKS["topic"], pool, 20, 5)
