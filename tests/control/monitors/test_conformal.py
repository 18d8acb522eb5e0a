"""The threshold holds the stated rate, as theory says and not only on average."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.control.monitors import alarm_band, conformal_threshold, fewest_units
from heedful.errors import InputError


@given(st.lists(st.floats(-50, 50), min_size=9, max_size=200), st.floats(0.1, 0.9))
def test_the_threshold_is_the_order_statistic_of_the_theorem(scores: list[float], rate: float) -> None:
    found = conformal_threshold(scores, rate)
    assert found.value == sorted(scores)[found.rank - 1]
    # k is the smallest rank with k / (n + 1) ≥ 1 − α: a unit exchangeable with the others is above it with at most α.
    assert found.rank / (len(scores) + 1) >= 1 - rate - 1e-9
    assert (found.rank - 1) / (len(scores) + 1) < 1 - rate + 1e-9
    assert sum(score > found.value for score in scores) <= rate * (len(scores) + 1) + 1e-9


@pytest.mark.parametrize(("units", "rate", "rank"), [(19, 0.05, 19), (99, 0.05, 95), (100, 0.05, 96), (9, 0.1, 9)])
def test_ranks_that_rounding_would_shift(units: int, rate: float, rank: int) -> None:
    assert conformal_threshold(list(range(units)), rate).rank == rank


@pytest.mark.parametrize("rate", [0.05, 0.2])
@pytest.mark.parametrize("units", [100, 150])
def test_simulated_false_alarms_are_beta_binomial(units: int, rate: float) -> None:
    rng, draws, tested = np.random.default_rng(0), 2000, 100
    counts = []
    for _ in range(draws):
        threshold = conformal_threshold(rng.exponential(size=units).tolist(), rate)
        counts.append(int((rng.exponential(size=tested) > threshold.value).sum()))
    band = alarm_band(threshold, tested)
    # On average at most α, and not much less: E = 1 − k/(n + 1), known to four standard errors.
    expected = 1 - threshold.rank / (units + 1)
    shares = np.array(counts) / tested
    assert expected <= rate + 1e-9
    assert abs(shares.mean() - expected) < 4 * shares.std() / math.sqrt(draws)
    inside = ((shares >= band.low) & (shares <= band.high)).mean()
    assert 0.945 <= inside <= 0.995  # at least 95 %, and more by the steps of a count


def test_units_without_a_score_never_raise_an_alarm_and_count() -> None:
    scores = [-math.inf] * 50 + [1.0] * 50
    assert conformal_threshold(scores, 0.05).value == 1.0
    assert conformal_threshold([-math.inf] * 97 + [1.0] * 3, 0.05).value == -math.inf


def test_errors_name_cause_and_cure() -> None:
    assert fewest_units(0.05) == 19
    assert fewest_units(0.01) == 99
    with pytest.raises(InputError, match=r"18 base prompts.*it takes 19\n.*more --false-alarms"):
        conformal_threshold([0.0] * 18, 0.05)
    with pytest.raises(InputError, match="between 0 and 1"):
        conformal_threshold([0.0] * 18, 0.0)
    with pytest.raises(InputError, match="is NaN"):
        conformal_threshold([math.nan] * 40, 0.05)
