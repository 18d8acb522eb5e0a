"""Specialist against general: does one probe for all tasks do what each task's own probe does?

Reads out-of-fold scores (`fits`), and turns them into AUROC with intervals at every site and position, paired gaps,
selectivity, a nested choice of the best site and position, and a permutation test there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import xarray as xr
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.lenses.cells import Candidates, NestedCells, candidates, nested_cells
from heedful.lenses.data import KINDS, MIN_NATURAL, MIN_SQUARES, Examples, StudyData
from heedful.lenses.fits import GRID, N_CONTROLS, PROBES, Fits, TaskFits
from heedful.lenses.result import LEVEL, Canvas, bounded, canvases, coordinates, put, sizes, variable, words
from heedful.probes import (
    Jackknife,
    auroc,
    combine,
    fit_logistic,
    fold_balanced_accuracy,
    fold_mean,
    permutation_p,
)

N_PERMUTATIONS = 199

_SPECIALIST, _GENERAL, _HELD_OUT = (PROBES.index(name) for name in ("specialist", "general_each", "held_out"))
_CELL = ("kind", "task", "site", "position")
_TASK = ("kind", "task")
_FLOATS = {
    **bounded(
        {
            "auroc": (("probe", *_CELL), "AUROC", "probability; 0.5 is chance"),
            "gap": (_CELL, "AUROC of specialist − general (matched examples of each task)", "difference in AUROC"),
            "gap_held_out": (_CELL, "AUROC of specialist − general without the task", "difference in AUROC"),
            "best_gap": (_TASK, "AUROC of specialist − general at the chosen cells", "difference in AUROC"),
            "best_control": (_TASK, "mean AUROC on control tasks at the chosen cells", "probability; 0.5 is chance"),
            "best_selectivity": (
                _TASK,
                "AUROC on the task − on control tasks, at the chosen cells",
                "difference in AUROC",
            ),
        }
    ),
    "balanced_accuracy": (("probe", *_CELL), "balanced accuracy", "share; 0.5 is chance"),
    "control": (_CELL, "mean AUROC on control tasks", "probability; 0.5 is chance"),
    "selectivity": (_CELL, "AUROC on the task − AUROC on control tasks", "difference in AUROC"),
    "control_recurrence": (_TASK, "rows whose control type recurs in another fold", "share"),
    "best_auroc": (
        ("probe", *_TASK),
        "AUROC at the specialist's site and position chosen on inner folds",
        "probability",
    ),
    "best_low": (("probe", *_TASK), "lower bound of the best AUROC", "probability"),
    "best_high": (("probe", *_TASK), "upper bound of the best AUROC", "probability"),
    "best_balanced_accuracy": (("probe", *_TASK), "balanced accuracy at the chosen site and position", "share"),
    "null_mean": (_TASK, "mean AUROC of the specialist on permuted labels", "probability"),
    "null_high": (_TASK, "95 % quantile of AUROC on permuted labels", "probability"),
    "p_value": (_TASK, "share of permutations that reach the specialist's best AUROC, with one added", "probability"),
}
_OVERALL = bounded(
    {
        "lost": (
            ("kind",),
            "1 − Σ d′ of general / Σ d′ of specialist (matched examples of each task), over readable tasks, at chosen cells",
            "share; 0 is one probe as good as each task's own",
        ),
        "mean_gap": (
            ("kind",),
            "mean over readable tasks of AUROC of specialist − general (matched examples of each task), at chosen cells",
            "difference in AUROC",
        ),
        "universality": (
            ("kind",),
            "Σ (AUROC of general without the task − 0.5) / Σ (AUROC of specialist − 0.5), over readable tasks, in [0, 1]",
            "share; 1 is one mechanism for all",
        ),
    }
)
_COUNTS = {
    "n_rows": (_TASK, "rows scored", "rows"),
    "n_positive": (_TASK, "rows that comply", "rows"),
    "n_groups": (_TASK, "base prompts among the rows", "base prompts"),
    "n_readable": (("kind",), "tasks whose specialist is above chance, beyond its interval", "tasks"),
    "massive_dimensions": (("site",), "massive-activation dimensions, at one position or more", "dimensions"),
}
_FLAGS = {
    "too_few": (_TASK, "too few rows of either class: listed, not analysed", "true or false"),
    "leak_check": (("kind", "position"), "AUROC is 0.5 by design: a check, never evidence", "true or false"),
}


def specialists(data: StudyData, fits: Fits, *, n_permutations: int = N_PERMUTATIONS) -> xr.Dataset:
    """Lens 1: AUROC of specialist and general probes, by task, site and position.

    The best site and position are those that the specialist's inner folds choose, for every probe alike: so the probes
    are compared on the same states. Candidates are the positions that all rows have, short of leak checks and of
    quantiles of the response, which know its final length. Without permutations there is no p, and all else stands.
    """
    n = sizes(data, probe=len(PROBES))
    canvas = canvases({**_FLOATS, **_OVERALL}, n)
    canvas |= {name: Canvas(n, dims, torch.long) for name, (dims, *_) in _COUNTS.items()}
    canvas |= {name: Canvas(n, dims, torch.bool) for name, (dims, *_) in _FLAGS.items()}
    text = {name: [["" for _ in data.tasks] for _ in KINDS] for name in ("best_site", "best_position", "control_types")}
    for k, kind in enumerate(KINDS):
        for p, position in enumerate(data.positions):
            canvas["leak_check"][k, p] = data.is_leak_check(kind, position)
        readable: list[_AtBest] = []
        for t, task in enumerate(data.tasks):
            examples = data.examples(kind, task)
            canvas["n_rows"][k, t] = len(examples)
            canvas["n_positive"][k, t] = int(examples.label.sum())
            canvas["n_groups"][k, t] = len({*examples.base.tolist()})
            canvas["too_few"][k, t] = not examples.enough
            f = fits.tasks.get((kind, task))
            if f is None:
                continue
            _by_cell(data, f, canvas, k, t, _scored_by_itself(len(fits.of(kind))))
            canvas["control_recurrence"][k, t] = f.controls.recurrence
            text["control_types"][k][t] = f.controls.types
            cells = candidates(data, f, kind)
            if not cells.positions or not f.examples.take(cells.rows).enough:
                continue
            chosen = _choose(f, cells, len(fits.of(kind)))
            at = chosen.nested.most
            text["best_site"][k][t], text["best_position"][k][t] = data.sites[at[0]], data.positions[at[1]]
            found = _at_best(data, chosen, canvas, k, t, n_permutations)
            if canvas["best_low"].values[0, k, t] > 0.5:
                readable.append(found)
        canvas["n_readable"][k] = len(readable)
        if readable:
            _overall(readable, canvas, k)
    for s, site in enumerate(data.sites):
        massive = torch.stack([data.scale(site, position).massive for position in data.positions])
        canvas["massive_dimensions"][s] = massive.any(0).sum()
    described = {**_FLOATS, **_OVERALL, **_COUNTS, **_FLAGS}
    variables = {name: variable(c, *described[name][1:]) for name, c in canvas.items()}
    variables["best_site"] = words(_TASK, text["best_site"], "site chosen in the most folds")
    variables["best_position"] = words(_TASK, text["best_position"], "position chosen in the most folds")
    variables["control_types"] = words(_TASK, text["control_types"], "what control labels are a function of")
    return xr.Dataset(variables, coordinates(data, probe=PROBES), _attrs(data, fits, n_permutations))


def _attrs(data: StudyData, fits: Fits, n_permutations: int) -> dict[str, object]:
    return {
        "n_folds": data.n_folds,
        "C_grid": list(GRID),
        "seed": data.seed,
        "level": LEVEL,
        "interval": "cluster jackknife over base prompts, Student's t; logit scale and deviations × √(1 + the "
        "probes' share of noise × the share of what trains them that is the task's own) for AUROC, which is cross-fitted; "
        "plain for differences, of parts that are each widened so; over tasks by all of their probes' noise",
        "held_out_templates": "rows phrased by a held-out template are scored and never trained on",
        "n_permutations": n_permutations,
        "null": "contrast: squares swapped; natural: labels permuted within base prompts, of rows alone there within "
        "folds; cells and C as chosen, "
        "not chosen again, which makes p somewhat too small",
        "n_control_sets": N_CONTROLS,
        "too_few": f"fewer than {MIN_SQUARES} squares, or than {MIN_NATURAL} natural rows of either class",
        "borrowed_scales": [f"{b.position} from {b.lender} ({b.n_reference} reference rows)" for b in data.borrowed],
        "n_probes": fits.n_probes,
        "not_converged": fits.not_converged,
    }


def _scored_by_itself(n_tasks: int) -> Float[Tensor, " probe"]:
    """How much of what trains each probe is of the task that it is scored on: in these rows alone, what one fold teaches is
    tested by the others and the other way round."""
    return torch.tensor([1.0, 1 / n_tasks, 1 / n_tasks, 0.0])


def _by_cell(
    data: StudyData, f: TaskFits, canvas: dict[str, Canvas], k: int, t: int, own: Float[Tensor, " probe"]
) -> None:
    """AUROC, intervals and paired gaps at every site and position."""
    for p in range(len(data.positions)):
        rows = f.examples.take(f.valid[p])
        if not rows.enough:
            continue
        scores = f.scores[:, :, p, f.valid[p]]
        found = data.auroc(scores, rows).cross_fitted(own.unsqueeze(1) * f.noise[:, :, p])
        put(canvas, "auroc", (slice(None), k, t, slice(None), p), found, "logit")
        canvas["balanced_accuracy"][:, k, t, :, p] = fold_mean(fold_balanced_accuracy(scores, rows.label, rows.fold))
        for name, general in (("gap", _GENERAL), ("gap_held_out", _HELD_OUT)):
            gap = combine(lambda each, general=general: each[_SPECIALIST] - each[general], found)
            interval = gap.interval(LEVEL)
            canvas[name][k, t, :, p] = gap.estimate
            canvas[f"{name}_low"][k, t, :, p] = interval.low.clamp_min(-1)
            canvas[f"{name}_high"][k, t, :, p] = interval.high.clamp_max(1)
        control = _control(data, f, f.control_scores[:, :, p, f.valid[p]], f.valid[p])
        canvas["control"][k, t, :, p] = control.estimate
        canvas["selectivity"][k, t, :, p] = found.estimate[_SPECIALIST] - control.estimate


def _control(
    data: StudyData, f: TaskFits, scores: Float[Tensor, "set *cell kept"], which: Bool[Tensor, " sample"]
) -> Jackknife:
    """AUROC on the control tasks, mean over their label sets; as if all that their probes weigh were noise."""
    labels, rows = f.controls.labels[:, which], f.examples.take(which)
    labels = labels.reshape(len(labels), *[1] * (scores.ndim - 2), len(rows))
    return combine(lambda each: each.mean(0), data.auroc(scores, rows, labels=labels).cross_fitted())


class _Chosen(NamedTuple):
    """A task at the cells that inner folds chose."""

    f: TaskFits
    which: Bool[Tensor, " sample"]
    rows: Examples
    nested: NestedCells
    C: Float[Tensor, " fold"]
    noise: Float[Tensor, " probe"]
    own: Float[Tensor, " probe"]


def _choose(f: TaskFits, able: Candidates, n_tasks: int) -> _Chosen:
    nested = nested_cells(f, able)
    C = torch.stack([f.C[site, position, fold] for fold, (site, position) in enumerate(nested.cells)])
    rows, own = f.examples.take(able.rows), _scored_by_itself(n_tasks)
    return _Chosen(f, able.rows, rows, nested, C, f.noise_at(nested.cells), own)


class _AtBest(NamedTuple):
    """A task's probes at its chosen cells, widened for a mean over tasks: each trains what is scored on the others."""

    auroc: Jackknife
    """[probe], as the next."""
    d_prime: Jackknife


