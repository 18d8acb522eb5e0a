"""C6 between models: does what the probes read need the instruction more in one model than in another?

Compares the specificity that each model's study found. Models are asked the same base prompts, but their answers and rows
are their own, so intervals are combined as if they were independent; a difference is decided against a margin, corrected
over all pairs. Reads results, and no hidden state.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from math import hypot, isnan
from typing import NamedTuple

import xarray as xr
from scipy.special import ndtri

from heedful.lenses.result import LEVEL
from heedful.lenses.verdict import MIN_TASKS, Outcome

MARGIN = 0.1
"""Share of AUROC − 0.5 by which two models must differ."""


class Difference(NamedTuple):
    """Specificity of the first model less that of the second, with its interval corrected over all pairs."""

    first: str
    second: str
    value: float
    low: float
    high: float

    @property
    def outcome(self) -> Outcome:
        """Of 'these two differ'."""
        if self.low > MARGIN or self.high < -MARGIN:
            return "supported"
        return "contradicted" if self.low > -MARGIN and self.high < MARGIN else "undecided"


class ModelsDiffer(NamedTuple):
    """The verdict on C6, and what made it.

    Attributes:
        outcome: supported by any pair that differs, contradicted by all that do not, else undecided.
        pairs: every two models whose specificity could be measured.
        left_out: models of which it could not, with the reason.
    """

    outcome: Outcome
    pairs: list[Difference]
    left_out: dict[str, str]


def models_differ(specificity: Mapping[str, xr.Dataset]) -> ModelsDiffer:
    """Compare models by what they lose without the instruction, on natural labels.

    Args:
        specificity: the lens's result, by the model's name.
    """
    known: dict[str, tuple[float, float]] = {}
    left_out: dict[str, str] = {}
    for name, found in specificity.items():
        here = found.sel(kind="natural")
        value, low, high = (float(here[f"specificity{end}"]) for end in ("", "_low", "_high"))
        n = int((here["auroc_with_low"] > 0.5).sum())
        if isnan(value) or isnan(low):
            left_out[name] = "too few natural rows of either class"
        elif n < MIN_TASKS:
            left_out[name] = f"{n} readable tasks, at least {MIN_TASKS} are needed"
        else:
            known[name] = value, (high - low) / (2 * float(ndtri((1 + LEVEL) / 2)))
    couples = list(combinations(known, 2))
    reach = float(ndtri(1 - (1 - LEVEL) / 2 / max(len(couples), 1)))
    pairs = []
    for a, b in couples:
        value, se = known[a][0] - known[b][0], hypot(known[a][1], known[b][1])
        pairs.append(Difference(a, b, value, value - reach * se, value + reach * se))
    return ModelsDiffer(_decide([pair.outcome for pair in pairs]), pairs, left_out)


def _decide(outcomes: list[Outcome]) -> Outcome:
    if "supported" in outcomes:
        return "supported"
    return "contradicted" if outcomes and set(outcomes) == {"contradicted"} else "undecided"
