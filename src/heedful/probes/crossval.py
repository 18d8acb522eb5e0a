"""Out-of-fold scores of many probes: fitted without a fold's groups, scored on that fold's rows.

A *problem* is one label set on the shared rows, with its own mask: the task's labels, a control label set, a
permutation, or the union of tasks without one of them. Training rows and test rows may differ (transfer, general
probes): what ties them is the fold of each row, by group, so that no group is ever on both sides.

C is chosen per batch entry, problem and outer fold, by the mean AUROC over inner folds. The inner folds of outer fold i
are the other outer folds j, each scored by a probe that saw neither i nor j; that probe also serves outer fold j with
inner fold i, so K folds cost K (K − 1)/2 inner fits for each C.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.errors import InputError
from heedful.probes.checks import check_lengths, check_tensors
from heedful.probes.logistic import fit_logistic
from heedful.probes.metrics import auroc
from heedful.probes.principal import PrincipalRows, principal_rows
from heedful.probes.result import LinearProbes
from heedful.probes.splits import Names, grouped_folds

C_GRID = (1e-3, 1e-2, 1e-1, 1.0)
"""Values of C to choose from, for features of unit spread and some hundred rows."""

Fitter = Callable[[PrincipalRows, Tensor, Tensor, Tensor], LinearProbes]
"""(rows, y, weight, C) → probes: `fit_logistic`, `fit_ridge` or `fit_mean_difference`."""

_ELEMENTS = 2**24  # margins of all problems held at once; batch entries beyond that take turns


@dataclass(frozen=True)
class Rows:
    """Rows to fit on, and what to fit: `problem` label sets, each with its mask."""

    x: Float[Tensor, "*batch sample hidden"]
    y: Int[Tensor, "problem sample"] | Float[Tensor, "problem sample"]
    fold: Int[Tensor, " sample"]
    weight: Float[Tensor, "problem sample"] | None = None
    """0 where a row is no part of a problem; None: all rows are part of all problems."""
    stratum: Int[Tensor, " sample"] | None = None
    """Task of each row, where problems join several: inner AUROC is then taken within each task and averaged, since
    only comparisons within a task count in the end."""


@dataclass(frozen=True)
class Held:
    """Rows to score: each by the probe that its fold was left out of. Default: the training rows themselves."""

    x: Float[Tensor, "*batch sample hidden"]
    fold: Int[Tensor, " sample"]


@dataclass(frozen=True)
class OutOfFold:
    """What cross-validation gives, `fold` being the fold left out."""

    scores: Float[Tensor, "*batch problem sample"]
    """Of the held rows; NaN where the probe was degenerate. Compare scores within a fold only."""
    coef: Float[Tensor, "*batch problem fold hidden"]
    intercept: Float[Tensor, "*batch problem fold"]
    C: Float[Tensor, "*batch problem fold"]
    inner_auroc: Float[Tensor, "*batch problem fold"]
    """Mean AUROC over the inner folds at the chosen C (NaN if C was given): to choose a site and position by."""
    noise: Float[Tensor, "*batch problem"]
    """Share of noise in the probes, in [0, 1], from how far the folds' probes disagree: see `Jackknife.cross_fitted`."""
    converged: Bool[Tensor, "*batch problem fold"]
    degenerate: Bool[Tensor, "*batch problem fold"]


