"""Thresholds that hold a stated rate of false alarms, by split conformal prediction, and how far a held-out rate may stray.

A unit is a base prompt with one compliant response to it, its score the largest that the response reached. With n units
that are exchangeable with those to come, and the threshold at the k-th smallest score, k = ⌈(n + 1)(1 − α)⌉, the next
unit's score is above it with probability at most α (Vovk, Gammerman & Shafer 2005). Given the calibration units, the rate is
itself a draw from Beta(n + 1 − k, k), so the alarms among m new units are Beta-binomial. Knows scores and nothing of
where they come from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from scipy.stats import betabinom

from heedful.errors import InputError


class Threshold(NamedTuple):
    """An alarm is raised by a score above `value`.

    Attributes:
        value: the `rank`-th smallest of the calibration scores.
        rank: k.
        units: n.
        rate: α, the stated rate of false alarms.
    """

    value: float
    rank: int
    units: int
    rate: float


class Band(NamedTuple):
    """Where a share lies with a stated probability."""

    low: float
    high: float


def fewest_units(rate: float) -> int:
    """The fewest calibration units with which a rate can be held other than by never raising an alarm: ⌈1/α⌉ − 1."""
    return math.ceil(round(1 / _checked(rate), 9)) - 1


def conformal_threshold(scores: Sequence[float], rate: float) -> Threshold:
    """The threshold that holds a rate of false alarms.

    Args:
        scores: one a calibration unit; −inf for a unit that never had a score, and so cannot raise an alarm.
        rate: α.

    Raises:
        InputError: a rate outside (0, 1), a score that is NaN, or too few units to hold it.
    """
    fewest, n = fewest_units(rate), len(scores)
    if any(math.isnan(score) for score in scores):
        raise InputError("a calibration score is NaN", "leave out responses that could not be scored, and say so")
    if n < fewest:
        raise InputError(
            f"{n} base prompts with a compliant response cannot hold a false-alarm rate of {rate:g}: it takes {fewest}",
            "calibrate on more base prompts, or allow more --false-alarms",
        )
    # Rounded, since 20 × (1 − 0.05) must be 19 and not a little more.
    rank = math.ceil(round((n + 1) * (1 - rate), 9))
    return Threshold(sorted(float(score) for score in scores)[rank - 1], rank, n, rate)


def alarm_band(threshold: Threshold, units: int, level: float = 0.95) -> Band:
    """Where the share of false alarms among so many new units lies, at this level, if the threshold does what it states.

    Raises:
        InputError: no units.
    """
    if units < 1:
        raise InputError("a share of 0 units has no band", "hold out some base prompts")
    alarms = betabinom(units, threshold.units + 1 - threshold.rank, threshold.rank)
    tail = (1 - level) / 2
    return Band(float(alarms.ppf(tail)) / units, float(alarms.ppf(1 - tail)) / units)


def _checked(rate: float) -> float:
    if not 0 < rate < 1:
        raise InputError(f"a false-alarm rate of {rate:g} is none", "give a share between 0 and 1, such as 0.05")
    return rate
