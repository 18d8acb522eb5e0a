"""Beside the specialists, on request: what length and format, the model's sureness, and the tokens alone account for.

At each task's chosen position, site by site, the specialist is fitted again on states from which length and format are
regressed out, and on states from which sureness (max-softmax) and activation norm are; and the same probe is put to the same
rows in the same architecture with random weights, and to the norm alone. Descriptive: for a task that counts words, length is
the construct and no confound. Knows nothing of how states were read.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from heedful.errors import InputError
from heedful.lenses.baselines import COVARIATES, fit_baseline, length_and_format, max_softmax, standardised
from heedful.lenses.cells import own_site
from heedful.lenses.data import KINDS, Examples, Kind, StudyData
from heedful.lenses.fits import GRID, a_thread_each, fit_out_of_fold
from heedful.lenses.result import LEVEL, bounded, canvases, coordinates, sizes, variable, words
from heedful.probes import (
    FORMAT_FEATURES,
    Jackknife,
    OutOfFold,
    Rows,
    combine,
    jackknife_auroc,
    own_fold,
    residualised,
)

SPECIALIST, NO_FORMAT, NO_SURENESS, RANDOM, NORM = (
    "specialist",
    "without length and format",
    "without max-softmax and norm",
    "random weights",
    "activation norm",
)
READINGS = (SPECIALIST, NO_FORMAT, NO_SURENESS, RANDOM, NORM, *COVARIATES)
"""What is scored; the first five at every site."""

_TASK = ("reading", "kind", "task")
_FLOATS = {
    **bounded({"auroc": ((*_TASK, "site"), "AUROC at the task's position", "probability; 0.5 is chance")}),
    **bounded({"best_auroc": (_TASK, "AUROC there, at the site chosen on inner folds", "probability; 0.5 is chance")}),
    **bounded({"lead": (_TASK, "best AUROC of the specialist − of this reading", "difference in AUROC")}),
}


class _Read(NamedTuple):
    """Out-of-fold scores of one reading of one task; of a reading without a site, at one."""

    scores: Float[Tensor, "site sample"]
    inner_auroc: Float[Tensor, "site fold"]
    noise: Float[Tensor, " site"]


def extras(data: StudyData, twin: StudyData | None, specialists: xr.Dataset) -> xr.Dataset:
    """What remains of each specialist at the position that the study chose for it.

    Args:
        twin: the same rows, read from the same architecture with random weights, at the chosen positions at least; None where
            no task has one.
        specialists: the result of that lens, which names the positions. A task without one is left NaN.

    Raises:
        InputError: the twin's rows are others.
    """
    n = sizes(data, reading=len(READINGS))
    canvas = canvases(_FLOATS, n)
    positions = {(kind, task): chosen_position(specialists, kind, task) for kind in KINDS for task in data.tasks}
    with a_thread_each():
        for (kind, task), position in positions.items():
            k, t = KINDS.index(kind), data.tasks.index(task)
            rows = data.examples(kind, task)
            rows = rows.take(data.valid(position, rows)) if position else rows
            if not position or not rows.enough:
                continue
            own: Jackknife | None = None
            for reading, found in _readings(data, twin, kind, task, position, rows):
                r = READINGS.index(reading)
                if len(found.noise) == len(data.sites):
                    by_site = _jackknife(data, found.scores, rows).cross_fitted(found.noise).interval(LEVEL, "logit")
                    canvas["auroc"][r, k, t], canvas["auroc_low"][r, k, t], canvas["auroc_high"][r, k, t] = by_site[:3]
                best = own_site(found.inner_auroc, found.scores, rows.fold)
                here, noise = _jackknife(data, best.scores[0], rows), found.noise[best.cell[0]].mean()
                interval = here.cross_fitted(noise).interval(LEVEL, "logit")
                for name, value in zip(("", "_low", "_high"), interval[:3], strict=True):
                    canvas[f"best_auroc{name}"][r, k, t] = value
                own = here if own is None else own
                lead = combine(torch.sub, own, here).interval(LEVEL)
                canvas["lead"][r, k, t] = lead.estimate
                canvas["lead_low"][r, k, t] = lead.low.clamp_min(-1)
                canvas["lead_high"][r, k, t] = lead.high.clamp_max(1)
    variables = {name: variable(c, *_FLOATS[name][1:]) for name, c in canvas.items()}
    at = [[positions[kind, task] for task in data.tasks] for kind in KINDS]
    variables["position"] = words(("kind", "task"), at, "position chosen in the most folds by the specialist")
    shared = coordinates(data, reading=READINGS)
    del shared["position"]
    return xr.Dataset(variables, shared, _attrs(data))


def _attrs(data: StudyData) -> dict[str, object]:
    return {
        "length_and_format": ["log words", "log characters", *FORMAT_FEATURES],
        "residualised": "linearly, coefficients from the rows that the fold's probe is trained on",
        "random_weights": f"the same configuration, freshly initialised, seed {data.seed}",
        "C_grid": list(GRID),
        "n_folds": data.n_folds,
        "level": LEVEL,
        "descriptive": "for count tasks length is the construct",
    }


def chosen_position(specialists: xr.Dataset, kind: str, task: str) -> str:
    """Where the specialist of a task is read; '' where it is not."""
    return str(specialists["best_position"].sel(kind=kind, task=task).item())


def _readings(
    data: StudyData, twin: StudyData | None, kind: Kind, task: str, position: str, rows: Examples
) -> Iterator[tuple[str, _Read]]:
    """Every reading of one task that could be had, the specialist first."""
    x = data.states(data.sites, position, rows)
    norm = torch.stack([data.raw(site, position, rows).norm(dim=-1, keepdim=True) for site in data.sites])
    norm = standardised(norm)
    sureness = max_softmax(data, rows)
    yield SPECIALIST, _read(fit_out_of_fold(_rows(x, rows), GRID))
    texts = length_and_format(data, rows)
    yield NO_FORMAT, _without([texts] * len(x), x, rows)
    if sureness is not None:
        yield NO_SURENESS, _without([torch.cat([sureness, one], 1) for one in norm], x, rows)
    if twin is not None:
        yield RANDOM, _read(fit_out_of_fold(_rows(_twin_states(data, twin, kind, task, position, rows), rows), GRID))
    yield NORM, _read(fit_baseline(norm, rows))
    for name, features in COVARIATES.items():
        values = features(data, rows)
        if values is not None:
            yield name, _read(fit_baseline(values[None], rows))


def _rows(x: Float[Tensor, "*batch sample hidden"], rows: Examples) -> Rows:
    return Rows(x, rows.label[None], rows.fold, rows.weight[None])


def _read(fitted: OutOfFold) -> _Read:
    return _Read(fitted.scores[:, 0], fitted.inner_auroc[:, 0], fitted.noise[:, 0])


def _without(
    covariates: list[Float[Tensor, "sample covariate"]], x: Float[Tensor, "site sample hidden"], rows: Examples
) -> _Read:
    """The specialist on what covariates leave of each site's states. A site at a time: every fold has rows of its own."""
    found = []
    for here, z in zip(x, covariates, strict=True):
        left = residualised(here, z, rows.fold, ~rows.held_out)
        found.append(own_fold(fit_out_of_fold(_rows(left, rows), GRID), rows.fold))
    return _Read(*(torch.stack([one[i][0] for one in found]) for i in range(3)))


def _twin_states(
    data: StudyData, twin: StudyData, kind: Kind, task: str, position: str, rows: Examples
) -> Float[Tensor, "site sample hidden"]:
    theirs = twin.examples(kind, task)
    theirs = theirs.take(twin.valid(position, theirs))
    if data.column("row_id", rows) != twin.column("row_id", theirs):
        raise InputError(
            f"the states with random weights are of other rows of {task}", "read them again from the same rows"
        )
    return twin.states(data.sites, position, theirs)


def _jackknife(data: StudyData, scores: Float[Tensor, "*cell sample"], rows: Examples) -> Jackknife:
    return jackknife_auroc(scores, rows.label, rows.base, rows.fold, n_groups=data.n_bases)
