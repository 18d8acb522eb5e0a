"""Which cells (a site and a position) a choice may fall on, the cell that inner folds choose for all tasks at once, and the
probes there.

Knows fits, and no lens.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.lenses.data import Examples, Kind, StudyData
from heedful.lenses.fits import Fits, TaskFits
from heedful.probes import BestCell, LinearProbes, PrincipalRows, best_cell, fit_logistic, principal_rows


class Candidates(NamedTuple):
    """Where the best cell is looked for, and the rows that every such cell has."""

    positions: list[int]
    rows: Bool[Tensor, " sample"]


def candidates(data: StudyData, f: TaskFits, kind: Kind) -> Candidates:
    """Positions of the most rows (of all, in a default study), less leak checks and quantiles of the response."""
    count = f.valid.sum(-1).tolist()
    able = [p for p, name in enumerate(data.positions) if not data.is_leak_check(kind, name) and "%" not in name]
    most = max((count[p] for p in able), default=0)
    positions = [p for p in able if count[p] == most]
    return Candidates(positions, f.valid[positions].all(0))


class NestedCells(NamedTuple):
    """The cell of each outer fold, chosen on its inner folds by the specialist."""

    scores: Float[Tensor, "probe sample"]
    """Of the candidates' rows, each by its fold's cell."""
    cells: list[tuple[int, int]]
    """Site and position."""
    most: tuple[int, int]
    """The cell that the most folds chose."""

    def of(
        self, scores: Float[Tensor, "*lead site position sample"], fold: Int[Tensor, " sample"]
    ) -> Float[Tensor, "*lead sample"]:
        """Other scores of these rows, each by its fold's cell."""
        site, position = torch.tensor(self.cells).T[:, fold]
        return scores[..., site, position, torch.arange(len(fold))]


