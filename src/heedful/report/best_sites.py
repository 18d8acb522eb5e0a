"""Transfer between best sites: a matrix for each mapping, and what they come to. Numbers in, what the page says out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr

from heedful.report.findings import by_pair, estimate
from heedful.report.matrix import Grid, MatrixCell, grid, transfer_cell
from heedful.report.wording import Estimate


class Mapped(NamedTuple):
    """One mapping of the target's states into the source's."""

    name: str
    grid: Grid
    mean: Estimate
    planned: Estimate


class BestSites(NamedTuple):
    """All mappings, and where each task is read best."""

    mappings: list[Mapped]
    cells: list[tuple[str, str, str]]
    """Task, site and position."""
    pwcca: float
    """Mean over pairs of tasks whose cells differ; NaN if none do."""


def best_sites(mapped: xr.Dataset, kind: str, order: list[str]) -> BestSites | None:
    """Of a kind of labels; None where fewer than two tasks could be compared.

    Args:
        order: of the tasks, the transfer matrix's.
    """
    found = mapped.sel(kind=kind)
    if int(found["n_tasks"]) < 2:
        return None
    tasks = [task for task in order if str(found["best_site"].sel(task=task).item())]
    pwcca = found["pwcca"].sel(source=tasks, target=tasks).values
    apart = pwcca[np.isfinite(pwcca) & (pwcca < 1)]
    return BestSites(
        mappings=[_mapped(found.sel(mapping=name), str(name), tasks) for name in found["mapping"].values],
        cells=[
            (task, str(found["best_site"].sel(task=task).item()), str(found["best_position"].sel(task=task).item()))
            for task in tasks
        ],
        pwcca=float(apart.mean()) if len(apart) else float("nan"),
    )


def _mapped(found: xr.Dataset, name: str, tasks: list[str]) -> Mapped:
    pair = by_pair(found, "source", "target")

    def cell(source: str, target: str, x: float, y: float) -> MatrixCell:
        return transfer_cell(pair(source, target), source, target, x, y)

    return Mapped(
        name=name,
        grid=grid(tasks, cell, []),
        mean=estimate(found, "mean_off_diagonal"),
        planned=estimate(found, "planned"),
    )
