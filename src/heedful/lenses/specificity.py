"""Specificity: does what the probes read need the instruction in context, or is it there in any text of that kind?

The same responses are replayed twice, under their instruction and under the bare base prompt alone. In both, how much of
the states' energy lies in the row space of the specialist probes, and what do the probes make of it? Reads natural
labels for AUROC: in a contrast square without its instructions nothing is left to tell the labels by, which is a check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from heedful.lenses.cells import SharedCells, SharedFold, shared_cells, shared_folds
from heedful.lenses.data import KINDS, StudyData
from heedful.lenses.fits import Fits
from heedful.lenses.result import LEVEL, Canvas, bounded, canvases, coordinates, put, sizes, variable, words
from heedful.probes import Jackknife, combine, jackknife_mean

_TASK = ("kind", "task")
_AUROC = "probability; 0.5 is chance"
_SHARE = "share of squared norm, on the study's feature scale"
_ABOUT = bounded(
    {
        "auroc_with": (_TASK, "AUROC of the specialist, instruction in context", _AUROC),
        "auroc_without": (_TASK, "AUROC of the same probe on the same responses, bare base prompt in context", _AUROC),
        "energy_with": (_TASK, "energy in the row space of all tasks' probes, instruction in context", _SHARE),
        "energy_without": (_TASK, "energy in the same row space, bare base prompt in context", _SHARE),
        "specificity": (
            ("kind",),
            "share of AUROC − 0.5 that is lost without the instruction, over readable tasks",
            "share; 0 reads any text, 1 needs the instruction",
        ),
        "energy_ratio": (("kind",), "energy with the instruction / energy without it, over tasks", "ratio"),
    }
)
_REPLICATES = {
    f"auroc_{name}_replicates": (("task", "base"), f"{_ABOUT[f'auroc_{name}'][1]}; without each base prompt", _AUROC)
    for name in ("with", "without")
}
"""Of natural labels alone: what the share that is lost, and its interval, are computed from over fewer tasks."""
_WITH, _WITHOUT = 0, 1


def specificity(data: StudyData, fits: Fits) -> xr.Dataset:
    """Lens 5: energy in, and AUROC from, the row space of the specialist probes, with and without the instruction.

    At the site and position that inner folds choose for all tasks together. Rows whose instruction cannot be taken away
    (prompts of the user's that state their own constraints) take no part. A task with too few others is NaN, and all are
    with fewer than two tasks left.
    """
    n = sizes(data, base=data.n_bases)
    canvas = canvases(_ABOUT | _REPLICATES, n)
    canvas["n_bases"] = Canvas(n, ("task",), torch.long)
    canvas["n_rows"] = Canvas(n, _TASK, torch.long)
    canvas["energy_random"] = Canvas(n, ("kind",))
    cell = {"site": [""] * len(KINDS), "position": [""] * len(KINDS)}
    for k, kind in enumerate(KINDS):
        shared = _bare_too(data, shared_cells(data, fits, kind))
        if shared is None:
            continue
        cell["site"][k], cell["position"][k] = shared.site, shared.position
        seen = _Seen(shared)
        for fold in shared_folds(data, shared):
            seen.add(data, shared, fold)
        canvas["energy_random"][k] = seen.rank / data.hidden
        auroc = {t: _auroc(data, shared, t, seen.scores[t]) for t in shared.examples}
        energy = {
            t: jackknife_mean(seen.energy[t], rows.base, n_groups=data.n_bases) for t, rows in shared.examples.items()
        }
        for task, rows in shared.examples.items():
            t = data.tasks.index(task)
            canvas["n_rows"][k, t] = len(rows)
            for i, name in ((_WITH, "with"), (_WITHOUT, "without")):
                put(canvas, f"auroc_{name}", (k, t), combine(lambda a, i=i: a[i], auroc[task]), "logit")
                put(canvas, f"energy_{name}", (k, t), combine(lambda e, i=i: e[i], energy[task]), "logit")
                if kind == "natural":
                    canvas[f"auroc_{name}_replicates"][t] = auroc[task].replicates[i]
            if kind == "natural":
                canvas["n_bases"][t] = auroc[task].n_groups
        readable = [one for one in auroc.values() if bool(one.interval(LEVEL, "logit").low[_WITH] > 0.5)]
        if readable and kind == "natural":
            put(canvas, "specificity", k, combine(_lost, *readable))
        put(canvas, "energy_ratio", k, combine(_ratio, *energy.values()))
    variables = {name: variable(canvas[name], *about) for name, (_, *about) in (_ABOUT | _REPLICATES).items()}
    variables["n_bases"] = variable(canvas["n_bases"], "base prompts of the task's natural rows", "base prompts")
    variables["n_rows"] = variable(canvas["n_rows"], "responses replayed both ways", "rows")
    variables["energy_random"] = variable(
        canvas["energy_random"], "energy that a random subspace of the same rank would have", _SHARE
    )
    variables["shared_site"] = words(("kind",), cell["site"], "site that the most folds chose for all tasks")
    variables["shared_position"] = words(
        ("kind",), cell["position"], "position that the most folds chose for all tasks"
    )
    attrs = {
        "level": LEVEL,
        "interval": "cluster jackknife over base prompts, Student's t; logit scale for AUROC and energy, else plain",
        "leak_check": "AUROC without the instruction, contrast: 0.5 by design, never evidence",
    }
    return xr.Dataset(variables, coordinates(data), attrs)


def readable_tasks(found: xr.Dataset) -> list[str]:
    """The tasks that a result of the lens has its share over: their specialist is above chance, beyond its interval."""
    here = found.sel(kind="natural")
    return [str(task) for task in here["task"].values[here["auroc_with_low"].values > 0.5]]


def excess_over(found: xr.Dataset, tasks: Sequence[str]) -> Jackknife:
    """AUROC − 0.5 [with or without the instruction, task], of some of the tasks that a result says are readable."""
    here = found.sel(kind="natural", task=list(tasks))
    estimate, replicates = (
        torch.stack([torch.from_numpy(here[f"auroc_{name}{end}"].values) for name in ("with", "without")], 1)
        for end in ("", "_replicates")
    )
    parts = zip(estimate, replicates, here["n_bases"].values.tolist(), strict=True)
    return combine(lambda *auroc: torch.stack(auroc, 1) - 0.5, *(Jackknife(*part) for part in parts))


def _bare_too(data: StudyData, shared: SharedCells | None) -> SharedCells | None:
    """The rows that were also replayed without their instruction, of the tasks that have enough; None with fewer than two."""
    if shared is None:
        return None
    bare = {task: rows.take(data.bare(rows) >= 0) for task, rows in shared.examples.items()}
    kept = {task: rows for task, rows in bare.items() if rows.enough}
    return shared._replace(fits={task: shared.fits[task] for task in kept}, examples=kept) if len(kept) > 1 else None


class _Seen:
    """Out-of-fold scores and energies [with or without, sample] of every task's rows, filled fold by fold."""

    def __init__(self, shared: SharedCells) -> None:
        self.scores = {t: torch.full((2, len(rows)), torch.nan) for t, rows in shared.examples.items()}
        self.energy = {t: torch.full((2, len(rows)), torch.nan) for t, rows in shared.examples.items()}
        self.rank = 0

    def add(self, data: StudyData, shared: SharedCells, fold: SharedFold) -> None:
        site, position = shared.cells[fold.fold]
        basis = _row_space(torch.stack([probe.coef[0] for probe in fold.probes.values()]))
        self.rank = max(self.rank, len(basis))
        for task, rows in shared.examples.items():
            here = fold.rows[task]
            held = rows.take(here)
            bare = replace(held, state=data.bare(held))
            without = data.states((data.sites[site],), data.positions[position], bare)[0]
            x = torch.stack([fold.held[task], without])
            self.scores[task][:, here] = torch.cat([fold.probes[task].scores(each) for each in x])
            self.energy[task][:, here] = (x @ basis.T).square().sum(-1) / x.square().sum(-1).clamp_min(1e-12)


def _row_space(coef: Float[Tensor, "task hidden"]) -> Float[Tensor, "rank hidden"]:
    """An orthonormal basis of the probes' row space; a probe that is all zeros adds nothing to it."""
    _, values, right = torch.linalg.svd(coef, full_matrices=False)
    basis: Tensor = right[values > 1e-6 * values.amax().clamp_min(1e-12)]
    return basis


def _auroc(data: StudyData, shared: SharedCells, task: str, scores: Float[Tensor, "context sample"]) -> Jackknife:
    rows = shared.examples[task]
    return data.auroc(scores, rows).cross_fitted(shared.noise(task))


def _lost(*auroc: Float[Tensor, context * group]) -> Float[Tensor, "*group"]:
    """1 − Σ (AUROC without − 0.5) / Σ (AUROC with − 0.5)."""
    excess = torch.stack([each - 0.5 for each in auroc]).sum(0)
    return 1 - excess[_WITHOUT] / excess[_WITH]


def _ratio(*energy: Float[Tensor, context * group]) -> Float[Tensor, "*group"]:
    mean = torch.stack(energy).mean(0)
    return mean[_WITH] / mean[_WITHOUT]