def nested_cells(f: TaskFits, able: Candidates) -> NestedCells:
    """Nested choice of a task's best cell: for every probe the specialist's, so that they are compared on the same states."""
    positions = able.positions
    inner = f.inner_auroc[:, positions].flatten(0, 1)  # [cell, fold], position fastest
    scores = f.scores[:, :, positions][..., able.rows].flatten(1, 2).transpose(0, 1)  # [cell, probe, sample]
    best = best_cell(inner.unsqueeze(1).expand(-1, scores.shape[1], -1), scores, f.examples.fold[able.rows])
    cells = [(c // len(positions), positions[c % len(positions)]) for c in best.cell[0].tolist()]
    return NestedCells(best.scores, cells, Counter(cells).most_common(1)[0][0])


def own_site(
    inner_auroc: Float[Tensor, "site fold"], scores: Float[Tensor, "site sample"], fold: Int[Tensor, " sample"]
) -> BestCell:
    """Nested choice of the site at one position, for one probe: its scores are those of problem 0."""
    return best_cell(inner_auroc.unsqueeze(1), scores.unsqueeze(1), fold)


class AtPosition(NamedTuple):
    """The specialist at one position, each fold at the site that its inner folds chose."""

    rows: Examples
    scores: Float[Tensor, " sample"]
    noise: Float[Tensor, ""]


def at_position(f: TaskFits, p: int) -> AtPosition:
    """Nested choice of the site, at a position by its index."""
    valid = f.valid[p]
    rows = f.examples.take(valid)
    best = own_site(f.inner_auroc[:, p], f.scores[0, :, p, valid], rows.fold)
    cells = [(site, p) for site in best.cell[0].tolist()]
    return AtPosition(rows, best.scores[0], f.noise_at(cells)[0])


class SharedCells(NamedTuple):
    """One cell for all tasks, an outer fold each."""

    fits: Mapping[str, TaskFits]
    """Of the tasks that take part, in the standard order."""
    examples: Mapping[str, Examples]
    """Of each task: the rows that every candidate position has."""
    cells: list[tuple[int, int]]
    """Site and position."""
    site: str
    position: str
    """The cell that the most folds chose."""

    def noise(self, task: str) -> Float[Tensor, ""]:
        """Share of noise in the task's probes, for intervals."""
        return self.fits[task].noise_at(self.cells)[0]


def shared_cells(
    data: StudyData, fits: Fits, kind: Kind, *, without: Collection[str] = (), sites: Sequence[str] | None = None
) -> SharedCells | None:
    """The cell of the best mean inner AUROC over tasks, chosen for each outer fold on its inner folds.

    Args:
        without: positions that cannot be chosen.
        sites: among which to choose; all by default.

    None with fewer than two tasks, or where they share no position that could be chosen.
    """
    mine = {task: fits.tasks[kind, task] for task in data.tasks if (kind, task) in fits.tasks}
    able = {task: candidates(data, f, kind) for task, f in mine.items()}
    able = {task: c for task, c in able.items() if c.positions and mine[task].examples.take(c.rows).enough}
    mine = {task: f for task, f in mine.items() if task in able}
    common = set.intersection(*(set(c.positions) for c in able.values())) if len(able) > 1 else set()
    positions = sorted(p for p in common if data.positions[p] not in without)
    if not positions:
        return None
    inner = torch.stack([f.inner_auroc[:, positions] for f in mine.values()]).nanmean(0)  # [site, position, fold]
    inner = inner.nan_to_num(-1)
    if sites is not None:
        inner[[site not in sites for site in data.sites]] = -2
    best = inner.flatten(0, 1).argmax(0)
    cells = [(cell // len(positions), positions[cell % len(positions)]) for cell in best.tolist()]
    (s, p), _ = Counter(cells).most_common(1)[0]
    rows = {task: f.examples.take(able[task].rows) for task, f in mine.items()}
    return SharedCells(mine, rows, cells, data.sites[s], data.positions[p])


@dataclass(frozen=True)
class SharedFold:
    """One outer fold at its shared cell: what was trained on, a probe a task, and what is held out."""

    fold: int
    kept: Mapping[str, Bool[Tensor, " sample"]]
    """Which rows of a task are trained on: neither the fold's nor those of held-out templates."""
    trained: Mapping[str, Float[Tensor, "kept hidden"]]
    """Their states."""
    label: Mapping[str, Int[Tensor, " kept"]]
    weight: Mapping[str, Float[Tensor, " kept"]]
    """Training weights, balanced."""
    C: Mapping[str, float]
    held: Mapping[str, Float[Tensor, "held hidden"]]
    """States of the fold's rows."""
    rows: Mapping[str, Bool[Tensor, " sample"]]
    """Which rows of a task the fold holds."""

    @cached_property
    def rotated(self) -> Mapping[str, PrincipalRows]:
        """What is trained on, on its principal axes."""
        return {task: principal_rows(x) for task, x in self.trained.items()}

    @cached_property
    def probes(self) -> Mapping[str, LinearProbes]:
        """Each task's, without the fold."""
        return {
            task: fit_logistic(rows, self.label[task][None], self.weight[task][None], self.C[task], tol=1e-2)
            for task, rows in self.rotated.items()
        }

    def trained_on(self, rows: Mapping[str, Bool[Tensor, " kept"]]) -> SharedFold:
        """The same fold with some tasks, and some of their training rows."""
        kept = {task: self.kept[task].clone() for task in rows}
        for task, mine in rows.items():
            kept[task][self.kept[task]] = mine
        trained, label, weight = (
            {task: each[task][mine] for task, mine in rows.items()} for each in (self.trained, self.label, self.weight)
        )
        return replace(self, kept=kept, trained=trained, label=label, weight=weight)


def parted(fold: SharedFold, shared: SharedCells) -> tuple[SharedFold, SharedFold]:
    """The fold twice, its training rows shared out: to fit erasers on, and what those never saw, to fit new probes on.

    The latter are those of the fold that comes next (of five folds; the next two of nine, and so on), so that no base prompt
    is on both sides and each serves as often. A task without both classes on either side is in neither.
    """
    n_folds = len(shared.cells)
    later = torch.tensor([(fold.fold + 1 + i) % n_folds for i in range(max(1, (n_folds - 1) // 4))])
    unseen = {task: torch.isin(mine.fold[fold.kept[task]], later) for task, mine in shared.examples.items()}
    for task, rows in [*unseen.items()]:
        if any({*fold.label[task][side].tolist()} != {0, 1} for side in (rows, ~rows)):
            del unseen[task]
    return fold.trained_on({task: ~rows for task, rows in unseen.items()}), fold.trained_on(unseen)


def shared_folds(data: StudyData, shared: SharedCells) -> Iterator[SharedFold]:
    """Fold by fold, every task's probe at the cell that the fold chose, at the C that the task chose there."""
    examples = shared.examples
    for fold, (site, position) in enumerate(shared.cells):
        x = {t: data.states((data.sites[site],), data.positions[position], mine)[0] for t, mine in examples.items()}
        weight = {t: mine.weight * (mine.fold != fold) for t, mine in examples.items()}
        kept = {t: each > 0 for t, each in weight.items()}
        trained = {t: x[t][kept[t]] for t in examples}
        label = {t: mine.label[kept[t]] for t, mine in examples.items()}
        weight = {t: each[kept[t]] for t, each in weight.items()}
        chosen = {t: f.C[site, position] for t, f in shared.fits.items()}
        C = {t: float(each[fold]) for t, each in chosen.items()}
        rows = {t: mine.fold == fold for t, mine in examples.items()}
        held = {t: x[t][rows[t]] for t in examples}
        yield SharedFold(fold, kept, trained, label, weight, C, held, rows)
