"""Depth: planted emergence is recovered, and the rank correlation is scipy's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau

from heedful.lenses import depth
from heedful.lenses.depth import _onset, tau_b

SITES = ("embed", "block.0.out", "block.1.out", "block.2.out", "block.3.out")
STARTS = {"word_count": 0, "include": 2, "topic": 4, "register": 4}


def fade(task: str, site: int, position: int) -> float:
    """Early tasks fade, late ones emerge."""
    return 2.0 * max(0.0, 1 - 0.6 * abs(site - STARTS[task]))


@pytest.fixture(scope="module")
def staged(study: Callable[..., Any], planted: Any) -> xr.Dataset:
    made = study(planted(strength=fade, sites=SITES, positions=("prompt[-1]", "eos")))
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


def test_the_reverse_order_is_found_reversed(study: Callable[..., Any], planted: Any) -> None:
    made = study(
        planted(strength=lambda task, s, p: fade(task, 4 - s, p), sites=SITES, positions=("prompt[-1]", "eos"))
    )
    assert depth(made.data, made.fits).rank_correlation.sel(kind="contrast", position="eos") < -0.9


def test_before_the_response_squares_have_no_depth(staged: xr.Dataset) -> None:
    before = staged.sel(kind="contrast", position="prompt[-1]")
    assert before.centre.isnull().all()
    assert before.rank_correlation.isnull()


def test_tasks_that_nothing_reads_have_no_rank(study: Callable[..., Any], planted: Any) -> None:
    made = study(planted(strength=lambda task, s, p: 0.0, positions=("prompt[-1]", "eos")))
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
