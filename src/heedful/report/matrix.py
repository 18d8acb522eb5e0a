"""Where the cells and the tree of a matrix of tasks go: numbers in, SVG coordinates out.

Transfer: rows are the tasks that probes were trained on, columns the tasks that they read. Ablation: rows are the tasks that
were erased, columns the tasks that were read. Both in the order of the leaves of transfer's tree.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import xarray as xr

from heedful.lenses.transfer import NAMED_PAIRS
from heedful.report.findings import CHANCE, LEVEL, Cell, by_pair, estimate
from heedful.report.wording import Estimate, interval, number, task_name, with_interval

REACH = 0.5
"""Of the darkest shade, to either side."""
_LEFT, _TOP, _CELL, _TREE = 112.0, 96.0, 46.0, 96.0
_LEAST_WIDTH = 340.0  # of few tasks: what is written below them takes so much
DARK = 6  # from this shade on, a light number reads better than a dark one


class MatrixCell(NamedTuple):
    """One pair of tasks: `shade` is −10 … 10 steps from chance."""

    x: float
    y: float
    shade: int
    value: float
    strong: bool
    """Told from chance, corrected over all pairs."""
    light: bool
    text: str


class Branch(NamedTuple):
    """One merge of the tree."""

    path: str
    x: float
    y: float
    support: str
    text: str


class Names(NamedTuple):
    """The task of a row or column, and where its name stands."""

    at: float
    name: str


@dataclass(frozen=True)
class Grid:
    """Cells with their names, in SVG units; `branches` is empty where there is no tree."""

    tasks: list[str]
    """In the order of rows and columns; `cells` go row by row."""
    cells: list[MatrixCell]
    rows: list[Names]
    columns: list[Names]
    branches: list[Branch]
    cell: float
    left: float
    top: float
    width: float
    height: float

    @property
    def pairs(self) -> int:
        """Ordered pairs of different tasks."""
        return len(self.rows) * (len(self.rows) - 1)

    @property
    def told(self) -> int:
        """Of these, the ones told from chance."""
        return len(self._strong())

    @property
    def reversed(self) -> int:
        """Of those told from chance, the ones below it."""
        return sum(cell.value < CHANCE for cell in self._strong())

    def _strong(self) -> list[MatrixCell]:
        n = len(self.rows)
        return [cell for i, cell in enumerate(self.cells) if i // n != i % n and cell.strong]


@dataclass(frozen=True)
class Matrix:
    """Transfer by one kind of labels: the figure, and the numbers that its caption says."""

    grid: Grid
    site: str
    position: str
    mean: Estimate
    planned: list[tuple[str, str, Estimate]]
    """The pairs said to transfer that both can be read, each with its share of d′ less that of all other pairs."""
    others: Estimate
    """Share of the d′ of own probes that those pairs reach."""
    unread: list[str]
    """Tasks that their own probe does not read there: they take no part in it."""
    mantel: float
    mantel_p: float


class Edge(NamedTuple):
    """A task that loses beyond both controls when another is erased."""

    erased: str
    target: str
    drop: Estimate


@dataclass(frozen=True)
class Drops:
    """Ablation by one kind of labels: the figure, the edges, and how much of what was erased is gone."""

    grid: Grid
    site: str
    position: str
    edges: list[Edge]
    left: list[tuple[str, Estimate, Estimate]]
    """Task, AUROC before, and after it was itself erased, of new probes of rows that the eraser never saw."""
    own: Estimate
    """Share of the erased tasks' own AUROC − 0.5 that goes so."""
    of_own: Estimate
    """The same of all other tasks, over that."""
    min_drop: float
    """AUROC that a drop must exceed to count."""
    damage: dict[str, Estimate]
    """Share of the other tasks' AUROC − 0.5 that goes on average, by reading: 'refitted' and 'frozen'."""

    @property
    def tasks(self) -> list[str]:
        """In the order of the rows."""
        return [task for task, *_ in self.left]


