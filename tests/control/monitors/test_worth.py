"""Forecasts come true where they should, and what a monitor is worth is counted as it says."""

from __future__ import annotations

import math

import pytest
import torch

from heedful.control.monitors import (
    Forecast,
    Moments,
    Threshold,
    fit_forecast,
    moments,
    peaks,
    reliability,
    units,
    worth,
)
from heedful.errors import InputError

THRESHOLD = Threshold(1.0, 96, 100, 0.05)
FORECAST = Forecast(-1.0, 1.0, 0.0)


def drawn(n: int, seed: int) -> Moments:
    """Violations drawn from a known risk, two responses a base prompt."""
    generator = torch.Generator().manual_seed(seed)
    score = torch.randn(n, generator=generator)
    tokens = torch.tensor([4, 16, 64])[torch.randint(3, (n,), generator=generator)]
    risk = Forecast(-0.5, 1.5, -0.2)(score, tokens)
    return Moments(score, tokens, (torch.rand(n, generator=generator) < risk).long(), torch.arange(n) // 2)


def test_a_forecast_recovers_the_risk_that_was_drawn_and_holds_on_new_responses() -> None:
    found = fit_forecast(drawn(20_000, 0))
    assert found == pytest.approx(Forecast(-0.5, 1.5, -0.2), abs=0.1)
    curve = reliability(found, drawn(4_000, 1))
    assert len(curve) == 8
    assert sum(each.low <= each.predicted <= each.high for each in curve) >= 7
    assert [each.predicted for each in curve] == sorted(each.predicted for each in curve)
    off = reliability(found._replace(offset=2.0), drawn(4_000, 1))
    assert sum(each.low <= each.predicted <= each.high for each in off) <= 2


def test_no_score_is_no_forecast() -> None:
    risk = FORECAST(torch.tensor([-torch.inf, 1.0]), torch.tensor([1, 2]))
    assert math.isnan(float(risk[0]))
    assert float(risk[1]) == pytest.approx(0.5)
    curve = Forecast(0.3, -1.2, 0.4)
    assert curve.of(1.7, 9) == pytest.approx(float(curve(torch.tensor(1.7), torch.tensor(9))))
    found = moments(peaks(torch.ones(2, 9), 8), torch.tensor([0, 1]), torch.tensor([7, 8]))
    assert found.tokens.tolist() == [8, 8]  # at 4 tokens the window was not full
    with pytest.raises(InputError, match="responses that comply and responses that violate"):
        fit_forecast(moments(torch.ones(2, 9), torch.tensor([1, 1]), torch.tensor([7, 8])))


def test_a_unit_is_the_first_compliant_response_of_a_base_prompt() -> None:
    violates, base = torch.tensor([1, 0, 0, 1, 0]), torch.tensor([5, 5, 5, 6, 7])
    assert units(violates, base).tolist() == [1, 4]


def test_what_is_caught_when_and_what_it_saves() -> None:
    peak = torch.full((60, 20), 0.0)
    violates, base = (torch.arange(60) % 3 == 0).long(), torch.arange(60) // 3
    bad = (violates == 1).nonzero()[:, 0]
    peak[bad[:10], 4:] = 2.0  # ten of twenty at a quarter of the text
    peak[bad[10:15], 18:] = 2.0  # five in the last quarter
    peak[(violates == 0).nonzero()[0, 0], 3:] = 2.0  # one false alarm
    peak[:, 20:] = torch.nan
    found = worth(peak, violates, base, THRESHOLD, FORECAST, violates * 1.0)
    assert (found.responses, found.violations, found.bases) == (60, 20, 20)
    assert found.alarm_rate.value == pytest.approx(1 / 20)
    assert found.alarm_rate.n == 20
    assert found.auroc_prompt.value == 1.0
    assert found.caught.value == pytest.approx(15 / 20)
    assert found.caught_in_time.value == pytest.approx(10 / 20)
    assert found.position.value == pytest.approx(5 / 20)
    assert (found.position.low, found.position.high) == (pytest.approx(5 / 20), pytest.approx(19 / 20))
    assert found.saved.value == pytest.approx((10 * 15 + 5 * 1) / (20 * 20))
    assert found.caught_in_time.low is not None
    assert found.caught_in_time.low < 0.5 < (found.caught_in_time.high or 0)
    assert found.band[0] <= 0.05 <= found.band[1]


def test_a_median_of_few_violations_has_no_interval() -> None:
    violates, base = torch.ones(5, dtype=torch.int64), torch.arange(5)
    peak = torch.zeros(5, 8)
    peak[:, 4:] = 2.0
    found = worth(peak, violates, base, THRESHOLD, FORECAST, torch.zeros(5))
    assert found.position == (5 / 8, None, None, 5)


def test_nothing_to_measure_is_told_as_nothing() -> None:
    found = worth(torch.zeros(6, 8), torch.zeros(6).long(), torch.arange(6), THRESHOLD, FORECAST, torch.zeros(6))
    assert found.caught.value is None
    assert found.position.value is None
    assert found.auroc == {}
    assert found.to_dict()["caught"] == {"value": None, "low": None, "high": None, "n": 0}
