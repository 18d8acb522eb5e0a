"""What an embedded model can do: the measurements that training logs on its way and `benchmarks/pico.py` prints.

On base prompts that training never saw, half of them in held-out paraphrases: pass rate of each task, sampled at
temperature 1 and greedy; accuracy of its checks ('does this response comply?'); share of its own failed drafts that comply
after one revision with the verifier's feedback, beside the share that complies when the answer is drawn anew by the same
decoding. Verified by the project's own verifiers; intervals by the cluster jackknife over base prompts.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch

from heedful.constraints import Constraint
from heedful.models import Generation, LanguageModel
from heedful.pico.checks import CHECK, says
from heedful.pico.phrasing import instruction_text
from heedful.pico.pool import Pool
from heedful.pico.revisions import HELD_OUT_REQUEST, feedback, kept_share
from heedful.pico.wishes import as_json, constraint_and_text, json_constraint
from heedful.probes import jackknife_mean
from heedful.prompts.base import base_prompts
from heedful.prompts.instructions import Instruction, natural_instructions
from heedful.prompts.tasks import TASKS, Task

_LONGEST = 160
_SEED = 10_000


class Rate(NamedTuple):
    """A share with its 95 % interval, and the number of cases; what fewer than two base prompts cannot tell is NaN."""

    share: float
    low: float
    high: float
    n: int

    def __float__(self) -> float:
        return self.share


class TaskScore(NamedTuple):
    """One task's row of the table.

    Attributes:
        sampled, greedy: share of answers that comply, at temperature 1 and greedy.
        check: balanced accuracy of the check of a one-constraint instruction.
    """

    sampled: Rate
    greedy: Rate
    check: Rate


class Revision(NamedTuple):
    """What becomes of sampled answers that fail, by one decoding of revisions and new answers alike.

    Attributes:
        revised: share that complies after one revision with feedback.
        drawn_anew: share that complies when the instruction is answered once more instead: what feedback must beat.
        gain: the first less the second, paired.
        kept: mean share of the draft's words of four letters or more that the revision keeps.
        kept_anew: the same of the answer drawn anew.
    """

    revised: Rate
    drawn_anew: Rate
    gain: Rate
    kept: float
    kept_anew: float


class Revisions(NamedTuple):
    """The same failed drafts by either decoding: a greedy revision beside a sampled answer would measure the decoding."""

    greedy: Revision
    sampled: Revision

    def to_dict(self) -> dict[str, dict[str, Rate | float]]:
        """By decoding, for JSON."""
        return {decoding: revision._asdict() for decoding, revision in self._asdict().items()}


def evaluate(model: LanguageModel, pool: Pool, per_task: int = 240) -> tuple[dict[str, TaskScore], Revisions]:
    """Measure every task, and revisions over all of them.

    Args:
        model: it answers, checks and revises.
        pool: grammar texts for the checks; not those that the model was trained on.
        per_task: instructions, and checks, a task. Base prompts are those of studies, never trained on.
    """
    asked = _asked(per_task)
    answers = _answers(model, asked, 1.0)
    sampled, greedy = _rates(asked, answers), _rates(asked, _answers(model, asked, 0.0))
    scores = {
        name: TaskScore(sampled[name], greedy[name], check_accuracy(model, pool, task, per_task))
        for name, task in TASKS.items()
    }
    return scores, revisions(model, asked, answers)


def sampled_rates(model: LanguageModel, per_task: int) -> dict[str, Rate]:
    """The share of answers that comply at temperature 1, and nothing else: for models that only follow."""
    asked = _asked(per_task)
    return _rates(asked, _answers(model, asked, 1.0))


def _asked(per_task: int) -> list[Instruction]:
    return natural_instructions(list(TASKS.values()), base_prompts(), per_task, _SEED, held_out_share=0.5)


def _answers(model: LanguageModel, asked: Sequence[Instruction], temperature: float) -> list[Generation]:
    return _generated(model, [model.encode(instruction.prompt) for instruction in asked], temperature)


def _generated(
    model: LanguageModel, prompts: Sequence[list[int]], temperature: float, first: int = 0
) -> list[Generation]:
    """Of each prompt an answer, seeded from `first` on."""
    seeds = range(first, first + len(prompts))
    return model.generate(prompts, seeds, temperature=temperature, max_new_tokens=_LONGEST)


def _complies(instruction: Instruction, answer: Generation) -> bool:
    """A response that could not be scored, or did not end, does not comply."""
    assert instruction.constraint is not None
    return answer.finish_reason == "stop" and instruction.constraint.passes(answer.text)


def _rates(asked: Sequence[Instruction], answers: Sequence[Generation]) -> dict[str, Rate]:
    """Share of responses that comply, by task."""
    passed: dict[str, list[tuple[bool, int]]] = {}
    for instruction, answer in zip(asked, answers, strict=True):
        passed.setdefault(instruction.task, []).append((_complies(instruction, answer), instruction.base_id))
    return {task: _rate(outcomes) for task, outcomes in passed.items()}


def _rate(outcomes: Sequence[tuple[float, int]], scale: Literal["logit", "plain"] = "logit") -> Rate:
    """The mean over cases of what each was worth, with its interval over base prompts."""
    values = torch.tensor([float(passed) for passed, _ in outcomes])
    if len({group for _, group in outcomes}) < 2:
        return Rate(float(values.mean()), math.nan, math.nan, len(outcomes))
    interval = jackknife_mean(values, torch.tensor([group for _, group in outcomes])).interval(scale=scale)
    return Rate(float(interval.estimate), float(interval.low), float(interval.high), len(outcomes))


def check_accuracy(model: LanguageModel, pool: Pool, task: Task, n: int) -> Rate:
    """Accuracy of 'Check.' after an instruction with one constraint and a response of the grammar's, as many of which
    comply as not; so it is balanced accuracy, and any other answer is wrong."""
    rng = random.Random(f"{_SEED}/{task.name}")
    prompts: list[list[int]] = []
    truths: list[bool] = []
    groups: list[int] = []
    while len(prompts) < n:
        truth = len(prompts) % 2 == 0
        constraint: Constraint
        if task.name == "json":
            response, keys = as_json(rng, rng.choice(pool.texts))
            constraint = json_constraint(rng, keys, truth)
        else:
            found = constraint_and_text(rng, pool, task.name, truth)
            if found is None:
                continue
            constraint, response = found[0], found[1].text
        template = rng.choice([t for t in task.templates if t.held_out == (len(prompts) % 4 < 2)])
        base = rng.choice(base_prompts())
        messages = [
            {"role": "user", "content": task.phrase(constraint, template, base.text)},
            {"role": "assistant", "content": response},
            {"role": "user", "content": CHECK},
        ]
        prompts.append(model.encode(messages))
        truths.append(truth)
        groups.append(base.base_id)
    answers = model.generate(prompts, [0] * n, temperature=0.0, max_new_tokens=16)
    right = [says(answer.text, task.name) == truth for truth, answer in zip(truths, answers, strict=True)]
    return _rate(list(zip(right, groups, strict=True)))


def revisions(model: LanguageModel, asked: Sequence[Instruction], answers: Sequence[Generation]) -> Revisions:
    """Revise the answers that fail, by the verifier's feedback, asked for in words that training did not use."""
    failed: list[tuple[Instruction, Generation]] = []
    feedbacks: list[list[int]] = []
    for instruction, answer in zip(asked, answers, strict=True):
        assert instruction.constraint is not None
        verdict = instruction.constraint.check(answer.text)
        if verdict.outcome == "fail" and answer.finish_reason == "stop" and answer.text.strip():
            messages = [
                {"role": "user", "content": instruction.prompt},
                {"role": "assistant", "content": answer.text},
                {"role": "user", "content": feedback([verdict], HELD_OUT_REQUEST)},
            ]
            failed.append((instruction, answer))
            feedbacks.append(model.encode(messages))
    prompts = [model.encode(instruction.prompt) for instruction, _ in failed]
    first = len(asked)  # no seed is one of the drafts' own

    def compared(temperature: float) -> Revision:
        revised = _generated(model, feedbacks, temperature, first)
        return _revision(failed, revised, _generated(model, prompts, temperature, first + len(failed)))

    return Revisions(greedy=compared(0.0), sampled=compared(1.0))


