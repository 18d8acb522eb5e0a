"""The arms of the behavioural experiment: what is done to the residual stream while the model writes, and the controls of it.

For each task an eraser, the same fitted on permuted labels, a random direction that takes off as much, and a step along the
task's direction and against it. Each is fitted on the contrast rows of the base prompts outside a fold, for the prompts
inside it, at the site that inner folds choose there among the tokens that are written: what is changed at the end of an
answer can change nothing of it. In the coordinates of the stream itself. Runs no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from heedful.erasure import Eraser, Step, fit_step
from heedful.lenses.ablation import ERASERS, N_CONTROLS, fit_variants
from heedful.lenses.cells import SharedCells, SharedFold, shared_cells, shared_folds
from heedful.lenses.data import StudyData
from heedful.lenses.fits import Fits
from heedful.probes import FeatureScale

STEP = "step"
"""In the place of an eraser's name: a step, its variants are `FORWARD` and `BACKWARD`."""
ERASED, PERMUTED, RANDOM = VARIANTS = ("erased", "permuted", "random")
FORWARD, BACKWARD = DIRECTIONS = ("towards", "away")
END = "eos"


@dataclass(frozen=True)
class Arm:
    """One thing done to the model.

    Attributes:
        how: an eraser's name, or 'step'.
        where: 'chosen', or the site that was asked for.
        task: whose trace it is about.
        variant: of an eraser: 'erased' or a control; of a step: its direction.
        sites: where it is applied, a fold each.
        changes: what is applied, a fold each, to every token.
    """

    how: str
    where: str
    task: str
    variant: str
    sites: tuple[str, ...]
    changes: tuple[Eraser | Step, ...]

    @property
    def name(self) -> str:
        """For files; unique among the arms of a study."""
        return f"{self.how}-{self.where}-{self.task}-{self.variant}"


def thirds(sites: Sequence[str]) -> tuple[str, ...]:
    """An early, a middle and a late site."""
    return tuple(dict.fromkeys(sites[round(share * (len(sites) - 1))] for share in (1 / 6, 1 / 2, 5 / 6)))


def fit_arms(
    data: StudyData, fits: Fits, *, erasers: Sequence[str] = (next(iter(ERASERS)),), sites: Sequence[str] = ()
) -> list[Arm]:
    """Every arm; none where fewer than two tasks have enough contrast rows.

    Args:
        erasers: names in `ERASERS`.
        sites: to erase at as well, beside the chosen one.
    """
    arms = []
    for where in (None, *sites):
        shared = shared_cells(data, fits, "contrast", without=(END,), sites=None if where is None else (where,))
        if shared is not None:
            arms += _at(data, shared, where or "chosen", erasers)
    return arms


def _at(data: StudyData, shared: SharedCells, where: str, erasers: Sequence[str]) -> list[Arm]:
    made: dict[tuple[str, str, str], list[Eraser | Step]] = {}
    sites = []
    for fold in shared_folds(data, shared):
        site, position = (
            names[i] for names, i in zip((data.sites, data.positions), shared.cells[fold.fold], strict=True)
        )
        scale = data.scale(site, position)
        sites.append(site)
        for task in shared.examples:
            for key, change in _of_task(shared, fold, task, erasers, data.seed).items():
                made.setdefault((key[0], task, key[1]), []).append(_unscaled(change, scale))
    return [Arm(how, where, task, variant, tuple(sites), tuple(each)) for (how, task, variant), each in made.items()]


def _of_task(
    shared: SharedCells, fold: SharedFold, task: str, erasers: Sequence[str], seed: int
) -> dict[tuple[str, str], Eraser | Step]:
    """(how, variant) → what is done, on scaled states."""
    found: dict[tuple[str, str], Eraser | Step] = {}
    for name in erasers:
        fitted = fit_variants(shared, fold, task, ERASERS[name], seed + fold.fold).erasers
        # One control of each sort a fold: over the folds they are as many draws.
        found |= dict(zip(((name, v) for v in VARIANTS), (fitted[0], fitted[1], fitted[1 + N_CONTROLS]), strict=True))
    step = fit_step(fold.trained[task], fold.label[task], fold.weight[task])
    return found | {(STEP, FORWARD): step, (STEP, BACKWARD): Step(-step.by)}


def _unscaled(change: Eraser | Step, scale: FeatureScale) -> Eraser | Step:
    return Step(change.by * scale.spread) if isinstance(change, Step) else change.unscaled(scale.center, scale.spread)
