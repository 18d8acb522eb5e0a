"""Depth: planted emergence is recovered, and the rank correlation is scipy's."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from heedful.lenses import depth
from heedful.lenses.depth import _centre, _onset, _order_p, tau_b

SITES = ("embed", "block.0.out", "block.1.out", "block.2.out", "block.3.out")
STARTS = {"word_count": 0, "include": 2, "topic": 4, "register": 4}


def fade(task: str, site: int, position: int) -> float:
    """Early tasks fade, late ones emerge."""
    return 2.0 * max(0.0, 1 - 0.6 * abs(site - STARTS[task]))


@pytest.fixture(scope="module")
def staged(study: Callable[..., Any], planted: Any) -> xr.Dataset:
    made = study(planted(strength=fade, sites=SITES, positions=("prompt[-1]", "eos")), controls=False)
    return depth(made.data, made.fits)


def test_planted_depths_are_recovered(staged: xr.Dataset) -> None:
    at = staged.sel(kind="contrast", position="eos")
    assert at.peak_site_index.values.tolist() == [0, 2, 4, 4]
    np.testing.assert_allclose(at.centre, [0.1, 0.5, 0.9, 0.9], atol=0.12)
    assert (at.centre_low <= at.centre).all()
    assert (at.centre_high >= at.centre).all()
    onset = at.onset90.values
    assert onset[0] < 0.1 < 0.3 < onset[1] < 0.6 < 0.8 < onset[2]
    assert at.readable.all()


def test_the_family_order_is_found(staged: xr.Dataset) -> None:
    at = staged.sel(kind="contrast", position="eos")
    assert at.rank_correlation > 0.9
    assert at.rank_correlation_low > 0
    assert at.rank_correlation_high <= 1
    assert at.rank_tasks == 4
    assert (at.gain_low > 0.2).all()
    np.testing.assert_allclose(at.gain, [0.4, 0.4], atol=0.15)
    assert at.order_p == pytest.approx(1 / 12)  # of 4! / 2! ways


def test_the_reverse_order_is_found_reversed(study: Callable[..., Any], planted: Any) -> None:
    made = study(
        planted(strength=lambda task, s, p: fade(task, 4 - s, p), sites=SITES, positions=("prompt[-1]", "eos")),
        controls=False,
    )
    at = depth(made.data, made.fits).sel(kind="contrast", position="eos")
    assert at.rank_correlation < -0.9
    assert (at.gain_high < 0).all()
    assert at.order_p == 1


def test_before_the_response_squares_have_no_depth(staged: xr.Dataset) -> None:
    before = staged.sel(kind="contrast", position="prompt[-1]")
    assert before.centre.isnull().all()
    assert before.rank_correlation.isnull()
    assert before.gain.isnull().all()
    assert before.order_p.isnull()


@pytest.mark.parametrize("strength", [0.5, 1.0, 4.0])
def test_a_stronger_trace_of_the_same_course_stands_at_the_same_depth(strength: float) -> None:
    depths = torch.linspace(0, 1, 25, dtype=torch.float64)
    course = torch.sigmoid((depths - 0.5) / 0.12)
    curve = torch.special.ndtr(strength * course / 2**0.5)
    expected = float((depths * course).sum() / course.sum())
    assert float(_centre(curve, depths, 800)) == pytest.approx(expected, abs=1e-9)
    # A trace below what these rows could tell from a perfect one is as far as it goes; nothing is nowhere.
    assert float(_centre(torch.ones(25, dtype=torch.float64), depths, 800)) == pytest.approx(0.5)
    assert bool(_centre(1 - curve, depths, 800).isnan())


def test_noise_where_nothing_is_read_does_not_draw_the_centre_to_the_middle() -> None:
    depths = torch.linspace(0, 1, 25, dtype=torch.float64)
    noise = 0.05 * torch.randn(25, 4000, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    late = (depths > 0.75).double() * 0.2 + 0.5
    found = _centre((late.unsqueeze(-1) + noise).clamp(0, 1), depths, 800)
    assert float(found.median()) == pytest.approx(float(depths[depths > 0.75].mean()), abs=0.02)


def test_the_share_of_orders_is_exact() -> None:
    centres = torch.tensor([0.1, 0.3, 0.2, 0.8, 0.9])
    ranks = [0, 1, 0, 2, 2]

    def slope(order: tuple[int, ...]) -> float:
        return sum((r - sum(ranks) / 5) * float(c) for r, c in zip(order, centres, strict=True))

    ways = {*permutations(ranks)}
    expected = sum(slope(way) >= slope(tuple(ranks)) - 1e-6 for way in ways) / len(ways)
    assert _order_p(centres, ranks) == pytest.approx(expected) == pytest.approx(1 / 30)
    assert _order_p(-centres, ranks) == 1
    assert np.isnan(_order_p(torch.tensor([0.1, float("nan"), 0.3]), [0, 1, 2]))


def test_tasks_that_nothing_reads_have_no_rank(study: Callable[..., Any], planted: Any) -> None:
    made = study(planted(strength=lambda task, s, p: 0.0, positions=("prompt[-1]", "eos")), controls=False)
    at = depth(made.data, made.fits).sel(kind="contrast", position="eos")
    assert at.readable.sum() <= 1
    assert at.rank_correlation.isnull()


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=3, max_size=9))
def test_tau_b_is_scipys(pairs: list[tuple[int, int]]) -> None:
    a, b = (torch.tensor(side, dtype=torch.float64) for side in zip(*pairs, strict=True))
    expected = kendalltau(a.numpy(), b.numpy()).statistic
    np.testing.assert_allclose(tau_b(torch.stack([a, -a]), b), [expected, -expected], atol=1e-12)


def test_onset_is_linear_between_sites() -> None:
    depths = torch.tensor([0, 0.5, 1], dtype=torch.float64)
    curve = torch.tensor([0.5, 0.7, 0.9], dtype=torch.float64)
    assert float(_onset(curve, torch.tensor(2), depths)) == pytest.approx(0.9)
    assert float(_onset(curve.flip(0), torch.tensor(0), depths)) == 0
    assert bool(_onset(1 - curve, torch.tensor(2), depths).isnan())