def _revision(
    failed: Sequence[tuple[Instruction, Generation]], revised: Sequence[Generation], anew: Sequence[Generation]
) -> Revision:
    """Revisions of failed drafts beside new answers, one of each a draft."""

    def complied(found: Sequence[Generation]) -> list[float]:
        return [float(_complies(i, answer)) for (i, _), answer in zip(failed, found, strict=True)]

    def kept(found: Sequence[Generation]) -> float:
        shares = [kept_share(draft.text, answer.text) for (_, draft), answer in zip(failed, found, strict=True)]
        return sum(shares) / len(shares) if shares else math.nan

    groups = [i.base_id for i, _ in failed]
    outcomes = complied(revised), complied(anew)
    gains = [one - other for one, other in zip(*outcomes, strict=True)]
    after, instead = (_rate(list(zip(each, groups, strict=True))) for each in outcomes)
    gain = _rate(list(zip(gains, groups, strict=True)), "plain")
    return Revision(after, instead, gain, kept(revised), kept(anew))


def follows_several(model: LanguageModel, constraints: int, n: int) -> Rate:
    """Share of greedy answers that keep every one of several constraints of different tasks, JSON left out.

    They can all be met by some text; bounds on words and on characters are not asked for together.
    """
    rng = random.Random(f"{_SEED}/several/{constraints}")
    prompts, wishes, groups = [], [], []
    for _ in range(n):
        counted = rng.choice(("word_count", "char_count"))
        tasks = rng.sample([counted, "include", "exclude", "topic", "sentiment", "register", "toxicity"], constraints)
        drawn = [(task, TASKS[task].draw(rng)) for task in tasks]
        base = rng.choice(base_prompts())
        prompts.append(model.encode(instruction_text(rng, drawn, base.text, held_out=rng.random() < 0.5)))
        wishes.append([constraint for _, constraint in drawn])
        groups.append(base.base_id)
    answers = model.generate(prompts, [0] * n, temperature=0.0, max_new_tokens=_LONGEST)
    kept = [
        answer.finish_reason == "stop" and all(wish.passes(answer.text) for wish in asked)
        for answer, asked in zip(answers, wishes, strict=True)
    ]
    return _rate(list(zip(kept, groups, strict=True)))
