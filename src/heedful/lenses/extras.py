"""Beside the specialists, on request: what length and format, the model's sureness, and the tokens alone account for.

At the position that an outer fold's inner folds choose for a task, site by site, the specialist is fitted again on states from
which length and format are regressed out, and on states from which sureness (max-softmax) and activation norm are; and the same
probe is put to the same rows in the same architecture with random weights, and to the norm alone. Descriptive: for a task that
counts words, length is the construct and no confound. Knows nothing of how states were read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
import xarray as xr
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.errors import InputError
from heedful.lenses.baselines import COVARIATES, fit_baseline, length_and_format, max_softmax, standardised
from heedful.lenses.cells import candidates, nested_cells, own_site
from heedful.lenses.data import KINDS, Examples, Kind, StudyData
from heedful.lenses.fits import GRID, Fits, TaskFits, a_thread_each, fit_out_of_fold
from heedful.lenses.result import LEVEL, bounded, canvases, coordinates, sizes, variable, words
from heedful.probes import (
    FORMAT_FEATURES,
    Jackknife,
    OutOfFold,
    Rows,
    combine,
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


class Chosen(NamedTuple):
    """Where inner folds choose to read a task."""

    which: Bool[Tensor, " sample"]
    """Of the task's rows, those that every candidate position has."""
    by_fold: tuple[str, ...]
    """A position for each outer fold."""
    most: str
    """Of the cell that the most folds chose."""


class _Read(NamedTuple):
    """Out-of-fold scores of one reading of one task, each fold's at its own position; of a reading without a site, at one."""

    scores: Float[Tensor, "site sample"]
    inner_auroc: Float[Tensor, "site fold"]
    noise: Float[Tensor, "site fold"]


def chosen_positions(data: StudyData, fits: Fits) -> dict[tuple[Kind, str], Chosen]:
    """Of each kind and task that is read: the position of each outer fold's cell, as `specialists` chooses it.

    No row has a say in the position that it is scored at: at the one that most folds chose, noise at eight positions has an
    AUROC of 0.54.
    """
    found: dict[tuple[Kind, str], Chosen] = {}
    for (kind, task), f in fits.tasks.items():
        able = candidates(data, f, kind)
        if able.positions and f.examples.take(able.rows).enough:
            nested = nested_cells(f, able)
            by_fold = tuple(data.positions[p] for _, p in nested.cells)
            found[kind, task] = Chosen(able.rows, by_fold, data.positions[nested.most[1]])
    return found


def extras(data: StudyData, twin: StudyData | None, fits: Fits) -> xr.Dataset:
    """What remains of each specialist at the positions that its inner folds choose.

    Args:
        twin: the same rows, read from the same architecture with random weights, at the chosen positions at least; None where
            no task has one.
        fits: of the specialists at least. A task without a position is left NaN.

    Raises:
        InputError: the twin's rows are others.
    """
    n = sizes(data, reading=len(READINGS))
    canvas = canvases(_FLOATS, n)
    chosen = chosen_positions(data, fits)
    with a_thread_each():
        for (kind, task), at in chosen.items():
            k, t = KINDS.index(kind), data.tasks.index(task)
            rows = data.examples(kind, task).take(at.which)
            own: Jackknife | None = None
            for reading, found in _readings(data, twin, fits.tasks[kind, task], task, at):
                r = READINGS.index(reading)
                if len(found.noise) == len(data.sites):
                    every = data.auroc(found.scores, rows).cross_fitted(found.noise.mean(1))
                    by_site = every.interval(LEVEL, "logit")
                    canvas["auroc"][r, k, t], canvas["auroc_low"][r, k, t], canvas["auroc_high"][r, k, t] = by_site[:3]
                best = own_site(found.inner_auroc, found.scores, rows.fold)
                noise = found.noise.gather(0, best.cell[:1].to(found.noise.device)).mean()
                here = data.auroc(best.scores[0], rows).cross_fitted(noise)
                interval = here.interval(LEVEL, "logit")
                for name, value in zip(("", "_low", "_high"), interval[:3], strict=True):
                    canvas[f"best_auroc{name}"][r, k, t] = value
                own = here if own is None else own
                # Both widened: probes of different states do not err together, and what they do is taken off all the same.
                lead = combine(torch.sub, own, here).interval(LEVEL)
                canvas["lead"][r, k, t] = lead.estimate
                canvas["lead_low"][r, k, t] = lead.low.clamp_min(-1)
                canvas["lead_high"][r, k, t] = lead.high.clamp_max(1)
    variables = {name: variable(c, *_FLOATS[name][1:]) for name, c in canvas.items()}
    nowhere = Chosen(torch.zeros(0, dtype=torch.bool), ("",) * data.n_folds, "")
    places = [[chosen.get((kind, task), nowhere) for task in data.tasks] for kind in KINDS]
    most, by_fold = ([[getattr(one, name) for one in line] for line in places] for name in ("most", "by_fold"))
    variables["position"] = words(("kind", "task"), most, "position of the specialist's cell in the most folds")
    variables["fold_position"] = words(("kind", "task", "fold"), by_fold, "position at which a fold's rows are scored")
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


