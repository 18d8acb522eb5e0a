"""Instructions to compare policies by: one to three constraints of the nine tasks, deterministic by seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from heedful.constraints import Constraint, Exclude, Include
from heedful.pico.phrasing import instruction_text
from heedful.prompts.base import base_prompts
from heedful.prompts.tasks import TASKS

LABELS = ("topic", "sentiment", "register", "toxicity")
"""Tasks that are judgements."""


class Instruction(NamedTuple):
    """What a model is asked, and the constraints in it by task."""

    prompt: str
    base_id: int
    wishes: tuple[tuple[str, Constraint], ...]
    seed: int

    @property
    def constraints(self) -> list[Constraint]:
        """Without their tasks."""
        return [constraint for _, constraint in self.wishes]


def instructions(n: int, constraints: Sequence[int], seed: int) -> list[Instruction]:
    """n instructions of so many constraints in turn, over all base prompts in turn, half of them in held-out paraphrases.

    Words and characters are not counted in one instruction, and JSON goes with judgements of its text only: what is asked
    together, some text can keep.
    """
    bases, drawn = list(base_prompts()), []
    random.Random(f"{seed}/bases").shuffle(bases)
    for i in range(n):
        rng, base = random.Random(f"{seed}/{i}"), bases[i % len(bases)]
        wishes = _wishes(rng, constraints[i % len(constraints)])
        text = instruction_text(rng, wishes, base.text, held_out=i % 2 == 1)
        drawn.append(Instruction(text, base.base_id, tuple(wishes), rng.getrandbits(31)))
    return drawn


def _wishes(rng: random.Random, count: int) -> list[tuple[str, Constraint]]:
    if rng.random() < count / 9:  # as often as any other task
        tasks = ["json", *rng.sample(LABELS, count - 1)]
    else:
        counted = rng.choice(("word_count", "char_count"))
        tasks = rng.sample([counted, "include", "exclude", *LABELS], count)
    wishes = [(task, TASKS[task].draw(rng)) for task in tasks]
    terms = [constraint.terms for _, constraint in wishes if isinstance(constraint, Include | Exclude)]
    return _wishes(rng, count) if len(terms) > len(set(terms)) else wishes
