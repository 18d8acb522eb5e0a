"""Where lines, bands and cells of the figures go: numbers in, SVG coordinates out.

A figure is one panel a task, drawn once for every kind of labels and position that a reader can choose. Knows datasets
and geometry; the templates know marks and colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from heedful.report.findings import CHANCE, TaskFinding
from heedful.report.wording import PROBE_NAMES, Estimate, number, short_site, site_name

SHOWN_PROBES = ("specialist", "general_each", "held_out")
_AUROC = ("auroc", "auroc_low", "auroc_high")


class Tick(NamedTuple):
    """A label on an axis and where it goes."""

    at: float
    text: str


class Frame(NamedTuple):
    """The plot area of a panel, in SVG units of about a pixel."""

    left: float
    top: float
    right: float
    bottom: float
    width: float
    height: float


CURVES = Frame(left=32, top=18, right=312, bottom=176, width=320, height=210)


@dataclass(frozen=True)
class Series:
    """One probe's curve: a line, its interval as a band, and the outlines of its markers."""

    probe: str
    line: str
    band: str
    markers: str


class Curve(NamedTuple):
    """AUROC by site, to be drawn with the mark of one of `SHOWN_PROBES`."""

    mark: str
    name: str
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Hit(NamedTuple):
    """A strip over one site, whose tooltip tells the numbers there."""

    x: float
    width: float
    text: str


@dataclass(frozen=True)
class CurvePanel:
    """AUROC by site for one task, one kind and one position."""

    series: list[Series]
    hits: list[Hit]
    baseline_name: str
    baseline_y: float


@dataclass(frozen=True)
class Axes:
    """What all panels of the curves share."""

    x: list[Tick]
    y: list[Tick]
    chance_y: float


class Cell(NamedTuple):
    """One cell of a heat map: `shade` is −10 … 10 steps from chance, None where there is no number."""

    x: float
    y: float
    shade: int | None
    text: str


@dataclass(frozen=True)
class HeatPanel:
    """Specialist's AUROC by position and site for one task and kind."""

    cells: list[Cell]
    best: tuple[float, float] | None


@dataclass(frozen=True)
class HeatAxes:
    """What all heat maps share.

    Attributes:
        reach: AUROC at the ends of the colour scale is 0.5 ± this.
        leaks: top edges of the rows that are 0.5 by design, by kind.
    """

    x: list[Tick]
    y: list[Tick]
    frame: Frame
    cell_width: float
    cell_height: float
    reach: float
    leaks: dict[str, list[float]]


def lowest_shown(values: xr.DataArray) -> float:
    """The lower end of an AUROC axis: 0.4, or 0.3 or 0 where an estimate is lower."""
    least = float(values.min()) if bool(values.notnull().any()) else CHANCE
    return 0.4 if least >= 0.4 else 0.3 if least >= 0.3 else 0.0


def auroc_ticks(low: float) -> list[float]:
    """Where an AUROC axis has its numbers: tenths, or quarters of the whole range; chance is always one of them."""
    return [0.0, 0.25, 0.5, 0.75, 1.0] if low == 0 else [tenth / 10 for tenth in range(round(low * 10), 11)]


def auroc_marks(low: float, y: Callable[[float], float]) -> list[Tick]:
    """The same, where `y` places them."""
    return [Tick(y(value), number(value, 2 if low == 0 else 1)) for value in auroc_ticks(low)]


def curve_axes(specialists: xr.Dataset, low: float) -> Axes:
    """Ticks of the small multiples."""
    y = _y_scale(low)
    return Axes(
        _site_ticks(specialists, _x_scale(specialists)),
        auroc_marks(low, y),
        y(CHANCE),
    )


def curve_panel(cell: xr.Dataset, finding: TaskFinding, low: float) -> CurvePanel | None:
    """One panel; None where nothing was fitted.

    Args:
        cell: the specialists' results at one kind, task and position: (probe, site).
        low: the lower end of the AUROC axis.
    """
    names = [str(probe) for probe in cell["probe"].values]
    curves = [
        Curve(probe, PROBE_NAMES[probe], *(cell[name].sel(probe=probe).values.astype(float) for name in _AUROC))
        for probe in SHOWN_PROBES
        if probe in names
    ]
    name, best = finding.best_baseline
    return panel_of(cell, curves, low, name, best.value)


