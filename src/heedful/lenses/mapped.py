"""Transfer between best sites: what does a probe at its own task's best cell say of another task, read at that one's?

Two tasks may use one mechanism at different depths, which a shared cell would miss. So the target's states, at the target's
best cell, are mapped into the source's before its probe reads them: not at all, by ridge regression, or along canonical
directions. Maps are fitted without labels, on the target's rows of the training folds. How well the two cells go together at
all is told beside: a map that carries little cannot carry a task. Tells nothing of any claim; `transfer` decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
import xarray as xr
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.lenses.cells import candidates, nested_cells
from heedful.lenses.data import KINDS, Examples, Kind, StudyData
from heedful.lenses.fits import Fits, TaskFits
from heedful.lenses.result import LEVEL, Canvas, bounded, canvases, coordinates, put, sizes, variable, words
from heedful.lenses.transfer import N_PERMUTATIONS, named_pairs
from heedful.probes import (
    Jackknife,
    LinearProbes,
    View,
    benjamini_hochberg,
    canonical_pairs,
    combine,
    fit_logistic,
    label_sets_auroc,
    permutation_p,
    ridge_map,
    view_of,
)

MAPPINGS = ("none", "ridge", "cca")

_MATRIX = ("kind", "mapping", "source", "target")
_OVER = ("kind", "mapping")
_ABOUT = bounded(
    {
        "auroc": (_MATRIX, "AUROC on the target, mapped from its best cell into the source's", "probability; 0.5 is chance"),
        "planned": (_OVER, "mean AUROC of the named pairs − mean of all other pairs", "difference in AUROC"),
        "mean_off_diagonal": (_OVER, "mean AUROC over pairs of different tasks", "probability; 0.5 is chance"),
    }
) | {
    "p_value": (_MATRIX, "share of permutations of the target's labels as far from 0.5, with one added", "probability"),
    "q_value": (_MATRIX, "p adjusted for the false discovery rate over all pairs of tasks", "probability"),
    "pwcca": (
        ("kind", "source", "target"),
        "projection-weighted canonical correlation of the two cells' states, on held-out rows",
        "correlation",
    ),
}  # fmt: skip


def mapped(data: StudyData, fits: Fits) -> xr.Dataset:
    """Transfer between each pair of tasks' best cells, by mapping; intervals, null and correction as in `transfer`."""
    n = sizes(data, mapping=len(MAPPINGS), source=len(data.tasks), target=len(data.tasks))
    canvas = canvases(_ABOUT, n)
    canvas["n_tasks"] = Canvas(n, ("kind",), torch.long)
    site, position = ([["" for _ in data.tasks] for _ in KINDS] for _ in range(2))
    for k, kind in enumerate(KINDS):
        sources = _sources(data, fits, kind)
        if len(sources) < 2:
            continue
        canvas["n_tasks"][k] = len(sources)
        at = torch.tensor([data.tasks.index(task) for task in sources])
        for t, source in zip(at.tolist(), sources.values(), strict=True):
            s, p = source.most
            site[k][t], position[k][t] = data.sites[s], data.positions[p]
        read = [_read(data, task, sources) for task in sources]
        _write(data, canvas, k, at, sources, read)
    variables = {name: variable(canvas[name], *about) for name, (_, *about) in _ABOUT.items()}
    variables["n_tasks"] = variable(canvas["n_tasks"], "tasks in the matrix", "tasks")
    variables["best_site"] = words(("kind", "task"), site, "site that the most folds chose for the task")
    variables["best_position"] = words(("kind", "task"), position, "position that the most folds chose for the task")
    attrs = {
        "level": LEVEL,
        "interval": "cluster jackknife over base prompts, Student's t; logit scale for AUROC, plain for differences",
        "maps": "fitted without labels on the target's training folds; none where both tasks' cell is the same",
        "n_permutations": N_PERMUTATIONS,
        "seed": data.seed,
    }
    return xr.Dataset(variables, coordinates(data, mapping=MAPPINGS, source=data.tasks, target=data.tasks), attrs)


class _Source(NamedTuple):
    """A task with its probes, an outer fold each."""

    rows: Examples
    noise: float
    cells: list[tuple[int, int]]
    most: tuple[int, int]
    probes: list[LinearProbes]


def _sources(data: StudyData, fits: Fits, kind: Kind) -> dict[str, _Source]:
    """Of each task that has rows enough at the positions that can be chosen."""
    found = {}
    for task in data.tasks:
        f = fits.tasks.get((kind, task))
        if f is None:
            continue
        able = candidates(data, f, kind)
        rows = f.examples.take(able.rows)
        if not able.positions or not rows.enough:
            continue
        nested = nested_cells(f, able)
        probes = [_probe(data, f, rows, fold, cell) for fold, cell in enumerate(nested.cells)]
        found[task] = _Source(rows, float(f.noise_at(nested.cells)[0]), nested.cells, nested.most, probes)
    return found


def _probe(data: StudyData, f: TaskFits, rows: Examples, fold: int, cell: tuple[int, int]) -> LinearProbes:
    """The specialist of a fold at its cell."""
    s, p = cell
    x = data.states((data.sites[s],), data.positions[p], rows)[0]
    weight = rows.weight * (rows.fold != fold)
    return fit_logistic(x, rows.label[None], weight[None], float(f.C[s, p, fold]), tol=1e-2)


@dataclass
class _Read:
    """A target's rows, as every source's probe scored them."""

    scores: Float[Tensor, "mapping source sample"]
    pwcca: Float[Tensor, "source fold"]


