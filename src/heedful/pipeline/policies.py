"""Policies beside each other on one model: how many answers they make comply, and at what price.

The same instructions for every policy, of one to three constraints of the nine tasks, deterministic by seed. Beside the guard's
own verifiers, which it optimises and so flatters, stand others that it never saw. Knows policies by name only.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch

from heedful.constraints import Constraint, Exclude, Include, Sentiment, Topic
from heedful.constraints.judging import Judged
from heedful.control.budget import Budget
from heedful.control.guard import Guard
from heedful.control.policies import Asked, get_policy
from heedful.control.result import Guarded
from heedful.control.upstream import Request, Sampling, Upstream
from heedful.control.verify import in_thread
from heedful.control.watch import RiskMonitor
from heedful.errors import InputError
from heedful.pico.checks import CHECK
from heedful.pico.phrasing import instruction_text
from heedful.probes import Interval, Jackknife, combine, jackknife_mean, paired_difference
from heedful.prompts.base import base_prompts
from heedful.prompts.tasks import TASKS

UNGUARDED = "unguarded"
POLICIES = ("best_of_n", "refine", "resample", "abort", "decompose")
LABELS = ("topic", "sentiment", "register", "toxicity")
MAX_TOKENS = 160


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


@dataclass(frozen=True)
class Estimate:
    """With its interval at 95 %, by base prompt."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """One policy.

    Attributes:
        policy: its name, with options.
        passed: share of answers that keep every constraint, as the guard's verifiers judge.
        others: the same as others judge; None where there are none for this model.
        gain, others_gain: over unguarded, paired.
        by_task: share of a task's constraints that are kept; None for a task that was not asked.
        tokens, prompt_tokens, calls, seconds: a request; seconds while requests share a batch.
        price: tokens as a multiple of unguarded.
        aborted: drafts that were stopped.
        false_stops: of these, how many would have complied.
    """

    policy: str
    passed: Estimate
    others: Estimate | None
    gain: Estimate
    others_gain: Estimate | None
    by_task: dict[str, Estimate | None]
    tokens: Estimate
    prompt_tokens: Estimate
    calls: Estimate
    seconds: Estimate
    price: Estimate
    aborted: int
    false_stops: int


@dataclass(frozen=True)
class Comparison:
    """All policies, unguarded first."""

    model: str
    instructions: int
    bases: int
    constraints: tuple[int, ...]
    seed: int
    tasks: tuple[str, ...]
    policies: tuple[Row, ...]
    runs: dict[str, Run]

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, without the runs."""
        return {k: v for k, v in asdict(self).items() if k != "runs"}

    def less(self, policy: str, other: str) -> Estimate:
        """By which share a policy needs fewer tokens than another on the same instructions."""
        return _interval(combine(lambda a, b: 1 - a / b, *(self.runs[name].mean("tokens") for name in (policy, other))))


_MEASURED: dict[str, Callable[[Guarded], float]] = {
    "passed": lambda result: float(result.passed),
    "tokens": lambda result: float(result.usage.total),
    "prompt_tokens": lambda result: float(result.usage.prompt),
    "calls": lambda result: float(len(result.attempts) + result.judged.calls),
    "seconds": lambda result: result.seconds,
}


@dataclass(frozen=True)
class Run:
    """What came of one policy, an entry an instruction.

    Attributes:
        results: the guard's.
        group: the base prompt.
        others: 1 or 0 as other verifiers judge; None for none.
    """

    results: Sequence[Guarded]
    group: torch.Tensor
    others: Sequence[bool] | None

    def values(self, what: str) -> list[float]:
        """A quantity, by instruction."""
        if what == "others":
            return [float(kept) for kept in self.others or []]
        return [_MEASURED[what](result) for result in self.results]

    def mean(self, what: str) -> Jackknife:
        """Of a quantity over instructions."""
        return _mean(self.values(what), self.group)


