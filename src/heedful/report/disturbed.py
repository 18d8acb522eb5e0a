"""What the model wrote undisturbed, beside what it wrote with a trace erased: an answer a pair of tasks, to read.

Chooses by rule among the answers that a run keeps: one whose verdict changed, if there is one. Draws nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from heedful.lenses.arms import ERASED
from heedful.report.answers import marked
from heedful.report.behaviour import Behaviour
from heedful.report.findings import by_pair, estimate
from heedful.report.run import Record, Run
from heedful.report.wording import Estimate, visible

_LONG = 400


class Said(NamedTuple):
    """An answer with its verdict; `text` is escaped, its deciding places marked."""

    text: Markup
    outcome: str
    reason: str


@dataclass(frozen=True)
class Pair:
    """The same prompt answered twice.

    Attributes:
        target: the task that was asked for.
        change: of compliance over all prompts, as the cell of the figure says.
        same: whether both answers are the same, word for word.
    """

    target: str
    prompt: Markup
    undisturbed: Said
    erased: Said
    change: Estimate
    same: bool


def pairs(run: Run, acted: Behaviour) -> dict[str, list[Pair]]:
    """By the task whose trace was erased, in the order of the figure; of the eraser and site that the figure shows."""
    how, where = (str(run.behaviour[dim].values[0]) for dim in ("how", "where"))
    prompt_of = {s["sample_id"]: s["prompt"] for s in run.samples if s["kind"] == "natural"}
    plain = {one["sample_id"]: one for one in run.disturbed if one["variant"] == "undisturbed"}
    kept: dict[tuple[str, str], Record] = {}
    for one in run.disturbed:
        if (one["how"], one["where"], one["variant"]) == (how, where, ERASED):
            pair = (one["erased"], one["task"])
            if pair not in kept or _worth(one, plain) > _worth(kept[pair], plain):
                kept[pair] = one
    tasks = acted.grid.tasks
    shown = by_pair(run.behaviour.sel(how=how, where=where, variant=ERASED), "erased", "target")
    found: dict[str, list[Pair]] = {}
    for a in tasks:
        for b in tasks:
            if (a, b) in kept:
                after = kept[a, b]
                before = plain[after["sample_id"]]
                found.setdefault(a, []).append(
                    Pair(
                        target=b,
                        prompt=marked(prompt_of[after["sample_id"]], (), "", longest=_LONG),
                        undisturbed=_said(before),
                        erased=_said(after),
                        change=estimate(shown(a, b), "change"),
                        same=after["text"] == before["text"],
                    )
                )
    return found


def _worth(one: Record, plain: Mapping[str, Record]) -> int:
    """Lost compliance is shown before any other change, a change before none."""
    change = (plain[one["sample_id"]]["outcome"], one["outcome"])
    return 2 if change == ("pass", "fail") else 1 if change[0] != change[1] else 0


def _said(one: Record) -> Said:
    text = marked(one["text"], json.loads(one["spans"]), one["outcome"], longest=_LONG)
    return Said(text, one["outcome"], visible(one["reason"]))
