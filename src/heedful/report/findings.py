"""What the results say of each task, in the categories that the report's sentences use.

A comparison counts only where intervals are apart: what overlaps is undecided, and is said to be. Reads the lenses'
results; writes no sentence.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import xarray as xr

from heedful.probes import benjamini_hochberg
from heedful.report.run import Run
from heedful.report.wording import Estimate

CHANCE = 0.5
LEVEL = 0.05

Standing = Literal["beyond", "above", "undecided", "below", "too few"]
"""Of a specialist probe: *beyond* every baseline; *above* chance but not clearly beyond a baseline; *undecided*, since not
told from chance; *below* chance; or not fitted for want of rows."""

Winner = Literal["specialist", "general", "undecided"]


@dataclass(frozen=True)
class TaskFinding:
    """One task under one kind of labels. AUROC throughout; the site and position were chosen on inner folds.

    Attributes:
        site, position: what most folds chose.
        gap: specialist minus general, paired.
        control: AUROC on the control tasks.
        selectivity: specialist minus control, paired.
        p_value, p_adjusted: of the permutation null there; Benjamini–Hochberg over the tasks.
        baselines: what text and likelihood alone tell, by name.
    """

    task: str
    family: str
    too_few: bool
    n_rows: int
    n_positive: int
    n_groups: int
    specialist: Estimate
    general: Estimate
    general_total: Estimate
    held_out: Estimate
    balanced_accuracy: float
    site: str
    position: str
    gap: Estimate
    control: Estimate
    selectivity: Estimate
    p_value: float
    p_adjusted: float
    null_high: float
    baselines: dict[str, Estimate]

    @property
    def best_baseline(self) -> tuple[str, Estimate]:
        """The baseline of the highest AUROC; ('', NaN) if there is none."""
        known = {name: found for name, found in self.baselines.items() if found.known}
        best = max(known, key=lambda name: known[name].value, default="")
        return best, known.get(best, Estimate(math.nan))

    @property
    def standing(self) -> Standing:
        """Where the specialist stands."""
        if not self.specialist.bounded:
            return "too few"
        if self.specialist.high < CHANCE:
            return "below"
        if self.specialist.low <= CHANCE or not self.p_adjusted <= LEVEL:
            return "undecided"
        highest = [found.high if found.bounded else found.value for found in self.baselines.values() if found.known]
        return "beyond" if all(self.specialist.low > high for high in highest) else "above"

    @property
    def readable(self) -> bool:
        """Whether the specialist is told from chance."""
        return self.standing in ("beyond", "above")

    @property
    def winner(self) -> Winner:
        """Specialist or general, where the interval of their difference leaves out zero."""
        if not self.gap.bounded or self.gap.low <= 0 <= self.gap.high:
            return "undecided"
        return "specialist" if self.gap.low > 0 else "general"

    @property
    def shared(self) -> bool:
        """Whether a probe that never saw the task tells it from chance."""
        return self.held_out.bounded and self.held_out.low > CHANCE


def findings(run: Run, kind: str) -> list[TaskFinding]:
    """One finding a task, in the study's order."""
    found, baselines = run.specialists.sel(kind=kind), run.baselines.sel(kind=kind)
    adjusted = benjamini_hochberg(torch.from_numpy(found["p_value"].sel(task=run.tasks).values.astype(float)))
    return [
        _finding(task, run.family(task), found.sel(task=task), baselines.sel(task=task), float(adjusted[i]))
        for i, task in enumerate(run.tasks)
    ]


def deciding_kind(run: Run) -> str:
    """Contrast labels decide what specialists and general probes are worth; natural ones where there are no squares."""
    contrast = run.specialists["best_auroc"].sel(kind="contrast", probe="specialist")
    return "contrast" if bool(contrast.notnull().any()) else "natural"


def _finding(task: str, family: str, found: xr.Dataset, baselines: xr.Dataset, p_adjusted: float) -> TaskFinding:
    def best(probe: str) -> Estimate:
        return estimate(found.sel(probe=probe), "best_auroc", "best_low", "best_high")

    site, position = str(found["best_site"].item()), str(found["best_position"].item())
    fitted = site in found["site"].values and position in found["position"].values
    return TaskFinding(
        task=task,
        family=family,
        too_few=bool(found["too_few"]),
        n_rows=int(found["n_rows"]),
        n_positive=int(found["n_positive"]),
        n_groups=int(found["n_groups"]),
        specialist=best("specialist"),
        general=best("general_each"),
        general_total=best("general_total"),
        held_out=best("held_out"),
        balanced_accuracy=float(found["best_balanced_accuracy"].sel(probe="specialist")),
        site=site if fitted else "",
        position=position if fitted else "",
        gap=estimate(found, "best_gap"),
        control=estimate(found, "best_control"),
        selectivity=estimate(found, "best_selectivity"),
        p_value=float(found["p_value"]),
        p_adjusted=p_adjusted,
        null_high=float(found["null_high"]),
        baselines={
            str(name): estimate(baselines.sel(baseline=name), "auroc", "low", "high")
            for name in baselines["baseline"].values
        },
    )


Cell = Mapping[str, float]
"""The numbers of one pair of tasks, by name."""


def by_pair(found: xr.Dataset, row: str, column: str) -> Callable[[str, str], Cell]:
    """Looks up a pair's numbers: every variable along both axes and no others.

    A page asks for hundreds of pairs, and a Dataset would cut each of its variables for every one of them.
    """
    numbers = {
        str(name): variable.transpose(row, column).values
        for name, variable in found.data_vars.items()
        if {*variable.dims} == {row, column}
    }
    rows, columns = ({label: i for i, label in enumerate(found[axis].values.tolist())} for axis in (row, column))
    return lambda a, b: {name: values[rows[a], columns[b]] for name, values in numbers.items()}


def estimate(cell: xr.Dataset | Cell, value: str, low: str = "", high: str = "") -> Estimate:
    """A number and its interval, by default `value_low` and `value_high`, from scalar variables or a pair's numbers."""
    return Estimate(*(float(cell[name]) for name in (value, low or f"{value}_low", high or f"{value}_high")))