async def compare_policies(
    upstream: Upstream,
    *,
    policies: Sequence[str] = POLICIES,
    n: int = 120,
    constraints: Sequence[int] = (1, 2, 3),
    seed: int = 0,
    sampling: Sampling | None = None,
    budget: Budget | None = None,
    monitors: Sequence[RiskMonitor] = (),
    at_once: int = 32,
    checks: bool = False,
    progress: Callable[[str, int, int], None] = lambda policy, done, of: None,
) -> Comparison:
    """Put every policy to the same instructions.

    Args:
        policies: names, with options as 'best_of_n:n=8'; unguarded is always among them.
        n: instructions, at least as many as to have two base prompts.
        sampling: of first drafts; its seed is each instruction's own.
        budget: of each request.
        at_once: requests that are answered at the same time.
        checks: judge topic, register and toxicity by the model's own check turn, which embedded models were trained to give.
        progress: told of each request that is done.

    Raises:
        InputError: too few instructions, an impossible number of constraints, or an unknown policy, or none.
    """
    if n < 2 or not constraints or not all(1 <= count <= 3 for count in constraints):
        raise InputError(
            f"{n} instructions of {list(constraints)} constraints", "give 2 or more, of 1 to 3 constraints"
        )
    if not policies:
        raise InputError("no policy is given to compare", f"name one or more: {', '.join(POLICIES)}")
    asked = instructions(n, constraints, seed)
    sampling = sampling or Sampling(max_tokens=MAX_TOKENS)
    group = torch.tensor([instruction.base_id for instruction in asked])
    for policy in policies:
        _check_policy(policy, upstream, asked, sampling)
    runs: dict[str, Run] = {}
    for policy in (UNGUARDED, *policies):
        gate, done = asyncio.Semaphore(at_once), 0

        async def answer(instruction: Instruction, policy: str = policy, gate: asyncio.Semaphore = gate) -> Guarded:
            nonlocal done
            guard = Guard(
                upstream,
                instruction.constraints,
                policy=policies[0] if policy == UNGUARDED else policy,
                budget=budget or Budget(),
                monitors=monitors,
                mode="shadow" if policy == UNGUARDED else "repair",
                run_on=True,
            )
            async with gate:
                result = await guard.agenerate(
                    instruction.prompt,
                    Sampling(sampling.temperature, sampling.top_p, sampling.max_tokens, instruction.seed),
                )
            done += 1
            progress(policy, done, n)
            return result

        results = await asyncio.gather(*map(answer, asked))
        others = await _judged(upstream, asked, [result.text for result in results]) if checks else None
        runs[policy] = Run(results, group, others)
    rows = tuple(_row(policy, run, runs[UNGUARDED], asked) for policy, run in runs.items())
    bases = len({instruction.base_id for instruction in asked})
    return Comparison(upstream.name, n, bases, tuple(sorted({*constraints})), seed, tuple(TASKS), rows, runs)


def _check_policy(name: str, upstream: Upstream, asked: Sequence[Instruction], sampling: Sampling) -> None:
    """Raises what a policy that cannot work with these says before its first draft, so that none is drawn in vain."""
    for instruction in asked:
        messages = ({"role": "user", "content": instruction.prompt},)
        plan = get_policy(name)(Asked(messages, sampling, tuple(instruction.constraints), upstream))
        next(plan, None)
        plan.close()