def _at_best(
    data: StudyData, chosen: _Chosen, canvas: dict[str, Canvas], k: int, t: int, n_permutations: int
) -> _AtBest:
    rows, scores = chosen.rows, chosen.nested.scores
    plain = data.auroc(scores, rows)
    found = plain.cross_fitted(chosen.own * chosen.noise)
    at = (slice(None), k, t)
    canvas["best_auroc"][at], canvas["best_low"][at], canvas["best_high"][at] = found.interval(LEVEL, "logit")[:3]
    canvas["best_balanced_accuracy"][at] = fold_mean(fold_balanced_accuracy(scores, rows.label, rows.fold))
    put(canvas, "best_gap", (k, t), combine(lambda each: each[_SPECIALIST] - each[_GENERAL], found))
    control = _control(
        data, chosen.f, chosen.nested.of(chosen.f.control_scores[..., chosen.which], rows.fold), chosen.which
    )
    put(canvas, "best_control", (k, t), control, "logit")
    put(canvas, "best_selectivity", (k, t), combine(lambda each, control: each[_SPECIALIST] - control, found, control))
    if n_permutations:
        null = _null(data, chosen, n_permutations)
        canvas["null_mean"][k, t] = null.mean()
        canvas["null_high"][k, t] = null.quantile(0.95)
        canvas["p_value"][k, t] = permutation_p(canvas["best_auroc"].values[0, k, t], null)
    return _AtBest(plain.cross_fitted(chosen.noise), data.d_prime(scores, rows).cross_fitted(chosen.noise))


