"""The rows behind the points: what each task's probe took for complying and for violating, rightly and wrongly, to read.

A point of a figure stands for hundreds of rows; a link leads from it to those at both ends of either class (`extremes`), with
their places among the rows of the other class. Draws the places by layer and token as a line, and nothing else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import xarray as xr
from markupsafe import Markup

from heedful.constraints import constraint_from
from heedful.errors import InputError
from heedful.report.answers import marked
from heedful.report.run import Record, Run
from heedful.report.wording import percent, short_site, visible

_WIDTH, _HEIGHT, _PAD = 120, 28, 4
_LONG = 500
_OUTCOMES = {"complies": "pass", "violates": "fail"}
_OTHERS = {"complies": "violating", "violates": "complying"}
GROUPS = {
    ("complies", "highest"): "Hits: complying, scored highest",
    ("complies", "lowest"): "Misses: complying, scored lowest",
    ("violates", "highest"): "False alarms: violating, scored highest",
    ("violates", "lowest"): "Rightly low: violating, scored lowest",
}
"""By label and end of the scores, in the order of the page."""


class Places(NamedTuple):
    """How a row's place changes over layers or tokens: a line whose top is above all rows of the other class."""

    line: str
    at: tuple[int, int] | None
    """The point of the chosen cell."""
    told: str
    width: int = _WIDTH
    height: int = _HEIGHT


@dataclass(frozen=True)
class ShownRow:
    """A row to read; `text` has its deciding places marked and everything escaped.

    Attributes:
        outcome: 'pass' or 'fail', as the row is labelled.
        reason: the verifier's, where it still says what the label says.
        place: where the probe put it, in words.
        layers, tokens: the same at the other cells.
    """

    prompt: Markup
    text: Markup
    outcome: str
    reason: str
    place: str
    cell: tuple[str, str]
    layers: Places
    tokens: Places


@dataclass(frozen=True)
class Behind:
    """The rows behind the points of one task and kind of labels, by `GROUPS`' headings."""

    task: str
    groups: dict[str, list[ShownRow]]


def rows_behind(run: Run, kind: str) -> dict[str, Behind]:
    """By task; tasks with too few rows are left out."""
    by_id = {row["row_id"]: row for row in run.rows if row["kind"] == kind}
    found = run.extremes.sel(kind=kind)
    return {
        task: Behind(
            task,
            {said: _rows(found.sel(task=task, label=label, end=end), by_id) for (label, end), said in GROUPS.items()},
        )
        for task in run.tasks
        if bool((found["row_id"].sel(task=task) != "").any())
    }


def _rows(found: xr.Dataset, by_id: Mapping[str, Record]) -> list[ShownRow]:
    ranks = [found.sel(rank=rank) for rank in found["rank"].values]
    return [_row(each, by_id[str(each["row_id"].item())]) for each in ranks if str(each["row_id"].item())]


def _row(found: xr.Dataset, row: Record) -> ShownRow:
    label = str(found["label"].item())
    outcome = _OUTCOMES[label]
    spans, reason = _verdict(row, outcome)
    site, position = str(found["of_site"].item()), str(found["of_position"].item())
    sites, positions = ([str(name) for name in found[dim].values] for dim in ("site", "position"))
    return ShownRow(
        prompt=marked(row["prompt_text"], (), "", longest=_LONG),
        text=marked(row["response_text"], spans, outcome, longest=_LONG),
        outcome=outcome,
        reason=visible(reason),
        place=f"scored above {percent(float(found['placement']))} of the {_OTHERS[label]} rows of its fold",
        cell=(site, position),
        layers=_places([short_site(each) for each in sites], found["by_site"].values.tolist(), sites.index(site)),
        tokens=_places(positions, found["by_position"].values.tolist(), positions.index(position)),
    )


def _verdict(row: Record, outcome: str) -> tuple[Sequence[tuple[int, int]], str]:
    """Spans and reason of the row's own constraint; nothing where it can no longer be read or decides otherwise."""
    try:
        verdict = constraint_from(json.loads(row["constraint"])).check(row["response_text"])
    except (ValueError, InputError):
        return (), ""
    return (verdict.spans, verdict.reason) if verdict.outcome == outcome else ((), "")


def _places(names: Sequence[str], values: Sequence[float], chosen: int) -> Places:
    step = (_WIDTH - 2 * _PAD) / max(1, len(names) - 1)
    points: list[tuple[int, int] | None] = [
        None if math.isnan(v) else (round(_PAD + i * step), round(_HEIGHT - _PAD - v * (_HEIGHT - 2 * _PAD)))
        for i, v in enumerate(values)
    ]
    line, drawing = "", False
    for point in points:
        if point is not None:
            line += f"{'L' if drawing else 'M'}{point[0]},{point[1]}"
        drawing = point is not None
    known = [f"{percent(v)} at {name}" for name, v in zip(names, values, strict=True) if not math.isnan(v)]
    return Places(line, points[chosen], f"from {known[0]} to {known[-1]}")
