"""Contrast squares: two instructions and two responses such that only their relation tells compliance.

Inside one base prompt and one paraphrase, response R1 satisfies only instruction I1 and R2 only I2. Of the four cells
(I1, R1) and (I2, R2) comply and (I1, R2) and (I2, R1) do not, so each instruction and each response stands once in each
class: neither alone predicts the label. R1 and R2 were generated under neither I1 nor I2, so that the label is not
whether the model itself gave that response to that instruction. Knows no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from random import Random
from typing import NamedTuple

from heedful.constraints import Constraint
from heedful.prompts.instructions import draw_template
from heedful.prompts.tasks import Task
from heedful.prompts.templates import Template

CELLS = ("I1R1", "I1R2", "I2R1", "I2R2")
"""The four cells of a square, in row order; the first and the last comply."""


class PoolResponse(NamedTuple):
    """A response that may stand in a square.

    Attributes:
        response_id: names the response in its table.
        base_id: the base prompt that it answers.
        base: that base prompt's text.
        elicited_by: the task whose third value it was generated under; '' for the bare base prompt.
        constraint: the constraint that it was generated under, if any.
        text: what the model wrote.
    """

    response_id: str
    base_id: int
    base: str
    elicited_by: str
    constraint: Constraint | None
    text: str


class Square(NamedTuple):
    """Two constraints, phrased by one paraphrase, and two responses that tell them apart."""

    square_id: str
    task: str
    template: Template
    constraints: tuple[Constraint, Constraint]
    prompts: tuple[str, str]
    responses: tuple[PoolResponse, PoolResponse]


def make_squares(
    task: Task, pool: Sequence[PoolResponse], wanted: int, seed: int, held_out_share: float = 0.2
) -> list[Square]:
    """Up to `wanted` squares of a task, spread evenly over the base prompts; fewer where the responses do not differ.

    Responses to the bare base prompt are tried before elicited ones, and a response stands in one square of a task only.
    """
    by_base: dict[int, list[PoolResponse]] = {}
    for response in pool:
        if response.elicited_by in ("", task.name) and response.text.strip():
            by_base.setdefault(response.base_id, []).append(response)
    candidates = {
        base_id: iter(_disjoint_pairs(task, responses, Random(f"{seed}/squares/{task.name}/{base_id}")))
        for base_id, responses in sorted(by_base.items())
    }
    squares: list[Square] = []
    while candidates and len(squares) < wanted:
        for base_id in list(candidates):
            found = next(candidates[base_id], None)
            if found is None:
                del candidates[base_id]
                continue
            responses, constraints = found
            number = len(squares)
            template = draw_template(Random(f"{seed}/template/{task.name}/{number}"), task, held_out_share)
            prompts = [task.phrase(constraint, template, responses[0].base) for constraint in constraints]
            squares.append(
                Square(
                    f"{task.name}-{number:05d}", task.name, template, constraints, (prompts[0], prompts[1]), responses
                )
            )
            if len(squares) == wanted:
                break
    return squares


def _disjoint_pairs(
    task: Task, responses: Sequence[PoolResponse], rng: Random
) -> list[tuple[tuple[PoolResponse, PoolResponse], tuple[Constraint, Constraint]]]:
    """Pairs of responses that some two constraints tell apart, no response used twice, bare ones first."""
    pairs = list(combinations(rng.sample(list(responses), len(responses)), 2))
    pairs.sort(key=lambda pair: bool(pair[0].elicited_by) + bool(pair[1].elicited_by))
    used: set[str] = set()
    found = []
    for first, second in pairs:
        if first.response_id in used or second.response_id in used:
            continue
        under = [one.constraint for one in (first, second) if one.constraint is not None]
        pair = task.pair(rng, first.text, second.text, under=under)
        if pair is None:
            continue
        used |= {first.response_id, second.response_id}
        found.append(((first, second), (pair.first, pair.second)))
    return found
