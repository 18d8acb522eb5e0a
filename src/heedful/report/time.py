"""Where the curves and squares of time go: AUROC by position, and train × test position.

Numbers in, SVG coordinates out, as in `figures`; positions stand at equal steps, in the order of the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from heedful.report.figures import CURVES, Axes, Hit, Tick, auroc_marks, band, line, lowest_shown
from heedful.report.findings import CHANCE, estimate
from heedful.report.wording import number, task_name, with_interval

_NAMES = {"auroc": "fitted here", "from_end": "fitted at the end", "prefix": "words so far"}
_REACH = 0.5
_CELL = 15.0
_LEFT, _TOP = 84.0, 6.0


class Curve(NamedTuple):
    """One series; `mark` names its style."""

    mark: str
    line: str
    band: str


@dataclass(frozen=True)
class TimePanel:
    """A task's curves over positions."""

    curves: list[Curve]
    hits: list[Hit]
    leaks: list[tuple[float, float]]
    """Left edge and width of positions that are leak checks."""


class SquareCell(NamedTuple):
    """One pair of positions."""

    x: float
    y: float
    shade: int
    text: str


@dataclass(frozen=True)
class Square:
    """A task's train × test square."""

    cells: list[SquareCell]
    names: list[tuple[float, str]]
    size: float
    left: float = _LEFT
    top: float = _TOP
    cell: float = _CELL


_MARKS = {"auroc": "specialist", "from_end": "general_each", "prefix": "held_out"}


def time_panel(found: xr.Dataset, low: float, leaks: list[str]) -> TimePanel | None:
    """Curves of one kind and task; None where no position has enough rows."""
    positions = [str(position) for position in found["position"].values]
    if not bool(found["auroc"].notnull().any()):
        return None
    x = [_x(i, len(positions)) for i in range(len(positions))]
    curves = []
    for name, mark in _MARKS.items():
        value, bottom, top = ([_y(v, low) for v in found[f"{name}{end}"].values] for end in ("", "_low", "_high"))
        if drawn := line(x, value):
            curves.append(Curve(mark, drawn, band(x, bottom, top)))
    step = (CURVES.right - CURVES.left) / len(positions)
    hits = []
    for i, position in enumerate(positions):
        told = [
            f"{_NAMES[name]} {with_interval(estimate(found.isel(position=i), name))}"
            for name in _MARKS
            if bool(found[name].isel(position=i).notnull())
        ]
        hits.append(Hit(CURVES.left + i * step, step, f"{position}: {'; '.join(told) or 'too few rows'}"))
    blocked = [(CURVES.left + i * step, step) for i, position in enumerate(positions) if position in leaks]
    return TimePanel(curves, hits, blocked)


def lowest_in_time(found: xr.Dataset) -> float:
    """The lower end of the axis: see `lowest_shown`, but no higher than 0.3, since early tokens scatter."""
    return min(0.3, *(lowest_shown(found[name]) for name in _MARKS))


def time_axes(positions: list[str], low: float) -> Axes:
    """Ticks of the panels; positions by short names: 'prompt', '0', '25%', 'last', 'eos'."""
    x = [Tick(_x(i, len(positions)), _short(position)) for i, position in enumerate(positions)]
    return Axes(x, auroc_marks(low, lambda value: _y(value, low)), _y(CHANCE, low))


def square(found: xr.Dataset, task: str) -> Square | None:
    """The square of one kind and task; None where it was not made."""
    if not bool(found["matrix"].notnull().any()):
        return None
    positions = [str(position) for position in found["train"].values]
    values, lows, highs = (
        found[name].transpose("train", "test").values for name in ("matrix", "matrix_low", "matrix_high")
    )
    cells = []
    for i, train in enumerate(positions):
        for j, test in enumerate(positions):
            value, low, high = float(values[i, j]), lows[i, j], highs[i, j]
            if np.isnan(value):
                continue
            text = (
                f"{task_name(task)}: fitted at {train}, read at {test}: {number(value)} [{number(low)}, {number(high)}]"
            )
            shade = round((value - CHANCE) / _REACH * 10)
            cells.append(SquareCell(_LEFT + j * _CELL, _TOP + i * _CELL, max(-10, min(10, shade)), text))
    names = [(_TOP + (i + 0.7) * _CELL, position) for i, position in enumerate(positions)]
    return Square(cells, names, _CELL * len(positions))


def _x(i: int, n: int) -> float:
    return round(CURVES.left + (i + 0.5) * (CURVES.right - CURVES.left) / n, 1)


def _y(value: float, low: float) -> float:
    """NaN for NaN."""
    share = (min(max(value, low), 1.0) - low) / (1 - low) if value == value else value
    return round(CURVES.bottom - share * (CURVES.bottom - CURVES.top), 1)


def _short(position: str) -> str:
    if position.startswith("prompt"):
        return "prompt"
    inside = position.removeprefix("response[").removesuffix("]")
    return "last" if inside == "-1" else inside