def matrix(transfer: xr.Dataset, kind: str, order: Sequence[str] | None = None) -> Matrix | None:
    """The figure of a kind of labels; None where fewer than two tasks could be compared.

    Args:
        order: of the tasks, to lay several matrices side by side, without their trees; by default its own tree's.
    """
    found = transfer.sel(kind=kind)
    n = int(found["n_tasks"])
    if n < 2:
        return None
    leaves = leaf_order(found, "auroc")
    branches = _branches(found, leaves) if order is None else []
    tasks = leaves if order is None else [task for task in order if task in leaves]
    pair = by_pair(found, "source", "target")
    unread = [task for task in tasks if not float(found["auroc_low"].sel(source=task, target=task)) > CHANCE]

    def cell(source: str, target: str, x: float, y: float) -> MatrixCell:
        return transfer_cell(pair(source, target), source, target, x, y)

    return Matrix(
        grid=grid(tasks, cell, branches),
        site=str(found["shared_site"].item()),
        position=str(found["shared_position"].item()),
        mean=estimate(found, "mean_off_diagonal"),
        planned=[(a, b, one) for a, b in NAMED_PAIRS if (one := _planned(found, f"{a} and {b}")).bounded],
        others=estimate(found, "mean_share"),
        unread=unread,
        mantel=float(found["mantel"]),
        mantel_p=float(found["mantel_p"]),
    )


def _planned(found: xr.Dataset, pair: str) -> Estimate:
    return estimate(found.sel(pair=pair), "planned")


def drops(ablation: xr.Dataset, transfer: xr.Dataset, kind: str) -> Drops | None:
    """The figure of the eraser that decides; None where fewer than two tasks could be compared."""
    by_reading = ablation.sel(kind=kind, eraser=ablation.attrs["headline_eraser"])
    found = by_reading.sel(reading=ablation.attrs["headline_reading"])
    if int(found["n_tasks"]) < 2:
        return None
    order = [
        task
        for task in leaf_order(transfer.sel(kind=kind), "auroc")
        if bool(found["before"].sel(target=task).notnull())
    ]
    pair = by_pair(found, "erased", "target")

    def cell(erased: str, target: str, x: float, y: float) -> MatrixCell:
        return _drop_cell(pair(erased, target), erased, target, x, y)

    edges = [
        Edge(a, b, estimate(here, "drop"))
        for a in order
        for b in order
        if a != b and (here := pair(a, b))["q_value"] <= LEVEL
    ]
    left = [
        (
            task,
            estimate(found.sel(target=task), "before_own"),
            estimate(pair(task, task), "after"),
        )
        for task in order
    ]
    return Drops(
        grid=grid(order, cell, []),
        site=str(found["shared_site"].item()),
        position=str(found["shared_position"].item()),
        edges=sorted(edges, key=lambda edge: -edge.drop.value),
        left=left,
        own=estimate(found, "own"),
        of_own=estimate(found, "damage_of_own"),
        min_drop=float(ablation.attrs["min_drop"]),
        damage={
            str(reading): estimate(by_reading.sel(reading=reading), "damage")
            for reading in by_reading["reading"].values
        },
    )


def leaf_order(found: xr.Dataset, name: str) -> list[str]:
    """The tasks of a matrix that have a result, in the order of the tree's leaves."""
    tasks = [str(task) for task in found["task"].values]
    order = [tasks[i] for i in found["order"].values]
    return [task for task in order if bool(found[name].sel(source=task, target=task).notnull())]


