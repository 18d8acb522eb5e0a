"""What came of policies on the same instructions: shares and prices with intervals, whose unit is the base prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch

from heedful.control.result import Guarded
from heedful.probes import Interval, Jackknife, combine, jackknife_mean, paired_difference
from heedful.prompts.tasks import TASKS
from heedful.workbench.policies.instructions import Instruction


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


def row_of(policy: str, run: Run, unguarded: Run, asked: Sequence[Instruction]) -> Row:
    """One policy's figures, beside those of no policy on the same instructions."""

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