def _row(policy: str, run: Run, unguarded: Run, asked: Sequence[Instruction]) -> Row:
    def gained(what: str) -> Estimate:
        if run is unguarded:
            return Estimate(0.0, 0.0, 0.0)  # over itself, nothing, whatever the sample
        here, there = (torch.tensor(each.values(what), dtype=torch.float64) for each in (run, unguarded))
        return _estimate(paired_difference(here - there, run.group).interval)

    by_task: dict[str, list[tuple[float, int]]] = {task: [] for task in TASKS}
    for instruction, result in zip(asked, run.results, strict=True):
        for (task, _), verdict in zip(instruction.wishes, result.verdicts, strict=True):
            by_task[task].append((float(verdict.passed), instruction.base_id))
    stopped = [a for result in run.results for a in result.attempts if a.would_have_passed is not None]
    return Row(
        policy=policy,
        passed=_interval(run.mean("passed"), share=True),
        others=None if run.others is None else _interval(run.mean("others"), share=True),
        gain=gained("passed"),
        others_gain=None if run.others is None else gained("others"),
        by_task={
            task: _interval(_mean([v for v, _ in rows], torch.tensor([g for _, g in rows])), share=True)
            if len({g for _, g in rows}) > 1
            else None
            for task, rows in by_task.items()
        },
        tokens=_interval(run.mean("tokens")),
        prompt_tokens=_interval(run.mean("prompt_tokens")),
        calls=_interval(run.mean("calls")),
        seconds=_interval(run.mean("seconds")),
        price=_interval(combine(torch.div, run.mean("tokens"), unguarded.mean("tokens"))),
        aborted=len(stopped),
        false_stops=sum(attempt.would_have_passed is True for attempt in stopped),
    )


def _mean(values: Sequence[float], group: torch.Tensor) -> Jackknife:
    places = {base: place for place, base in enumerate(dict.fromkeys(group.tolist()))}
    number = torch.tensor([places[base] for base in group.tolist()])
    return jackknife_mean(torch.tensor(values, dtype=torch.float64), number)


def _interval(of: Jackknife, *, share: bool = False) -> Estimate:
    return _estimate(of.interval(scale="logit" if share else "plain"))


def _estimate(found: Interval) -> Estimate:
    return Estimate(float(found.estimate), float(found.low), float(found.high))


async def _judged(upstream: Upstream, asked: Sequence[Instruction], texts: Sequence[str]) -> list[bool]:
    """Whether each text keeps every constraint, by verifiers that no guard used.

    Sentiment: VADER on the whole text. Topic, register, toxicity: what the model itself says, greedily, that its text has, when
    it is told 'Check.'. What is counted is exact, and has no second opinion.
    """

    async def every(instruction: Instruction, text: str) -> bool:
        if not text.strip():
            return False
        checked = {"topic", "register", "toxicity"} & {*dict(instruction.wishes)}
        read = await _own_check(upstream, instruction, text) if checked else {}

        def kept(task: str, constraint: Constraint) -> bool:
            if isinstance(constraint, Sentiment):
                return _vader(text) == constraint.sentiment
            if isinstance(constraint, Topic):
                return read.get(task) == constraint.topic
            if isinstance(constraint, Judged):
                return read.get(task) == constraint.label
            return constraint.passes(text)

        return await in_thread(lambda: all(kept(task, constraint) for task, constraint in instruction.wishes))

    return list(await asyncio.gather(*(every(i, text) for i, text in zip(asked, texts, strict=True))))


async def _own_check(upstream: Upstream, instruction: Instruction, text: str) -> dict[str, str]:
    """By task, what the model says that the text has: {'register': 'formal'}."""
    turns = [("user", instruction.prompt), ("assistant", text), ("user", CHECK)]
    messages = [{"role": role, "content": content} for role, content in turns]
    [stream] = upstream.streams([Request(messages, Sampling(temperature=0, max_tokens=48))])
    said = "".join([delta.text async for delta in stream])
    parts = (part.partition(": ") for part in said.split("; "))
    return {name.strip(): found.rpartition(", ")[0] for name, _, found in parts}


def _vader(text: str) -> str:
    """The label of VADER's compound score of the whole text, by the thresholds of its authors."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    compound = SentimentIntensityAnalyzer().polarity_scores(re.sub(r"\s+", " ", text))["compound"]
    return "positive" if compound >= 0.05 else "negative" if compound <= -0.05 else "neutral"
