"""What an embedded model can do, measured: `python -m heedful.pico.evaluate DIR` prints the table of its card.

On base prompts that training never saw, half of them in held-out paraphrases: pass rate of each task, sampled at
temperature 1 and greedy, and the balanced accuracy of its checks ('does this response comply?'). Verified by the project's
own verifiers; intervals by the cluster jackknife over base prompts.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from heedful.constraints import Constraint
from heedful.models import LanguageModel, load
from heedful.pico.dialogues import CHECK, as_json, check_name, constraint_about, json_constraint
from heedful.pico.pool import PoolText, draw_pool
from heedful.probes import jackknife_mean
from heedful.prompts.base import base_prompts
from heedful.prompts.instructions import Instruction, natural_instructions
from heedful.prompts.tasks import TASKS, Task

_LONGEST = 160


class Rate(NamedTuple):
    """A share with its 95 % interval, and the number of cases."""

    share: float
    low: float
    high: float
    n: int


class TaskScore(NamedTuple):
    """One task's row of the table."""

    sampled: Rate
    greedy: Rate
    check: float
    """Balanced accuracy of the check of a one-constraint instruction."""


def evaluate(model: LanguageModel, per_task: int = 240, seed: int = 1) -> dict[str, TaskScore]:
    """Measure every task. Seeds differ from the recipe's, base prompts are those of studies, never trained on."""
    pool = draw_pool(10_000 + seed, 4 * per_task).texts
    asked = natural_instructions(list(TASKS.values()), base_prompts(), per_task, 10_000 + seed, held_out_share=0.5)
    sampled, greedy = (pass_rates(model, asked, temperature) for temperature in (1.0, 0.0))
    return {
        name: TaskScore(sampled[name], greedy[name], check_accuracy(model, task, pool, per_task, seed))
        for name, task in TASKS.items()
    }


def pass_rates(model: LanguageModel, asked: Sequence[Instruction], temperature: float) -> dict[str, Rate]:
    """Share of responses that comply, by task. A response that could not be scored does not comply."""
    prompts = [model.encode(instruction.prompt) for instruction in asked]
    answers = model.generate(prompts, range(len(asked)), temperature=temperature, max_new_tokens=_LONGEST)
    passed: dict[str, list[tuple[bool, int]]] = {}
    for instruction, answer in zip(asked, answers, strict=True):
        assert instruction.constraint is not None
        complies = answer.finish_reason == "stop" and instruction.constraint.check(answer.text).passed
        passed.setdefault(instruction.task, []).append((complies, instruction.base_id))
    return {task: _rate(outcomes) for task, outcomes in passed.items()}


def _rate(outcomes: Sequence[tuple[bool, int]]) -> Rate:
    values = torch.tensor([float(passed) for passed, _ in outcomes])
    interval = jackknife_mean(values, torch.tensor([group for _, group in outcomes])).interval(scale="logit")
    return Rate(float(interval.estimate), float(interval.low), float(interval.high), len(outcomes))


def check_accuracy(model: LanguageModel, task: Task, pool: Sequence[PoolText], n: int, seed: int) -> float:
    """Balanced accuracy of 'Check.' after an instruction with one constraint and a response of the grammar's."""
    rng = random.Random(f"{seed}/{task.name}")
    prompts, truths = [], []
    for i in range(n):
        truth, text, other = i % 2 == 0, rng.choice(pool), rng.choice(pool)
        response = text.text
        constraint: Constraint | None
        if task.name == "json":
            response, keys = as_json(rng, text)
            constraint = json_constraint(rng, keys, truth)
        else:
            constraint = constraint_about(rng, task.name, text, other, truth)
        if constraint is None:
            continue
        template = rng.choice([t for t in task.templates if t.held_out == (i % 4 < 2)])
        instruction = task.phrase(constraint, template, rng.choice(base_prompts()).text)
        messages = [
            {"role": "user", "content": instruction},
            {"role": "assistant", "content": response},
            {"role": "user", "content": CHECK},
        ]
        prompts.append(model.encode(messages))
        truths.append(truth)
    answers = model.generate(prompts, [0] * len(prompts), temperature=0.0, max_new_tokens=8)
    right: Mapping[bool, list[bool]] = {True: [], False: []}
    for truth, answer in zip(truths, answers, strict=True):
        right[truth].append(answer.text.strip() == f"{check_name(task.name)} {'yes' if truth else 'no'}")
    return sum(sum(found) / len(found) for found in right.values()) / 2


def table(scores: Mapping[str, TaskScore]) -> str:
    """The scores as a Markdown table."""
    lines = ["| task | sampled at temperature 1 | greedy | check |", "|---|---|---|---|"]
    for name, score in scores.items():
        sampled, greedy = (f"{r.share:.2f} [{r.low:.2f}, {r.high:.2f}]" for r in (score.sampled, score.greedy))
        lines.append(f"| {name} | {sampled} | {greedy} | {score.check:.2f} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="a folder, or an embedded model's name")
    parser.add_argument("--per-task", type=int, default=240, help="instructions a task")
    parser.add_argument("--json", type=Path, help="write the scores there, for the model's card")
    arguments = parser.parse_args()
    scores = evaluate(load(arguments.model), arguments.per_task)
    print(table(scores))
    if arguments.json:
        arguments.json.write_text(json.dumps(dict(scores), default=list))


if __name__ == "__main__":
    main()