def _readings(
    data: StudyData, twin: StudyData | None, f: TaskFits, task: str, at: Chosen
) -> Iterator[tuple[str, _Read]]:
    """Every reading of one task that could be had, the specialist first."""
    rows = f.examples.take(at.which)
    states = {position: data.states(data.sites, position, rows) for position in dict.fromkeys(at.by_fold)}
    norm = {
        position: standardised(
            torch.stack([data.raw(site, position, rows).norm(dim=-1, keepdim=True) for site in data.sites])
        )
        for position in states
    }
    sureness = max_softmax(data, rows)
    n_folds = data.n_folds

    def fitted_at(position: str) -> _Read:
        p = data.positions.index(position)
        noise = f.noise[0, :, p].unsqueeze(1).expand(-1, n_folds)
        return _Read(f.scores[0, :, p, at.which], f.inner_auroc[:, p], noise)

    yield SPECIALIST, _by_fold(fitted_at, at, rows)
    texts = length_and_format(data, rows)
    yield NO_FORMAT, _without({position: [texts] * len(x) for position, x in states.items()}, states, at, rows)
    if sureness is not None:
        both = {position: [torch.cat([sureness, one], 1) for one in each] for position, each in norm.items()}
        yield NO_SURENESS, _without(both, states, at, rows)
    if twin is not None:
        theirs = _their_rows(data, twin, f.examples, task).take(at.which)

        def random_at(position: str) -> _Read:
            return _read(fit_out_of_fold(_rows(twin.states(data.sites, position, theirs), rows), GRID, n_folds=n_folds))

        yield RANDOM, _by_fold(random_at, at, rows)
    yield NORM, _by_fold(lambda position: _read(fit_baseline(norm[position], rows, n_folds)), at, rows)
    for name, features in COVARIATES.items():
        values = features(data, rows)
        if values is not None:
            yield name, _read(fit_baseline(values[None], rows, n_folds))


def _by_fold(reading: Callable[[str], _Read], at: Chosen, rows: Examples) -> _Read:
    """Each fold's part of what is read at its own position."""
    read = {position: reading(position) for position in dict.fromkeys(at.by_fold)}
    scores, inner, noise = (torch.empty_like(one) for one in next(iter(read.values())))
    for fold, position in enumerate(at.by_fold):
        here = rows.fold == fold
        scores[:, here] = read[position].scores[:, here]
        inner[:, fold], noise[:, fold] = read[position].inner_auroc[:, fold], read[position].noise[:, fold]
    return _Read(scores, inner, noise)


def _rows(x: Float[Tensor, "*batch sample hidden"], rows: Examples) -> Rows:
    return Rows(x, rows.label[None], rows.fold, rows.weight[None])


def _read(fitted: OutOfFold) -> _Read:
    inner = fitted.inner_auroc[:, 0]
    return _Read(fitted.scores[:, 0], inner, fitted.noise.expand(inner.shape))


def _without(
    covariates: Mapping[str, Sequence[Float[Tensor, "sample covariate"]]],
    states: Mapping[str, Float[Tensor, "site sample hidden"]],
    at: Chosen,
    rows: Examples,
) -> _Read:
    """The specialist on what covariates leave of each site's states. A site at a time: every fold has rows of its own."""
    found = []
    used = at.by_fold[: int(rows.fold.max()) + 1]
    for s in range(len(states[at.most])):
        left = {
            position: residualised(x[s], covariates[position][s], rows.fold, ~rows.held_out)
            for position, x in states.items()
        }
        own = torch.stack([left[position][fold] for fold, position in enumerate(used)])
        one = own_fold(fit_out_of_fold(_rows(own, rows), GRID), rows.fold)
        found.append(_Read(one.scores[0], one.inner_auroc[0], one.noise.expand(len(used))))
    return _Read(*(torch.stack(each) for each in zip(*found, strict=True)))


def _their_rows(data: StudyData, twin: StudyData, mine: Examples, task: str) -> Examples:
    theirs = twin.examples(mine.kind, task)
    if data.column("row_id", mine) != twin.column("row_id", theirs):
        raise InputError(
            f"the states with random weights are of other rows of {task}", "read them again from the same rows"
        )
    return theirs
