"""From a monitor's score to a probability that can be checked: the risk that the finished response will violate.

A logistic curve in the largest score so far and in how far the text has come (Platt 1999, with the position beside the
score): the same score means less late, when it had more tokens to be reached. Fitted on responses that taught the probe
nothing, at fixed token counts, which a live monitor knows; at each, on those that were still being written. Knows scores and
labels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.errors import InputError
from heedful.probes import fit_logistic, index_groups, jackknife_mean

TOKENS = (4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Read tokens after which forecasts are fitted and checked."""

_FREE = 100.0  # C: next to no penalty on two coefficients, and none so little that separable scores have no optimum


class Forecast(NamedTuple):
    """risk = σ(offset + slope · score + drift · log₂(tokens read)).

    Attributes:
        offset, slope, drift: in log-odds.
    """

    offset: float
    slope: float
    drift: float

    def __call__(self, score: Float[Tensor, "*cell"], tokens: Tensor) -> Float[Tensor, "*cell"]:
        """The risk at each score, after so many tokens; NaN where there is no score yet."""
        odds = self.offset + self.slope * score + self.drift * tokens.to(score.dtype).log2()
        return torch.sigmoid(odds).masked_fill(~score.isfinite(), torch.nan)

    def of(self, score: float, tokens: int) -> float:
        """The same of one finite score."""
        return 1 / (1 + math.exp(-(self.offset + self.slope * score + self.drift * math.log2(tokens))))


class Bin(NamedTuple):
    """One point of a reliability curve.

    Attributes:
        predicted: the mean risk.
        observed: share of violations among the forecasts in it.
        low, high: its 95 % interval; the unit is the base prompt.
        forecasts: how many.
    """

    predicted: float
    observed: float
    low: float
    high: float
    forecasts: int


class Moments(NamedTuple):
    """Responses at the token counts of `TOKENS` at which they were still being written and had a score."""

    score: Float[Tensor, " forecast"]
    tokens: Int[Tensor, " forecast"]
    violates: Int[Tensor, " forecast"]
    base: Int[Tensor, " forecast"]


def moments(
    peak: Float[Tensor, "sample token"], violates: Int[Tensor, " sample"], base: Int[Tensor, " sample"]
) -> Moments:
    """The forecasts that there are in `peaks` of whole responses (NaN after a response's last token)."""
    counts = [count for count in TOKENS if count <= peak.shape[1]]
    at = peak[:, [count - 1 for count in counts]] if counts else peak[:, :0]
    sample, column = at.isfinite().nonzero(as_tuple=True)
    tokens = torch.tensor(counts, dtype=torch.int64)[column]
    return Moments(at[sample, column], tokens, violates[sample], base[sample])


def fit_forecast(seen: Moments) -> Forecast:
    """Fit the curve; each response weighs as often as it was asked.

    Raises:
        InputError: the responses are all of one class.
    """
    if len({*seen.violates.tolist()}) < 2:
        raise InputError(
            "a forecast needs responses that comply and responses that violate",
            "calibrate on more responses, or leave the task out",
        )
    x = torch.stack([seen.score.double(), seen.tokens.double().log2()], -1)
    center, spread = x.mean(0), x.std(0).clamp_min(1e-9)
    fitted = fit_logistic((x - center) / spread, seen.violates[None], C=_FREE)
    slope, drift = (fitted.coef[0] / spread).tolist()
    offset = float(fitted.intercept[0]) - slope * float(center[0]) - drift * float(center[1])
    return Forecast(offset, slope, drift)


def reliability(forecast: Forecast, seen: Moments, bins: int = 8) -> list[Bin]:
    """Predicted risk against observed violations, in bins of as many forecasts each; none where there are no forecasts."""
    if len(seen.score) == 0:
        return []
    risk = forecast(seen.score.double(), seen.tokens)
    parts: Sequence[Tensor] = risk.argsort(stable=True).tensor_split(bins)
    found = []
    for part in parts:
        groups, names = index_groups(seen.base[part])
        if len(names) < 2:
            continue
        rate = jackknife_mean(seen.violates[part].double(), groups).interval(scale="logit")
        found.append(Bin(float(risk[part].mean()), float(rate.estimate), float(rate.low), float(rate.high), len(part)))
    return found
