"""Instructions: a base prompt with one constraint, in one paraphrase, ready to be put to a model.

Two kinds. *Natural* instructions are the study's questions: each task crossed with the base prompts. *Pool* instructions
give the responses from which contrast squares are made: the bare base prompt, and where a task asks for it the base prompt
with a third value of the constraint. Knows no model; randomness comes in as a seed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Literal

from heedful.constraints import Constraint
from heedful.prompts.base import BasePrompt
from heedful.prompts.tasks import Task
from heedful.prompts.templates import Template

Kind = Literal["natural", "pool"]


@dataclass(frozen=True)
class Instruction:
    """What a model is asked, and what its response will be verified against.

    Attributes:
        instruction_id: unique in a study; also the seed of the response's sampling.
        kind: 'natural', or 'pool' for responses from which contrast squares are made.
        task: name of the task; of the task that elicited it for the pool, '' for the bare base prompt.
        base_id: the split group.
        base: the base prompt's text.
        template_id: the paraphrase; '' for none.
        held_out: the paraphrase is never trained on.
        constraint: what is asked; None for the bare base prompt.
        prompt: the user's message.
    """

    instruction_id: str
    kind: Kind
    task: str
    base_id: int
    base: str
    template_id: str
    held_out: bool
    constraint: Constraint | None
    prompt: str


def draw_template(rng: Random, task: Task, held_out_share: float) -> Template:
    """A paraphrase of a task, a held-out one with this probability."""
    held_out = rng.random() < held_out_share
    return rng.choice([template for template in task.templates if template.held_out == held_out])


def natural_instructions(
    tasks: Sequence[Task], bases: Sequence[BasePrompt], per_task: int, seed: int, held_out_share: float = 0.2
) -> list[Instruction]:
    """`per_task` instructions of each task, spread evenly over the base prompts."""
    return [
        _asked("natural", task, base, Random(f"{seed}/natural/{task.name}/{i}"), f"{task.name}-{i:05d}", held_out_share)
        for task in tasks
        for i, base in enumerate(_spread(bases, per_task, Random(f"{seed}/natural/{task.name}")))
    ]


def pool_instructions(
    tasks: Sequence[Task], bases: Sequence[BasePrompt], per_base: int, seed: int
) -> list[Instruction]:
    """For each base prompt `per_base` bare instructions, and as many for each task that elicits its responses."""
    bare = [
        Instruction(f"bare-{base.base_id:04d}-{i:02d}", "pool", "", base.base_id, base.text, "", False, None, base.text)
        for base in bases
        for i in range(per_base)
    ]
    elicited = [
        _asked("pool", task, base, rng, f"{task.name}-pool-{base.base_id:04d}-{i:02d}", 0.0, task.elicit(rng))
        for task in tasks
        if task.elicit is not None
        for base in bases
        for i in range(per_base)
        for rng in [Random(f"{seed}/pool/{task.name}/{base.base_id}/{i}")]
    ]
    return bare + elicited


def _asked(
    kind: Kind,
    task: Task,
    base: BasePrompt,
    rng: Random,
    instruction_id: str,
    held_out_share: float,
    constraint: Constraint | None = None,
) -> Instruction:
    constraint = task.draw(rng) if constraint is None else constraint
    template = draw_template(rng, task, held_out_share)
    prompt = task.phrase(constraint, template, base.text)
    return Instruction(
        instruction_id,
        kind,
        task.name,
        base.base_id,
        base.text,
        template.template_id,
        template.held_out,
        constraint,
        prompt,
    )


def _spread(bases: Sequence[BasePrompt], n: int, rng: Random) -> list[BasePrompt]:
    """n base prompts, each used as often as any other, in an order of their own for each task."""
    order: list[BasePrompt] = []
    while len(order) < n:
        order += rng.sample(list(bases), len(bases))
    return order[:n]


def constraint_json(constraint: Constraint | None) -> str:
    """A constraint as a table keeps it; '' for none."""
    return "" if constraint is None else json.dumps(constraint.to_dict(), sort_keys=True, ensure_ascii=False)