def _overall(readable: Sequence[_AtBest], canvas: dict[str, Canvas], k: int) -> None:
    """What the claim of little shared representation is decided by, and the universality index."""
    means, d_prime = (combine(lambda *each: torch.stack(each).mean(0), *parts) for parts in zip(*readable, strict=True))
    put(canvas, "lost", k, combine(lambda each: 1 - each[_GENERAL] / each[_SPECIALIST], d_prime))
    put(canvas, "mean_gap", k, combine(lambda each: each[_SPECIALIST] - each[_GENERAL], means))
    universality = combine(lambda each: (each[_HELD_OUT] - 0.5) / (each[_SPECIALIST] - 0.5), means)
    put(canvas, "universality", k, universality)
    for name in ("universality", "universality_low", "universality_high"):
        canvas[name].values[k].clamp_(0, 1)


def _null(data: StudyData, chosen: _Chosen, n_permutations: int) -> Float[Tensor, " draw"]:
    """AUROC of specialists refitted on permuted labels, each fold at the cell and C that it had chosen.

    The choice owes nothing to the fold's own labels, so the null is centred where the nested estimate is. But what one
    fold chose the others tested, and the draws do not choose again: with 10 cells to choose among and no signal (240
    contrast tasks of 192 rows), p ≤ 0.05 came up in 9.6 % of them; with one cell and one C, in 6 % of 400.
    """
    rows = chosen.rows
    labels = rows.permuted(n_permutations, data.seed)
    scores = torch.full(labels.shape, torch.nan)
    for fold, (s, p) in enumerate(chosen.nested.cells):
        here = rows.fold == fold
        if not bool(here.any()):
            continue
        x = data.states((data.sites[s],), data.positions[p], rows)[0]
        weight = _balanced(labels, ~here & ~rows.held_out)
        probes = fit_logistic(x, labels, weight, chosen.C[fold], tol=1e-2)
        scores[:, here] = probes.scores(x[here])
    in_fold = torch.nn.functional.one_hot(rows.fold).T
    null: Tensor = fold_mean(auroc(scores.unsqueeze(-2), labels.unsqueeze(-2), in_fold))
    return null


def _balanced(labels: Int[Tensor, "draw sample"], trained: Bool[Tensor, " sample"]) -> Float[Tensor, "draw sample"]:
    """Both classes weigh half of the rows trained on, in every draw: as the specialist is trained."""
    ones = (labels * trained).sum(-1, keepdim=True).clamp_min(1)
    zeros = ((1 - labels) * trained).sum(-1, keepdim=True).clamp_min(1)
    return trained * trained.sum() / (2 * torch.where(labels == 1, ones, zeros))
