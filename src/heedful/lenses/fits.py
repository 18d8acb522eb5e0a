"""The probes behind the lenses: specialists, general probes and control tasks, fitted once at every site and position.

What comes out is scores: of each row, by a probe that never saw its base prompt, so that any lens can ask its own
question of the same fits. Knows which rows train which probe; takes no view of what the scores mean.

General probes are trained on the rows of all tasks together. `general_each` has of each task as many examples as that
task's specialist; `general_total` has as many in all as the specialist, drawn evenly over the tasks, squares whole;
`held_out` is `general_each` without any row of the task it is scored on (only its C, one number, was chosen with that
task among the others).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.lenses.data import KINDS, Examples, Kind, StudyData
from heedful.probes import (
    Held,
    Rows,
    control_labels,
    draw_units,
    fit_logistic,
    out_of_fold,
    type_recurrence,
)

PROBES = ("specialist", "general_each", "general_total", "held_out")
GRID = (1e-3, 1e-2, 1e-1)
"""Values of C to choose from, on features of unit spread."""
N_CONTROLS = 3
MIN_RECURRENCE = 0.8

Progress = Callable[[str, int, int], None]
"""(what, done, total)"""

_TOLERANCE = 1e-2  # relative distance of a probe's weights to the optimum: AUROC moves in the fourth digit
_BLOCK_BYTES = 2**28  # hidden states held at once; sites beyond that take turns
fit_out_of_fold = partial(out_of_fold, fit=partial(fit_logistic, tol=_TOLERANCE), workers=os.cpu_count() or 1)
"""How every probe here is fitted; within `a_thread_each`."""


class Controls(NamedTuple):
    """A task's control label sets (Hewitt & Liang 2019), and what they are a function of."""

    labels: Int[Tensor, "set sample"]
    recurrence: float
    """Share of rows whose type recurs in another fold."""
    types: str
    """What a type is, in words."""


@dataclass(frozen=True)
class TaskFits:
    """The probes of one kind and task, over its rows that take part anywhere; NaN where a cell has too few rows."""

    examples: Examples
    valid: Bool[Tensor, "position sample"]
    """Rows that take part at each position."""
    scores: Float[Tensor, "probe site position sample"]
    """Out of fold; NaN where a row does not take part. Compared within folds only."""
    noise: Float[Tensor, "probe site position"]
    """Share of noise in each probe, for intervals (`Jackknife.cross_fitted`)."""
    C: Float[Tensor, "site position fold"]
    """The specialist's choice on inner folds."""
    inner_auroc: Float[Tensor, "site position fold"]
    """The specialist's mean AUROC over the inner folds of each outer fold: to choose a cell by."""
    control_scores: Float[Tensor, "set site position sample"]
    """The same of the control tasks' probes, at the specialist's C; NaN for rows of templates that were not trained on, too."""
    controls: Controls

    def noise_at(self, cells: Sequence[tuple[int, int]]) -> Float[Tensor, " probe"]:
        """Share of noise where each outer fold has a cell (site and position) of its own: the mean over folds."""
        return torch.stack([self.noise[:, site, position] for site, position in cells]).mean(0)


@dataclass(frozen=True)
class Fits:
    """All probes of a study."""

    tasks: dict[tuple[Kind, str], TaskFits]
    """Tasks with enough rows only."""
    not_converged: int
    """Probes that stopped before they met their tolerance."""
    n_probes: int

    def of(self, kind: Kind) -> list[TaskFits]:
        """All tasks' of one kind of labels."""
        return [f for (its, _), f in self.tasks.items() if its == kind]


def fit_probes(
    data: StudyData,
    progress: Progress | None = None,
    *,
    general: bool = True,
    controls: bool = True,
    wanted: Callable[[Kind, str], bool] = lambda kind, position: True,
) -> Fits:
    """Fit every probe of every kind, task, site and position.

    Args:
        general: whether to fit the general probes as well, the dearest by far; without, their scores stay NaN.
        controls: whether to fit the control tasks as well; without, their AUROC stays NaN.
        wanted: at which positions to fit, for which labels; elsewhere all stays NaN.
        progress: told after each kind and position.
    """
    fits: dict[tuple[Kind, str], TaskFits] = {}
    tally = _Tally()
    cells = [(kind, p) for kind in KINDS for p, position in enumerate(data.positions) if wanted(kind, position)]
    for kind in KINDS:
        for t, task in enumerate(data.tasks):
            examples = data.examples(kind, task)
            if examples.enough:
                fits[kind, task] = _blank(data, examples, seed=data.seed + t)
    with a_thread_each():
        for done, (kind, p) in enumerate(cells, 1):
            mine = {data.tasks.index(task): f for (k, task), f in fits.items() if k == kind}
            _fit_position(data, kind, p, mine, tally, general, controls)
            if progress is not None:
                progress(f"{kind} labels, {data.positions[p]}", done, len(cells))
    return Fits(fits, tally.not_converged, tally.n_probes)