def _read(data: StudyData, target: str, sources: Mapping[str, _Source]) -> _Read:
    """Fold by fold, each source's probe on the target's held-out rows, by each mapping."""
    rows, own_cells = sources[target].rows, sources[target].cells
    states = _States(data, rows)
    found = _Read(
        torch.full((len(MAPPINGS), len(sources), len(rows)), torch.nan),
        torch.full((len(sources), len(own_cells)), torch.nan),
    )
    for fold, here in enumerate(own_cells):
        held = rows.fold == fold
        if not bool(held.any()):
            continue
        x = states.at(here)
        for i, source in enumerate(sources.values()):
            there, probe = source.cells[fold], source.probes[fold]
            both = held & states.has(there)
            if here == there:
                found.scores[:, i, held] = probe.scores(x[held])
                found.pwcca[i, fold] = 1.0
                continue
            trained = (rows.fold != fold) & ~rows.held_out & states.has(there)
            if not bool(both.any()) or not rows.take(trained).enough:
                continue
            y = states.at(there)
            a, b = states.view(here, trained, fold), states.view(there, trained, fold)
            pairs = canonical_pairs(a, b)
            weights, intercept = ridge_map(a, probe.scores(y[trained]).mT)
            found.scores[0, i, both] = probe.scores(x[both])[0]
            found.scores[1, i, both] = (x[both] @ weights + intercept)[:, 0]
            found.scores[2, i, both] = probe.scores(pairs.carried(x[both]))[0]
            found.pwcca[i, fold] = pairs.weighted(x[both], y[both])
    return found


@dataclass
class _States:
    """A target's states at the cells that are asked for, read once."""

    data: StudyData
    rows: Examples
    _read: dict[tuple[int, int], Tensor] = field(default_factory=dict)
    _views: dict[tuple[tuple[int, int], int, int], View] = field(default_factory=dict)

    def has(self, cell: tuple[int, int]) -> Bool[Tensor, " sample"]:
        return self.data.valid(self.data.positions[cell[1]], self.rows)

    def at(self, cell: tuple[int, int]) -> Float[Tensor, "sample hidden"]:
        """Zero in rows that lack the position."""
        if cell not in self._read:
            s, p = cell
            has = self.has(cell)
            x = torch.zeros(len(self.rows), self.data.hidden)
            x[has] = self.data.states((self.data.sites[s],), self.data.positions[p], self.rows.take(has))[0]
            self._read[cell] = x
        return self._read[cell]

    def view(self, cell: tuple[int, int], trained: Bool[Tensor, " sample"], fold: int) -> View:
        key = (cell, fold, int(trained.sum()))
        if key not in self._views:
            self._views = {known: one for known, one in self._views.items() if known[1] == fold}
            self._views[key] = view_of(self.at(cell)[trained])
        return self._views[key]


def _write(
    data: StudyData, canvas: dict[str, Canvas], k: int, at: Tensor, sources: Mapping[str, _Source], read: list[_Read]
) -> None:
    columns = list(_columns(data, sources, read))
    matrix = combine(lambda *each: torch.stack(each, -1 if each[0].ndim == 2 else 2), *(one for one, _ in columns))
    p = torch.stack([p for _, p in columns], -1)  # [mapping, source, target]
    cells = (k, slice(None), at.unsqueeze(1), at)
    put(canvas, "auroc", cells, matrix, "logit")
    canvas["p_value"][cells] = p
    different = ~torch.eye(len(at), dtype=torch.bool)
    canvas["q_value"][cells] = torch.stack([benjamini_hochberg(torch.where(different, each, torch.nan)) for each in p])
    canvas["pwcca"][k, at.unsqueeze(1), at] = torch.stack([one.pwcca.nanmean(1) for one in read], 1)
    readable = matrix.interval(LEVEL, "logit").low[0].diagonal() > 0.5
    *each, others = (pairs & readable.outer(readable) for pairs in named_pairs(list(sources)))
    named = torch.stack(each).any(0)
    put(canvas, "mean_off_diagonal", k, combine(lambda m: _mean(m, different), matrix), "logit")
    if bool(named.any()) and bool(others.any()):
        put(canvas, "planned", k, combine(lambda m: _mean(m, named) - _mean(m, others), matrix))


def _columns(
    data: StudyData, sources: Mapping[str, _Source], read: list[_Read]
) -> Iterator[tuple[Jackknife, Float[Tensor, "mapping source"]]]:
    """Of each target: AUROC [mapping, source] of every probe, and its permutation p. Of its own rows, its own probe alone
    is trained on their labels."""
    for own, (target, one) in enumerate(zip(sources.values(), read, strict=True)):
        rows = target.rows
        found = data.auroc(one.scores, rows)
        noise = torch.where(torch.arange(len(sources)) == own, target.noise, 0.0)
        yield found.cross_fitted(noise), _p(data, rows, one.scores, found.estimate)


def _p(
    data: StudyData, rows: Examples, scores: Float[Tensor, "mapping source sample"], observed: Tensor
) -> Float[Tensor, "mapping source"]:
    """Rows without a position have no score; sources that share those rows are permuted together."""
    p = torch.full(observed.shape, torch.nan, dtype=torch.float64)
    for source in range(scores.shape[1]):
        kept = ~scores[:, source].isnan().any(0)
        if bool(kept.any()):
            mine = rows.take(kept)
            null = label_sets_auroc(scores[:, source, kept], mine.permuted(N_PERMUTATIONS, data.seed), mine.fold)
            p[:, source] = permutation_p(observed[:, source], null, alternative="two-sided")
    return p


def _mean(
    matrix: Float[Tensor, "mapping source target *group"], pairs: Bool[Tensor, "source target"]
) -> Float[Tensor, "mapping ..."]:
    """Over pairs of tasks that could be mapped."""
    mean: Tensor = matrix[:, pairs].nanmean(1)
    return mean