def panel_of(
    cell: xr.Dataset, curves: Sequence[Curve], low: float, baseline_name: str = "", baseline: float = math.nan
) -> CurvePanel | None:
    """Curves over the sites of a dataset; None where none of them has a number."""
    curves = [curve for curve in curves if np.isfinite(curve.value).any()]
    if not curves:
        return None
    x, y = _x_scale(cell), _y_scale(low)
    at = [x(i) for i in range(cell.sizes["site"])]
    series = [
        Series(
            curve.mark,
            line(at, [y(v) for v in curve.value]),
            band(at, [y(v) for v in curve.low], [y(v) for v in curve.high]),
            _markers(curve.mark, at, [y(v) for v in curve.value]),
        )
        for curve in curves
    ]
    step = at[1] - at[0] if len(at) > 1 else CURVES.right - CURVES.left
    hits = [
        Hit(
            *_strip(at[i], step),
            f"{site_name(str(site))}: "
            + "; ".join(f"{curve.name} {_triple(curve.value[i], curve.low[i], curve.high[i])}" for curve in curves),
        )
        for i, site in enumerate(cell["site"].values)
    ]
    return CurvePanel(series, hits, baseline_name, y(baseline))


def _strip(center: float, step: float) -> tuple[float, float]:
    """Left edge and width of a strip about a site, within the panel."""
    left, right = max(center - step / 2, CURVES.left), min(center + step / 2, CURVES.right)
    return round(left, 1), round(right - left, 1)


def heat_axes(specialists: xr.Dataset) -> HeatAxes:
    """Layout of the heat maps: time runs downward, depth to the right."""
    positions = [str(position) for position in specialists["position"].values]
    left, top, width, row = 88.0, 16.0, 320.0, 15.0
    n_sites = specialists.sizes["site"]
    cell_width = (width - left - 8) / n_sites
    bottom = top + row * len(positions)
    frame = Frame(left, top, width - 8, bottom, width, bottom + 34)
    leak = specialists["leak_check"]
    return HeatAxes(
        x=_site_ticks(specialists, lambda i: round(left + (i + 0.5) * cell_width, 1)),
        y=[Tick(top + (i + 0.5) * row, position) for i, position in enumerate(positions)],
        frame=frame,
        cell_width=round(cell_width, 2),
        cell_height=row,
        reach=_reach(specialists["auroc"].sel(probe="specialist")),
        leaks={
            str(kind): [top + i * row for i, p in enumerate(positions) if bool(leak.sel(kind=kind, position=p))]
            for kind in specialists["kind"].values
        },
    )


def heat_panel(specialists: xr.Dataset, axes: HeatAxes, finding: TaskFinding, kind: str) -> HeatPanel | None:
    """One heat map; None where nothing was fitted."""
    found = specialists.sel(kind=kind, task=finding.task, probe="specialist").transpose("position", "site", ...)
    values, low, high = (found[name].values.astype(float) for name in ("auroc", "auroc_low", "auroc_high"))
    if not np.isfinite(values).any():
        return None
    sites, positions = ([str(name) for name in found[dim].values] for dim in ("site", "position"))
    frame = axes.frame

    def corner(p: int, s: int) -> tuple[float, float]:
        return round(frame.left + s * axes.cell_width, 2), frame.top + p * axes.cell_height

    cells = [
        Cell(
            *corner(p, s),
            _shade(values[p, s], axes.reach),
            f"{position}, {site_name(site)}: {_triple(values[p, s], low[p, s], high[p, s])}",
        )
        for p, position in enumerate(positions)
        for s, site in enumerate(sites)
    ]
    best = corner(positions.index(finding.position), sites.index(finding.site)) if finding.site else None
    return HeatPanel(cells, best)