def out_of_fold(
    train: Rows,
    C: float | Sequence[float] | Tensor = C_GRID,
    *,
    held: Held | None = None,
    n_folds: int | None = None,
    fit: Fitter = fit_logistic,
    workers: int = 1,
) -> OutOfFold:
    """Fit every problem without each fold, and score that fold's held rows.

    Args:
        C: a sequence is a grid to choose from by inner folds (one value of it still gives `inner_auroc`); a number, or
            a tensor broadcastable to [*batch, problem, fold], is taken as it is, without inner fits (the C chosen for a
            task, say, given to its control labels).
        held: rows to score; a fold of theirs on which no training row lies is scored by the probe of all training rows.
        n_folds: how many there are, some of which may hold no row of these; None: as many as the rows name.
        workers: threads over the batch; the result is the same. On a CPU that is not all yours,
            `torch.set_num_threads(1)` and a worker a core beat torch's own threads, which spin while they wait.

    Raises:
        InputError: fewer than two folds (three to choose C), shapes that do not go together, and as `fit_logistic`.
    """
    held = Held(train.x, train.fold) if held is None else held
    check_tensors(x=train.x, held=held.x)
    check_lengths(train.x.shape[-2], y=train.y, fold=train.fold, weight=train.weight, stratum=train.stratum)
    check_lengths(held.x.shape[-2], fold=held.fold)
    batch, n_problems = train.x.shape[:-2], train.y.shape[0]
    if held.x.shape[:-2] != batch or held.x.shape[-1] != train.x.shape[-1]:
        raise InputError(
            f"held rows {tuple(held.x.shape)} do not fit the batch and width of training rows {tuple(train.x.shape)}",
            "score the same sites and positions as those fitted on",
        )
    named = int(torch.cat([train.fold, held.fold]).max()) + 1
    n_folds = named if n_folds is None else n_folds
    if named > n_folds:
        raise InputError(f"a row is of fold {named - 1}, and there are {n_folds} folds", "number folds from 0")
    grid = None if isinstance(C, Tensor | float | int) else tuple(sorted(float(c) for c in C))
    if n_folds < (2 if grid is None else 3):
        raise InputError(f"{n_folds} fold(s) are too few", "use at least 2 folds, and 3 to choose C by inner folds")
    if grid == ():
        raise InputError("the grid of C is empty", "give one value or more")

    x, held_x = (t.reshape(-1, *t.shape[-2:]) for t in (train.x, held.x))
    given = torch.full((n_problems, n_folds), torch.nan) if grid else torch.as_tensor(C)
    given = given.expand(*batch, n_problems, n_folds).reshape(-1, n_problems, n_folds)
    n_fits = max(n_folds, n_folds * (n_folds - 1) // 2 * len(grid or ()))
    step = max(1, min(_ELEMENTS // (n_problems * n_fits * train.x.shape[-2]), -(-x.shape[0] // workers)))

    def solve(begin: int) -> OutOfFold:
        part = slice(begin, begin + step)
        fits = _Fits(principal_rows(x[part]), x[part], train, n_folds, fit)
        chosen = fits.choose(grid) if grid else _Chosen(given[part], torch.full_like(given[part], torch.nan))
        return fits.outer(chosen, held_x[part], held.fold)

    with ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(solve, range(0, x.shape[0], step)))
    joined = {f.name: torch.cat([getattr(part, f.name) for part in parts]) for f in fields(OutOfFold)}
    return OutOfFold(**{name: t.reshape(*batch, *t.shape[1:]) for name, t in joined.items()})


class _Chosen(NamedTuple):
    C: Float[Tensor, "entry problem fold"]
    inner_auroc: Float[Tensor, "entry problem fold"]


class _Fits:
    """All fits on the rows of a few batch entries, which share one rotation."""

    def __init__(
        self, rows: PrincipalRows, x: Float[Tensor, "entry sample hidden"], train: Rows, n_folds: int, fit: Fitter
    ) -> None:
        device, dtype = rows.z.device, rows.z.dtype
        self.rows, self.x, self.fit, self.n_folds = rows, x, fit, n_folds
        self.y, self.fold = train.y.to(device), train.fold.to(device)
        self.weight = torch.ones_like(self.y, dtype=dtype) if train.weight is None else train.weight.to(device, dtype)
        stratum = torch.zeros_like(self.fold) if train.stratum is None else train.stratum.to(device)
        self.strata = [(stratum == s).to(dtype) for s in sorted({*stratum.tolist()})]

    def without(self, left_out: Sequence[tuple[int, ...]], C: Float[Tensor, "#entry #problem #split"]) -> LinearProbes:
        """Probes [entry, problem × split], each fitted without the folds of its split."""
        kept = torch.stack([~torch.isin(self.fold, self.fold.new_tensor(folds)) for folds in left_out])
        weight = self.weight.unsqueeze(1) * kept  # [problem, split, sample]
        C = C.to(self.rows.z).expand(self.x.shape[0], *weight.shape[:-1])
        return self.fit(
            self.rows, self.y.unsqueeze(1).expand(weight.shape).flatten(0, 1), weight.flatten(0, 1), C.flatten(1)
        )

    def choose(self, grid: tuple[float, ...]) -> _Chosen:
        """The C of the best mean inner AUROC for each outer fold; the smallest of equals, and if none is defined."""
        pairs = list(combinations(range(self.n_folds), 2))
        splits = [(pair, c) for pair in pairs for c in grid]
        probes = self.without([pair for pair, _ in splits], torch.tensor([[[c for _, c in splits]]]))
        shape = (self.x.shape[0], len(self.y), len(pairs), len(grid))
        coef = probes.coef.reshape(*shape, -1)
        intercept = probes.intercept.masked_fill(probes.degenerate, torch.nan).reshape(shape)
        inner = coef.new_full((*shape[:2], self.n_folds, self.n_folds, len(grid)), torch.nan, dtype=torch.float64)
        for j in range(self.n_folds):
            # The probes that left out this fold and one other: the other is the outer fold.
            mine = [p for p, pair in enumerate(pairs) if j in pair]
            outer = [sum(pairs[p]) - j for p in mine]
            here = (self.fold == j).nonzero().squeeze(-1)
            scores = torch.einsum("epfch,enh->epfcn", coef[:, :, mine], self.x[:, here].to(coef.dtype))
            scores += intercept[:, :, mine].unsqueeze(-1)
            y = self.y[:, None, None, here]
            inner[:, :, outer, j] = self._auroc(scores, y, here)
        mean = inner.nanmean(3)  # over inner folds: [entry, problem, outer fold, C]
        best = mean.nan_to_num(-1).max(-1)
        return _Chosen(
            C=torch.tensor(grid, device=mean.device, dtype=self.rows.z.dtype)[best.indices],
            inner_auroc=torch.where(best.values >= 0, best.values, torch.nan),
        )

    def _auroc(self, scores: Tensor, y: Tensor, here: Tensor) -> Tensor:
        """AUROC of each stratum's rows, averaged over strata."""
        weight = self.weight[:, None, None, here]
        return torch.stack([auroc(scores, y, weight * stratum[here]) for stratum in self.strata]).nanmean(0)

    def outer(self, chosen: _Chosen, held_x: Float[Tensor, "entry held hidden"], held_fold: Tensor) -> OutOfFold:
        """The probe of each outer fold, and its scores of the rows held there."""
        probes = self.without([(f,) for f in range(self.n_folds)], chosen.C)
        shape = (held_x.shape[0], len(self.y), self.n_folds)
        coef, intercept = probes.coef.reshape(*shape, -1), probes.intercept.reshape(shape)
        degenerate = probes.degenerate.reshape(shape)
        scores = coef.new_empty(held_x.shape[0], len(self.y), held_x.shape[1])
        for f in range(self.n_folds):
            here = (held_fold == f).nonzero().squeeze(-1).to(held_x.device)
            bias = intercept[:, :, f].masked_fill(degenerate[:, :, f], torch.nan)
            scores[:, :, here] = coef[:, :, f] @ held_x[:, here].to(coef.dtype).mT + bias.unsqueeze(-1)
        return OutOfFold(
            scores=scores,
            coef=coef,
            intercept=intercept,
            C=chosen.C.to(coef),
            inner_auroc=chosen.inner_auroc.to(coef.device),
            noise=self._noise(coef),
            converged=probes.converged.reshape(shape),
            degenerate=degenerate,
        )

    def _noise(self, coef: Float[Tensor, "entry problem fold hidden"]) -> Float[Tensor, "entry problem"]:
        """Of weights signal + noise, two folds' probes share the signal and all training folds but two: of the noise, a
        part of 1/(K − 1) is their own. So their scores, class means taken off, correlate at 1 − noise share / (K − 1).
        Probes that score nothing are all noise.
        """
        used = sorted({*self.fold.tolist()})  # without a fold that has no rows, nothing is left out
        scores = coef[:, :, used] @ self.x.to(coef.dtype).mT.unsqueeze(1)  # [entry, problem, fold, sample]
        for value in (0, 1):
            side = (self.weight * (self.y == value)).unsqueeze(-1)
            mean = scores @ side / side.sum(1, keepdim=True).clamp_min(1e-12)
            scores -= mean * (self.y == value).unsqueeze(1)
        scores = torch.nn.functional.normalize(scores * self.weight.sqrt().unsqueeze(1), dim=-1)
        n = len(used)
        agreement = (scores.sum(2).square().sum(-1) - n) / max(n * (n - 1), 1)
        return ((n - 1) * (1 - agreement)).clamp(0, 1)


@dataclass(frozen=True)
class CrossValidated:
    """A task's probes and those of its control labels, over the same folds and with the same C."""

    fold: Int[Tensor, " sample"]
    task: OutOfFold
    """One problem."""
    control: OutOfFold | None
    """A problem a control label set."""


def cross_validate(
    x: Float[Tensor, "*batch sample hidden"],
    y: Int[Tensor, " sample"],
    groups: Names,
    *,
    n_folds: int = 5,
    seed: int = 0,
    universe: Names | None = None,
    C: float | Sequence[float] | Tensor = C_GRID,
    controls: Int[Tensor, "set sample"] | None = None,
    fit: Fitter = fit_logistic,
    workers: int = 1,
) -> CrossValidated:
    """One task, grouped folds, C by inner folds, and control label sets at the task's C (Hewitt & Liang 2019).

    Args:
        universe: groups of all tasks, so that all tasks share their folds (see `grouped_folds`).
        controls: label sets from `control_labels`, `permute_within_groups` or `swap_squares`.

    Raises:
        InputError: as `grouped_folds` and `out_of_fold`; a group or a label more or less than rows.
    """
    check_tensors(x=x)
    if x.ndim < 2 or len(groups) != x.shape[-2]:
        raise InputError(
            f"rows of shape {tuple(x.shape)} and {len(groups)} groups",
            "give rows [*batch, sample, hidden], a group each",
        )
    check_lengths(x.shape[-2], y=y, controls=controls)
    fold = grouped_folds(groups, n_folds, seed, universe=universe)
    task = out_of_fold(Rows(x, y[None], fold), C, fit=fit, workers=workers)
    control = None if controls is None else out_of_fold(Rows(x, controls, fold), task.C, fit=fit, workers=workers)
    return CrossValidated(fold, task, control)


class BestCell(NamedTuple):
    """Scores of each fold's rows by the cell (site and position) that was best on that fold's inner folds."""

    cell: Int[Tensor, "problem fold"]
    scores: Float[Tensor, "problem sample"]


def best_cell(
    inner_auroc: Float[Tensor, "cell problem fold"],
    scores: Float[Tensor, "cell problem sample"],
    fold: Int[Tensor, " sample"],
) -> BestCell:
    """Nested choice of site and position: no outer fold has a say in the cell that scores it.

    Give the fields of an `OutOfFold` with the batch axes to choose among flattened into one. NaN cells are never chosen
    unless all are; the first of equals wins.
    """
    cell = inner_auroc.nan_to_num(-1).argmax(0)
    picked = scores.new_empty(scores.shape[1:])
    for problem in range(len(cell)):
        for f in sorted({*fold.tolist()}):
            here = (fold == f).nonzero().squeeze(-1).to(scores.device)
            picked[problem, here] = scores[cell[problem, f], problem, here]
    return BestCell(cell, picked)
