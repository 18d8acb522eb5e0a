"""What `--extras` puts beside the specialists: curves by layer, numbers, and a sentence. None of it in a study without it.

Numbers in, what the page draws and says out.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

import xarray as xr

from heedful.lenses.extras import NO_FORMAT, RANDOM, READINGS, SPECIALIST
from heedful.report.figures import Curve, CurvePanel, lowest_shown, panel_of
from heedful.report.findings import CHANCE, estimate
from heedful.report.run import Run
from heedful.report.wording import Estimate, count, listed, task_name

DRAWN = {SPECIALIST: "specialist", NO_FORMAT: "general_each", RANDOM: "held_out"}
"""Readings with a curve → the mark that it is drawn with."""


class Row(NamedTuple):
    """A task's readings: AUROC at the position and site that each fold's inner folds chose, and the specialist's lead over it.
    `position`: of the most folds."""

    task: str
    family: str
    position: str
    best: dict[str, Estimate]
    lead: dict[str, Estimate]

    @property
    def specialist(self) -> Estimate:
        """AUROC of the specialist, nothing taken off."""
        return self.best[SPECIALIST]


class Drawn(NamedTuple):
    """What the page shows, by kind of labels."""

    rows: dict[str, list[Row]]
    panels: dict[str, dict[str, CurvePanel | None]]
    readings: tuple[str, ...]
    """All but the specialist."""


@dataclass(frozen=True)
class Beside:
    """The lens's result, and what it says of each task that has a position, by kind."""

    found: xr.Dataset
    rows: dict[str, list[Row]]

    @property
    def low(self) -> float:
        """The lower end of an AUROC axis that shows all curves."""
        return lowest_shown(self.found["auroc"].sel(reading=list(DRAWN)))

    def drawn(self, low: float) -> Drawn:
        """For the page, on an axis that begins at `low`."""
        panels = {
            k: {row.task: _panel(self.found.sel(kind=k, task=row.task), low) for row in self.rows[k]} for k in self.rows
        }
        return Drawn(self.rows, panels, READINGS[1:])


def beside(run: Run) -> Beside | None:
    """None where the study was run without."""
    if run.extras is None:
        return None
    rows: dict[str, list[Row]] = {str(kind): [] for kind in run.extras["kind"].values}
    for kind, task in ((kind, task) for kind in rows for task in run.tasks):
        cell = run.extras.sel(kind=kind, task=task)
        best, lead = (
            {name: estimate(cell.sel(reading=name), what) for name in READINGS} for what in ("best_auroc", "lead")
        )
        if best[SPECIALIST].known:
            rows[kind].append(Row(task, run.family(task), str(cell["position"].item()), best, lead))
    return Beside(run.extras, rows)


def beside_sentences(found: Beside | None, kind: str, can_be_read: Collection[str]) -> list[str]:
    """Of the tasks that can be read: which still can when length and format are gone, and which can in random weights."""
    readable = [row for row in found.rows[kind] if row.task in can_be_read] if found else []
    if not readable:
        return []
    gone = [task_name(row.task) for row in readable if not row.best[NO_FORMAT].low > CHANCE]
    tokens = [task_name(row.task) for row in readable if row.best[RANDOM].low > CHANCE]
    skills = "skill" if len(readable) == 1 else "skills"
    said = (
        f"{listed(gone)} no longer can" if gone else "it still can" if len(readable) == 1 else "all of them still can"
    )
    first = f"Of {count(len(readable))} {skills} that can be read, with length and format regressed out {said}"
    random = f"{listed(tokens)} can as well" if tokens else "none can"
    return [f"{first}; in the same architecture with random weights, {random}."]


def _panel(cell: xr.Dataset, low: float) -> CurvePanel | None:
    curves = []
    for reading, mark in DRAWN.items():
        here = cell.sel(reading=reading)
        value, lower, upper = (here[name].values.astype(float) for name in ("auroc", "auroc_low", "auroc_high"))
        curves.append(Curve(mark, reading, value, lower, upper))
    return panel_of(cell, curves, low)
