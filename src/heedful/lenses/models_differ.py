"""C6 between models: does what the probes read need the instruction more in one model than in another?

Compares the specificity that each model's study found, over the tasks that can be read in both: what is lost differs from
task to task, and which tasks a model has enough answers of either kind to is a matter of its ability. Tasks weigh the same in
both, too: the harmonic mean of the two models' AUROC − 0.5. By each model's own, two that lose the same of every task would
differ where one is read well on the tasks that lose much and the other on those that lose little. Models are asked the
same base prompts, but their answers and rows are their own, so intervals are combined as if they were independent; a
difference is decided against a margin, corrected over all pairs. Reads results, and no hidden state.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import hypot, isnan, nan
from typing import NamedTuple

import xarray as xr
from jaxtyping import Float
from scipy.special import stdtrit
from torch import Tensor

from heedful.lenses.result import LEVEL
from heedful.lenses.specificity import excess_over, readable_tasks
from heedful.lenses.verdict import MIN_TASKS, Outcome
from heedful.probes import combine

MARGIN = 0.1
"""Share of AUROC − 0.5 by which two models must differ."""


class Difference(NamedTuple):
    """Specificity of the first model less that of the second, with its interval corrected over all pairs.

    Attributes:
        value, low, high: NaN where the two have too few tasks in common.
        tasks: those that can be read in both, which it is over.
        left_out: those that can be read in one of the two alone.
    """

    first: str
    second: str
    value: float
    low: float
    high: float
    tasks: tuple[str, ...]
    left_out: tuple[str, ...]

    @property
    def outcome(self) -> Outcome:
        """Of 'these two differ'."""
        if self.low > MARGIN or self.high < -MARGIN:
            return "supported"
        return "contradicted" if self.low > -MARGIN and self.high < MARGIN else "undecided"

    @property
    def lacking(self) -> str:
        """Why the two could not be compared; empty where they were."""
        return f"{len(self.tasks)} readable in both, at least {MIN_TASKS} tasks are needed" if isnan(self.value) else ""


class ModelsDiffer(NamedTuple):
    """The verdict on C6, and what made it.

    Attributes:
        outcome: supported by any pair that differs, contradicted by all that do not, else undecided.
        pairs: every two models that are not left out.
        left_out: models that can be compared with no other, with the reason.
    """

    outcome: Outcome
    pairs: list[Difference]
    left_out: dict[str, str]


def models_differ(specificity: Mapping[str, xr.Dataset]) -> ModelsDiffer:
    """Compare models by what they lose without the instruction, on natural labels.

    Each pair over its own common tasks, not all over those of all: else one weak model would take tasks from every pair.

    Args:
        specificity: the lens's result, by the model's name.
    """
    left_out = {name: why for name, found in specificity.items() if (why := _unfit(found))}
    readable = {name: readable_tasks(found) for name, found in specificity.items() if name not in left_out}
    couples = [(a, b, tuple(t for t in readable[a] if t in readable[b])) for a, b in combinations(readable, 2)]
    n = sum(len(both) >= MIN_TASKS for *_, both in couples)
    pairs = []
    for a, b, both in couples:
        value, half = _difference(specificity[a], specificity[b], both, n) if len(both) >= MIN_TASKS else (nan, nan)
        alone = tuple(t for t in readable[a] + readable[b] if t not in both)
        pairs.append(Difference(a, b, value, value - half, value + half, both, alone))
    return ModelsDiffer(_decide([pair.outcome for pair in pairs]), pairs, left_out)


def _unfit(found: xr.Dataset) -> str:
    """Why a model can be compared with no other; empty if it can."""
    if bool(found["auroc_with"].sel(kind="natural").isnull().all()):
        return "fewer than two tasks have enough answers of either kind whose instruction can be taken away"
    if (n := len(readable_tasks(found))) < MIN_TASKS:
        return f"{n} readable tasks, at least {MIN_TASKS} are needed"
    return ""


def _difference(first: xr.Dataset, second: xr.Dataset, tasks: tuple[str, ...], n_pairs: int) -> tuple[float, float]:
    """The difference over these tasks, and half its interval: of n pairs all hold it in 95 % of cases."""
    one, other = excess_over(first, tasks), excess_over(second, tasks)
    by_first = combine(lambda excess: _less(excess, other.estimate), one)
    by_second = combine(lambda excess: -_less(excess, one.estimate), other)
    reach = float(stdtrit(min(one.n_groups, other.n_groups) - 1, 1 - (1 - LEVEL) / 2 / n_pairs))
    return float(by_first.estimate), reach * hypot(float(by_first.se), float(by_second.se))


def _less(
    excess: Float[Tensor, "context task *group"], fixed: Float[Tensor, "context task"]
) -> Float[Tensor, "*group"]:
    """The share that one model loses less that of another, which is held fixed, over tasks weighted alike in both."""
    fixed = fixed.reshape(*fixed.shape, *(1,) * (excess.ndim - fixed.ndim))
    weight = excess[0] * fixed[0] / (excess[0] + fixed[0])
    less: Tensor = (weight * (fixed[1] / fixed[0] - excess[1] / excess[0])).sum(0) / weight.sum(0)
    return less


def _decide(outcomes: list[Outcome]) -> Outcome:
    if "supported" in outcomes:
        return "supported"
    return "contradicted" if outcomes and set(outcomes) == {"contradicted"} else "undecided"