@contextmanager
def a_thread_each() -> Iterator[None]:
    """One torch thread while workers share the cores: its own threads gain little on these shapes, and spin."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass
class _Tally:
    not_converged: int = 0
    n_probes: int = 0

    def add(self, converged: Tensor) -> None:
        self.n_probes += converged.numel()
        self.not_converged += int((~converged).sum())


def _blank(data: StudyData, examples: Examples, seed: int) -> TaskFits:
    """A task's fits before any is made. The tensors are filled in place, a position at a time."""
    cell, controls = (len(data.sites), len(data.positions)), _controls(data, examples, seed)
    return TaskFits(
        examples=examples,
        valid=torch.stack([data.valid(p, examples) for p in data.positions]),
        scores=torch.full((len(PROBES), *cell, len(examples)), torch.nan),
        noise=torch.full((len(PROBES), *cell), torch.nan),
        C=torch.full((*cell, data.n_folds), torch.nan),
        inner_auroc=torch.full((*cell, data.n_folds), torch.nan, dtype=torch.float64),
        control_scores=torch.full((len(controls.labels), *cell, len(examples)), torch.nan),
        controls=controls,
    )


def _fit_position(
    data: StudyData, kind: Kind, p: int, fits: dict[int, TaskFits], tally: _Tally, general: bool, controls: bool
) -> None:
    """All probes of one kind at one position: of each task that has enough rows there, and of their union."""
    here = {t: f for t, f in fits.items() if f.examples.take(f.valid[p]).enough}
    if not here:
        return
    union = data.examples(kind)
    union = union.take(torch.isin(union.task, torch.tensor(list(here))))
    union = union.take(data.valid(data.positions[p], union))
    for sites in _blocks(data, len(union)):
        x = data.states(data.sites[sites], data.positions[p], union)
        for t, f in here.items():
            _fit_specialist(data, x[:, union.task == t], f, sites, p, tally, controls)
        if general and len(here) > 1:
            _fit_general(data, x, union, here, sites, p, tally)