def along(value: float, low: float, high: float) -> str:
    """Where a value lies between two others, as a CSS percentage; clipped to the ends."""
    share = (value - low) / (high - low)
    return f"{100 * min(1.0, max(0.0, share)):.2f}%"


def _triple(value: float, low: float, high: float) -> str:
    estimate = Estimate(value, low, high)
    return f"{number(value)} [{number(low)}, {number(high)}]" if estimate.bounded else number(value)


def _x_scale(dataset: xr.Dataset) -> Callable[[int], float]:
    last = max(1, dataset.sizes["site"] - 1)
    pad = 6
    return lambda i: round(CURVES.left + pad + i / last * (CURVES.right - CURVES.left - 2 * pad), 1)


def _y_scale(low: float) -> Callable[[float], float]:
    height = CURVES.bottom - CURVES.top
    return lambda value: value if math.isnan(value) else round(CURVES.bottom - (value - low) / (1 - low) * height, 1)


def _site_ticks(dataset: xr.Dataset, at: Callable[[int], float]) -> list[Tick]:
    """The first site, and every so many of the others."""
    sites = [str(site) for site in dataset["site"].values]
    step = math.ceil(len(sites) / 10)
    return [
        Tick(at(i), short_site(site)) for i, site in enumerate(sites) if i == 0 or (i >= step and (i - 1) % step == 0)
    ]


_DASH = 2.5


def _runs(*columns: Sequence[float]) -> list[list[int]]:
    """Stretches of indices where no column is NaN."""
    runs: list[list[int]] = [[]]
    for i, values in enumerate(zip(*columns, strict=True)):
        if any(math.isnan(value) for value in values):
            runs.append([])
        else:
            runs[-1].append(i)
    return [run for run in runs if run]


def line(x: Sequence[float], y: Sequence[float]) -> str:
    """Through what is known, with a gap where nothing is; a point alone is a dash."""
    return "".join(
        "M" + "L".join(f"{x[i]:g},{y[i]:g}" for i in run)
        if len(run) > 1
        else f"M{x[run[0]] - _DASH:g},{y[run[0]]:g}h{2 * _DASH:g}"
        for run in _runs(y)
    )


def band(x: Sequence[float], low: Sequence[float], high: Sequence[float]) -> str:
    """Along the upper bounds and back along the lower ones; a point alone is as wide as its dash."""
    return "".join(
        "M" + "L".join([f"{x[i]:g},{high[i]:g}" for i in run] + [f"{x[i]:g},{low[i]:g}" for i in reversed(run)]) + "Z"
        if len(run) > 1
        else f"M{x[run[0]] - _DASH:g},{high[run[0]]:g}h{2 * _DASH:g}V{low[run[0]]:g}h{-2 * _DASH:g}Z"
        for run in _runs(low, high)
    )


def _markers(probe: str, x: Sequence[float], y: Sequence[float]) -> str:
    """Circles, squares and crosses, so that curves differ by more than colour; at most about twelve a curve."""
    every = max(1, math.ceil(len(x) / 12))
    outline = {
        "specialist": "m-2.8,0a2.8,2.8 0 1 0 5.6,0a2.8,2.8 0 1 0 -5.6,0",
        "general_each": "m-2.3,-2.3h4.6v4.6h-4.6z",
        "held_out": "m-2.4,-2.4l4.8,4.8m0,-4.8l-4.8,4.8",
    }[probe]
    return "".join(f"M{x[i]:g},{y[i]:g}{outline}" for i in range(0, len(x), every) if not math.isnan(y[i]))


def _reach(values: xr.DataArray) -> float:
    """The greatest distance from chance, rounded up to a tenth and at least 0.2, so that noise stays pale."""
    greatest = float(abs(values - CHANCE).max()) if bool(values.notnull().any()) else 0.0
    return max(0.2, math.ceil(greatest * 10 - 1e-9) / 10)


def _shade(value: float, reach: float) -> int | None:
    return None if math.isnan(value) else round((value - CHANCE) / reach * 10)
