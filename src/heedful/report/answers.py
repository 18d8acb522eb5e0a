"""How often the model complied, task by task, and what its passes and failures look like.

Only natural responses count: what the model said when it was asked. A response that was cut off by the length limit, or
that no verifier could decide, is counted and left out of the rate. Fits nothing and draws nothing.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from markupsafe import Markup, escape

from heedful.probes import index_groups, jackknife_mean
from heedful.report.run import Record, Run
from heedful.report.wording import Estimate, thousands, visible

EXAMPLES = 3
_LONG = 700
_LEAD = 200


class Example(NamedTuple):
    """A response to show; `text` has its deciding places marked and everything escaped."""

    prompt: str
    text: Markup
    outcome: str
    reason: str
    n_words: int


@dataclass(frozen=True)
class TaskAnswers:
    """The natural responses of one task.

    Attributes:
        asked: an instruction as the model saw it.
        rate: share of passes among what was scored, over base prompts; NaN if nothing was.
        cut_off: responses that hit the length limit, whatever their outcome.
        words_passed, words_failed: mean number of words.
        squares: contrast squares made for the task.
        examples: by outcome; the first ones in the order of the study, of different base prompts.
    """

    task: str
    family: str
    asked: str
    n: int
    passed: int
    failed: int
    unscored: int
    cut_off: int
    rate: Estimate
    words_passed: float
    words_failed: float
    squares: int
    examples: dict[str, list[Example]]

    @property
    def scored(self) -> int:
        """Responses that the rate is over."""
        return self.passed + self.failed


def answers(run: Run) -> list[TaskAnswers]:
    """One entry a task, in the study's order."""
    natural = [sample for sample in run.samples if sample["kind"] == "natural"]
    return [_task_answers(run, task, [s for s in natural if s["task"] == task]) for task in run.tasks]


def overall(run: Run) -> Estimate:
    """Pass rate over all natural responses that were scored."""
    return pass_rate([sample for sample in run.samples if sample["kind"] == "natural" and _decided(sample)])


def pass_rate(scored: Sequence[Record]) -> Estimate:
    """Share of passes with its cluster jackknife interval over base prompts (none with fewer than two of them)."""
    if not scored:
        return Estimate(math.nan)
    values = torch.tensor([float(sample["outcome"] == "pass") for sample in scored], dtype=torch.float64)
    groups = index_groups([sample["base_id"] for sample in scored])
    jackknife = jackknife_mean(values, groups.number)
    if jackknife.n_groups < 2:
        return Estimate(float(jackknife.estimate))
    found = jackknife.interval(scale="logit")
    return Estimate(float(found.estimate), float(found.low), float(found.high))


def marked(text: str, spans: Sequence[tuple[int, int]], outcome: str, longest: int = _LONG) -> Markup:
    """An untrusted text, escaped, with the places that decided in `<mark>`; long texts are cut round the first place.

    Args:
        spans: (start, end) in characters; what lies outside the text or overlaps is clipped and merged.
        longest: characters that are shown; those of the first place are among them.
    """
    text = visible(text)
    inside = sorted((max(0, start), min(len(text), end)) for start, end in spans)
    inside = [(start, end) for start, end in inside if start < end]
    first = inside[0][0] if inside else 0
    start = max(0, first - _LEAD) if first > longest - _LEAD else 0
    stop = min(len(text), start + longest)
    shown, at = Markup("… ") if start else Markup(), start
    for span_start, span_end in inside:
        begin, end = max(at, span_start), min(stop, span_end)
        if begin < end:
            shown += escape(text[at:begin]) + Markup('<mark class="{}">{}</mark>').format(outcome, text[begin:end])
            at = end
    shown += escape(text[at:stop])
    left = len(text) - stop
    return shown + (Markup(' <span class="more">… {} more characters</span>').format(thousands(left)) if left else "")


def _decided(sample: Record) -> bool:
    return sample["outcome"] in ("pass", "fail") and not _cut_off(sample)


def _cut_off(sample: Record) -> bool:
    return bool(sample["finish_reason"] == "length")


def _task_answers(run: Run, task: str, samples: Sequence[Record]) -> TaskAnswers:
    scored = [sample for sample in samples if _decided(sample)]
    by_outcome = Counter(sample["outcome"] for sample in scored)
    squares = {row["square_id"] for row in run.rows if row["kind"] == "contrast" and row["task"] == task}
    return TaskAnswers(
        task=task,
        family=run.family(task),
        asked=visible(samples[0]["prompt"]) if samples else "",
        n=len(samples),
        passed=by_outcome["pass"],
        failed=by_outcome["fail"],
        unscored=sum(s["outcome"] not in ("pass", "fail") and not _cut_off(s) for s in samples),
        cut_off=sum(map(_cut_off, samples)),
        rate=pass_rate(scored),
        words_passed=_mean_words(scored, "pass"),
        words_failed=_mean_words(scored, "fail"),
        squares=len(squares),
        examples={
            "pass": _examples(scored, ("pass",), EXAMPLES),
            "fail": _examples(scored, ("fail",), EXAMPLES),
            "unscored": _examples(samples, ("unscored", "error"), 1),
        },
    )


def _mean_words(scored: Sequence[Record], outcome: str) -> float:
    words = [sample["n_words"] for sample in scored if sample["outcome"] == outcome]
    return sum(words) / len(words) if words else math.nan


def _examples(samples: Sequence[Record], outcomes: Sequence[str], limit: int) -> list[Example]:
    """The first of each base prompt, so that what is shown was not picked."""
    first: dict[int, Record] = {}
    for sample in samples:
        if sample["outcome"] in outcomes:
            first.setdefault(sample["base_id"], sample)
    return [
        Example(
            prompt=visible(sample["prompt"]),
            text=marked(sample["text"], json.loads(sample["spans"] or "[]"), sample["outcome"]),
            outcome=sample["outcome"],
            reason=visible(sample["reason"] or ""),
            n_words=sample["n_words"],
        )
        for sample in list(first.values())[:limit]
    ]
