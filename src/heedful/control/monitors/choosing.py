"""Sites, penalty and window of the monitors, all chosen on training base prompts, by folds over them.

A source is a site at the newest token, or a site at the prompt's end. One choice of sources for all tasks, so that a step of
decoding costs one product; a penalty and a window for each task. Arrays only: knows no model and no text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.control.monitors.smoothing import Window, peaks
from heedful.probes import C_GRID, OutOfFold, Rows, fit_logistic, fold_auroc, fold_mean, out_of_fold

MEANS = tuple(Window(width) for width in (1, 2, 4, 8, 16))
COUNTS = tuple(Window(width, agree) for width, agree in ((1, 1), (4, 3), (8, 4), (8, 6), (16, 8), (16, 12)))
WINDOWS = {"mean": MEANS, "count": COUNTS, "best": MEANS + COUNTS}
"""Of tokens that are to agree, to choose from: by their mean, by a count, or by either."""
N_FOLDS = 5
"""That training responses are parted in, by base prompt."""
_GAIN = 0.005  # of mean AUROC: what a further source must add, since it costs at every token
_UP_TO = 0.2  # false-alarm rates over which windows are compared: one rate alone is too noisy on some hundred responses
IN_TIME = 0.75
"""A violation is caught in time where the alarm comes before the last quarter of the response."""


@dataclass(frozen=True)
class TaskTokens:
    """Tokens of one task's training responses, each response weighing the same, and both classes too."""

    states: Float[Tensor, "source token hidden"]
    """Scaled."""
    violates: Int[Tensor, " token"]
    response: Int[Tensor, " token"]
    fold: Int[Tensor, " token"]
    """Of the response's base prompt."""

    @property
    def weight(self) -> Float[Tensor, " token"]:
        """Each response's tokens sum to 1, but for the balance between classes."""
        weight = 1.0 / torch.bincount(self.response)[self.response]
        total = weight.sum()
        for value in (0, 1):
            side = self.violates == value
            weight[side] *= total / (2 * weight[side].sum().clamp_min(1e-9))
        return weight

    def at(self, sources: Sequence[int]) -> Float[Tensor, "token features"]:
        """States of some sources, side by side."""
        return torch.cat([self.states[source] for source in sources], -1)


class Fitted(NamedTuple):
    """One task's probe on the chosen sources.

    Attributes:
        C: the chosen penalty.
        auroc: of its tokens, out of fold.
        coef, intercept: fitted on all training rows.
        fold_coef, fold_intercept: without each fold, to choose a window by.
    """

    C: float
    auroc: float
    coef: Float[Tensor, " features"]
    intercept: Float[Tensor, ""]
    fold_coef: Float[Tensor, "fold features"]
    fold_intercept: Float[Tensor, " fold"]


class Chosen(NamedTuple):
    """Sources, by index in rising order, and each task's probe on them."""

    sources: tuple[int, ...]
    probes: dict[str, Fitted]


def choose(
    tasks: Mapping[str, TaskTokens], n_sources: int, most: int, tell: Callable[[int, int], None] = lambda done, of: None
) -> Chosen:
    """Forward selection of sources by the mean AUROC of all tasks' tokens; each task's penalty by its own.

    Args:
        tasks: training tokens by task.
        n_sources: how many there are to choose from.
        most: sources at the most.
        tell: told how many fits of how many are done.
    """
    total, done = sum(n_sources - taken for taken in range(most)), 0
    best, sources = -1.0, list[int]()
    while len(sources) < min(most, n_sources):
        scored = []
        for source in (source for source in range(n_sources) if source not in sources):
            found = [_auroc(task, sorted([*sources, source]), C_GRID[1:3]).max() for task in tasks.values()]
            scored.append((float(torch.stack(found).mean()), source))
            done += 1
            tell(done, total)
        value, source = max(scored, key=lambda each: each[0])
        if sources and value < best + _GAIN:
            break
        best, sources = value, [*sources, source]
    if done < total:
        tell(total, total)
    order = tuple(sorted(sources))
    return Chosen(order, {name: _fit(task, order) for name, task in tasks.items()})


def _auroc(task: TaskTokens, sources: Sequence[int], grid: Sequence[float]) -> Float[Tensor, " C"]:
    scores = _out_of_fold(task, sources, grid).scores
    return fold_mean(fold_auroc(scores, task.violates, task.fold, task.weight)).nan_to_num(0.5)


def _out_of_fold(task: TaskTokens, sources: Sequence[int], grid: Sequence[float]) -> OutOfFold:
    label = task.violates.expand(len(grid), -1)
    rows = Rows(task.at(sources), label, task.fold, task.weight.expand(len(grid), -1))
    return out_of_fold(rows, torch.tensor(grid)[:, None], n_folds=N_FOLDS)


def _fit(task: TaskTokens, sources: Sequence[int]) -> Fitted:
    found = _out_of_fold(task, sources, C_GRID)
    auroc = fold_mean(fold_auroc(found.scores, task.violates, task.fold, task.weight)).nan_to_num(0.5)
    best = int(auroc.argmax())
    final = fit_logistic(task.at(sources), task.violates[None], task.weight[None], C_GRID[best])
    return Fitted(
        C_GRID[best], float(auroc[best]), final.coef[0], final.intercept[0], found.coef[best], found.intercept[best]
    )


def choose_window(
    scores: Float[Tensor, "sample token"],
    violates: Int[Tensor, " sample"],
    fold: Int[Tensor, " sample"],
    windows: Sequence[Window] = MEANS,
) -> Window:
    """The window that catches most violations in time, over small rates of false alarms, by out-of-fold scores.

    Args:
        scores: a score a token, by a probe that the response's base prompt had no part in; NaN after the last token.
        windows: to choose from.

    Returns:
        The widest of equals, and of those the first.
    """
    return max(windows, key=lambda each: (caught_in_time(peaks(scores, *each), violates, fold), each.width))


def caught_in_time(
    peak: Float[Tensor, "sample token"], violates: Int[Tensor, " sample"], fold: Int[Tensor, " sample"]
) -> float:
    """Mean share of violations caught before the last quarter, over rates of false alarms up to a fifth; within folds, whose
    scores are of different probes."""
    final = last(peak)
    lengths = (~peak.isnan()).sum(-1)
    early = (lengths * IN_TIME).long() - 1
    in_time = torch.where(early >= 0, peak.gather(1, early.clamp_min(0)[:, None])[:, 0], -torch.inf)
    shares = []
    for each in sorted({*fold.tolist()}):
        mine = fold == each
        calm = final[mine & (violates == 0)].sort(descending=True).values
        risky = in_time[mine & (violates == 1)]
        if len(calm) and len(risky):
            thresholds = calm[: max(1, int(len(calm) * _UP_TO))]
            shares.append(float((risky[:, None] > thresholds).double().mean()))
    return sum(shares) / max(len(shares), 1)


def last(peak: Float[Tensor, "sample token"]) -> Float[Tensor, " sample"]:
    """The value at each response's last token; −inf for a response without tokens."""
    lengths = (~peak.isnan()).sum(-1)
    at = peak.gather(1, (lengths - 1).clamp_min(0)[:, None])[:, 0]
    return torch.where(lengths > 0, at, -torch.inf)