def grid(order: list[str], cell: Callable[[str, str, float, float], MatrixCell], branches: list[Branch]) -> Grid:
    """A square of tasks: `cell` draws a pair (row, column) at its place."""
    cells = [
        cell(row, column, _LEFT + j * _CELL, _TOP + i * _CELL)
        for i, row in enumerate(order)
        for j, column in enumerate(order)
    ]
    n, tree = len(order), _TREE if branches else 0.0
    return Grid(
        tasks=order,
        cells=cells,
        rows=[Names(_TOP + (i + 0.5) * _CELL, task_name(task)) for i, task in enumerate(order)],
        columns=[Names(_LEFT + (i + 0.5) * _CELL, task_name(task)) for i, task in enumerate(order)],
        branches=branches,
        cell=_CELL,
        left=_LEFT,
        top=_TOP,
        width=max(_LEFT + n * _CELL + tree + 48, _LEAST_WIDTH),
        height=_TOP + n * _CELL + 24,
    )


def transfer_cell(cell: Cell, source: str, target: str, x: float, y: float) -> MatrixCell:
    """A pair of the transfer matrix, at its place; pale where it has no result."""
    auroc = estimate(cell, "auroc")
    own = source == target
    q = float(cell["p_value" if own else "q_value"])
    shade = round((auroc.value - CHANCE) / REACH * 10) if auroc.known else 0
    text = f"trained on {task_name(source)}, read on {task_name(target)}: {with_interval(auroc)}"
    if not own:
        text += f"; {q_text(q)}"
        if "normalised" in cell and (share := estimate(cell, "normalised")).known:
            text += f"; share of its own probe’s d′ {number(share.value)} {interval(share)}"
    return MatrixCell(x, y, shade, auroc.value, q <= LEVEL, abs(shade) >= DARK, text)


def _drop_cell(cell: Cell, erased: str, target: str, x: float, y: float) -> MatrixCell:
    drop = estimate(cell, "drop")
    permuted, random = float(cell["drop_permuted"]), float(cell["drop_random"])
    own = erased == target
    q = float(cell["p_value" if own else "q_value"])
    shade = max(-10, min(10, round(drop.value / REACH * 10)))
    text = (
        f"{task_name(erased)} erased, {task_name(target)} read: drop in AUROC {with_interval(drop)}; under permuted labels "
        f"{number(permuted)}, under random directions {number(random)}"
    )
    text += "" if own else f"; {q_text(q)}"
    return MatrixCell(x, y, shade, drop.value, q <= LEVEL, abs(shade) >= DARK, text)


def q_text(value: float) -> str:
    """A p adjusted for all pairs, in words."""
    return "q under 0.001" if value < 0.001 else f"q {number(value, 3)}"


def _branches(found: xr.Dataset, order: list[str]) -> list[Branch]:
    """The tree, to the right of the matrix: leaves at the rows, merges as far right as their tasks are apart."""
    tasks = [str(task) for task in found["task"].values]
    merges = np.flatnonzero(found["height"].notnull().values)
    if not len(merges):
        return []
    x0, nearest, farthest = _LEFT + len(order) * _CELL + 6, float(found["height"].min()), float(found["height"].max())
    # Of each cluster so far: where its stem stands.
    stems = {frozenset({task}): (x0, _TOP + (i + 0.5) * _CELL) for i, task in enumerate(order)}
    branches = []
    for merge in merges:
        members = frozenset(t for t, inside in zip(tasks, found["merged"].values[merge], strict=True) if inside)
        a, b = [cluster for cluster in stems if cluster <= members]
        (xa, ya), (xb, yb) = stems.pop(a), stems.pop(b)
        share = (float(found["height"][merge]) - nearest) / max(farthest - nearest, 1e-9)
        x = round(x0 + (0.2 + 0.8 * share) * _TREE, 1)
        stems[members] = (x, (ya + yb) / 2)
        support = float(found["support"][merge])
        names = ", ".join(task_name(task) for task in order if task in members)
        branches.append(
            Branch(
                f"M{xa:g},{ya:g}H{x:g}V{yb:g}H{xb:g}",
                x,
                (ya + yb) / 2,
                f"{100 * support:.0f}",
                f"{names}: in {100 * support:.0f} % of the drawn matrices",
            )
        )
    return branches
