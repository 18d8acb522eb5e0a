"""What is left of each task's reading when its instruction is taken out of the context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from heedful.report.findings import estimate
from heedful.report.run import Run
from heedful.report.wording import Estimate


class Left(NamedTuple):
    """A task's AUROC and the energy of its trace, with the instruction in context and without."""

    task: str
    family: str
    with_it: Estimate
    without: Estimate
    energy_with: Estimate
    energy_without: Estimate


@dataclass(frozen=True)
class Specificity:
    """Every task that could be read, and what all of them come to."""

    rows: list[Left]
    site: str
    position: str
    lost: Estimate
    ratio: Estimate
    random: float


def specificity(run: Run, kind: str) -> Specificity | None:
    """Of a kind of labels; None where no task could be read."""
    found = run.specificity.sel(kind=kind)
    names = ("auroc_with", "auroc_without", "energy_with", "energy_without")
    rows = [Left(t, run.family(t), *(estimate(found.sel(task=t), name) for name in names)) for t in run.tasks]
    if not (known := [row for row in rows if row.with_it.known]):
        return None
    return Specificity(
        rows=known,
        site=str(found["shared_site"].item()),
        position=str(found["shared_position"].item()),
        lost=estimate(found, "specificity"),
        ratio=estimate(found, "energy_ratio"),
        random=float(found["energy_random"]),
    )
