"""Where in the model tasks can be read, and in which order: what the page and the sentences say of depth."""

from __future__ import annotations

from typing import NamedTuple

import xarray as xr

from heedful.report.findings import estimate
from heedful.report.wording import Estimate


class Depth(NamedTuple):
    """Where in the model a task can be read, as relative depths."""

    centre: Estimate
    onset90: Estimate
    peak: float
    """Without an interval: the jackknife of an argmax is too rough to show."""
    readable: bool


def task_depth(depth: xr.Dataset, kind: str, position: str, task: str, n_sites: int) -> Depth:
    """Of a task at one position."""
    cell = depth.sel(kind=kind, position=position, task=task)
    peak = float(cell["peak_site_index"]) / max(1, n_sites - 1)
    return Depth(estimate(cell, "centre"), estimate(cell, "onset90"), peak, bool(cell["readable"]))


def order_correlation(depth: xr.Dataset, kind: str, position: str) -> Estimate:
    """Rank correlation of the tasks' depth with the order structural < lexical < semantic = stylistic."""
    return estimate(depth.sel(kind=kind, position=position), "rank_correlation")


def depth_steps(depth: xr.Dataset, kind: str, position: str) -> dict[str, Estimate]:
    """From each rank of that order to the next, as far as both have tasks that can be read, in relative depth: what decides."""
    here = depth.sel(kind=kind, position=position)
    steps = {str(step): estimate(here.sel(step=step), "gain") for step in here["step"].values}
    return {step: found for step, found in steps.items() if found.bounded}