def _blocks(data: StudyData, n_rows: int) -> Iterator[slice]:
    step = max(1, _BLOCK_BYTES // (4 * max(n_rows * data.hidden, 1)))
    return (slice(i, i + step) for i in range(0, len(data.sites), step))


def _fit_specialist(
    data: StudyData,
    x: Float[Tensor, "site sample hidden"],
    f: TaskFits,
    sites: slice,
    p: int,
    tally: _Tally,
    controls: bool,
) -> None:
    valid = f.valid[p]
    rows = f.examples.take(valid)
    task = fit_out_of_fold(Rows(x, rows.label[None], rows.fold, rows.weight[None]), GRID, n_folds=data.n_folds)
    tally.add(task.converged)
    f.scores[0, sites, p] = f.scores[0, sites, p].masked_scatter(valid, task.scores)
    f.noise[0, sites, p] = task.noise[:, 0]
    f.C[sites, p] = task.C[:, 0]
    f.inner_auroc[sites, p] = task.inner_auroc[:, 0]
    if not controls or not len(f.controls.labels):
        return
    trained, labels = (~rows.held_out).float(), f.controls.labels[:, valid]
    control = fit_out_of_fold(Rows(x, labels, rows.fold, trained.expand(labels.shape)), task.C, n_folds=data.n_folds)
    scores = control.scores.masked_fill(rows.held_out, torch.nan).transpose(0, 1)
    f.control_scores[:, sites, p] = f.control_scores[:, sites, p].masked_scatter(valid, scores)
    tally.add(control.converged)


def _fit_general(
    data: StudyData,
    x: Float[Tensor, "site sample hidden"],
    union: Examples,
    fits: dict[int, TaskFits],
    sites: slice,
    p: int,
    tally: _Tally,
) -> None:
    weight, tasks = union.weight, list(fits)
    fit = partial(fit_out_of_fold, n_folds=data.n_folds)
    each = fit(Rows(x, union.label[None], union.fold, weight[None], stratum=union.task), GRID)
    without = torch.stack([weight * (union.task != t) for t in tasks])
    labels = union.label.expand(without.shape)
    # The general probe's C serves the held-out ones, though the task had a voice in it: a choice of their own would
    # cost more than all other probes together.
    held_out = fit(Rows(x, labels, union.fold, without), each.C.expand(-1, len(tasks), -1))
    tally.add(each.converged)
    tally.add(held_out.converged)

    draws = _draws(union, tasks, data.seed)
    drawn = draws.rows.any(0)
    part = union.take(drawn)
    total = fit(
        Rows(
            x[:, drawn],
            part.label.expand(len(draws.rows), -1),
            part.fold,
            torch.stack([_weight_within(part, chosen[drawn]) for chosen in draws.rows]),
            stratum=part.task,
        ),
        GRID,
        held=Held(x, union.fold),
    )
    tally.add(total.converged)
    for k, (t, f) in enumerate(fits.items()):
        mine = union.task == t
        for probe, (fitted, problem) in enumerate(((each, 0), (total, draws.of_task[k]), (held_out, k)), 1):
            scores = fitted.scores[:, problem, mine]
            f.scores[probe, sites, p] = f.scores[probe, sites, p].masked_scatter(f.valid[p], scores)
            f.noise[probe, sites, p] = fitted.noise[:, problem]


class _Draws(NamedTuple):
    rows: Bool[Tensor, "draw sample"]
    of_task: list[int]
    """The draw that matches each task's specialist."""


def _draws(union: Examples, tasks: Sequence[int], seed: int) -> _Draws:
    """Subsets of the union as large as the specialists' training rows; sizes within a tenth share one.

    All are drawn in one order, so that a smaller one lies within a larger and few rows are needed in all.
    """
    may_train = (~union.held_out).nonzero().squeeze(-1)
    size_of = [int((union.task[may_train] == t).sum()) for t in tasks]
    sizes: list[int] = []
    for size in sorted(set(size_of)):
        if not sizes or size > 1.1 * sizes[-1]:
            sizes.append(size)
    rows = torch.zeros(len(sizes), len(union), dtype=torch.bool)
    for k, size in enumerate(sizes):
        rows[k, may_train] = draw_units(union.unit[may_train], size, seed, strata=union.task[may_train])
    return _Draws(rows, [max(k for k, size in enumerate(sizes) if size <= mine) for mine in size_of])


def _weight_within(examples: Examples, chosen: Bool[Tensor, " sample"]) -> Float[Tensor, " sample"]:
    """Training weights of the chosen rows, balanced among themselves; 0 for the others."""
    return torch.zeros(len(examples)).masked_scatter(chosen, examples.take(chosen).weight)


def _controls(data: StudyData, examples: Examples, seed: int) -> Controls:
    """Random labels by constraint and length; by coarser types where constraints hardly ever recur.

    A term taken from the response, say, is nearly unique, and a type that never recurs cannot be memorised.
    """
    n_words = torch.tensor(data.column("n_words", examples), dtype=torch.float64)
    quartile = torch.bucketize(n_words, n_words.quantile(torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64))).tolist()
    constraints, templates = data.column("constraint", examples), data.column("template_id", examples)
    forms = [_form(constraint) for constraint in constraints]
    types: list[Hashable] = list(zip(constraints, quartile, strict=True))
    words = "constraint × length quartile"
    recurrence = type_recurrence(types, examples.fold)
    if recurrence < MIN_RECURRENCE:
        types, words = list(zip(forms, templates, quartile, strict=True)), "form × template × length quartile"
        recurrence = type_recurrence(types, examples.fold)
    if len(set(types)) < 2:
        return Controls(torch.zeros(0, len(examples), dtype=torch.long), recurrence, "none: all rows are of one type")
    return Controls(control_labels(types, N_CONTROLS, seed), recurrence, words)


def _form(constraint: str) -> tuple[str, ...]:
    """Which constraint it is, and which fields it sets, whatever their values: structural/word_count and at_most, say."""
    fields = json.loads(constraint) if constraint else {}
    return fields.pop("id", ""), *sorted(fields)
