"""The scale is robust, floors dead dimensions and reports massive ones."""

from __future__ import annotations

import pytest
import torch

from heedful.errors import InputError
from heedful.probes import fit_scale


def test_spread_is_the_standard_deviation_of_normal_rows():
    x = torch.randn(2, 20000, 5, generator=torch.Generator().manual_seed(0)) * torch.tensor([1.0, 2, 3, 4, 5]) + 7
    scale = fit_scale(x)
    torch.testing.assert_close(scale.spread, x.std(-2), rtol=0.05, atol=0)
    torch.testing.assert_close(scale(x).std(-2), torch.ones(2, 5), rtol=0.05, atol=0)
    torch.testing.assert_close(scale.center, x.median(-2).values, rtol=0, atol=1e-3)


def test_quartiles_interpolate_as_torch_does():
    x = torch.randn(37, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    low, high = x.quantile(0.25, 0), x.quantile(0.75, 0)
    torch.testing.assert_close(fit_scale(x).spread, (high - low) / 1.3489795)


def test_a_few_rows_do_not_set_the_scale_and_massive_dimensions_are_reported():
    x = torch.randn(200, 8, generator=torch.Generator().manual_seed(2))
    x[:3, 4] = 5000.0  # fires on a few rows: not the scale of the others
    x[:, 5] += 400  # a constant offset
    x[:, 6] *= 300  # a wild dimension
    scale = fit_scale(x)
    assert scale.spread[4] < 2
    assert scale.massive.tolist() == [False] * 5 + [True, True, False]


def test_dead_and_sparse_dimensions():
    x = torch.randn(100, 4, generator=torch.Generator().manual_seed(3))
    x[:, 0] = 3.0
    x[:, 1] = 0.0
    x[:10, 1] = 1.0
    scale = fit_scale(x)
    assert scale.spread[0] == pytest.approx(1e-3 * float(scale.spread.median()), rel=0.5)
    assert scale.spread[1] == pytest.approx(float(x[:, 1].std()))
    assert fit_scale(torch.ones(5, 3))(torch.ones(5, 3)).abs().max() == 0
    assert fit_scale(x.to(torch.bfloat16)).spread.dtype == torch.float32


def test_bad_input_names_cause_and_cure():
    with pytest.raises(InputError, match=r"at least two reference rows, got 1\n.*more reference texts"):
        fit_scale(torch.ones(1, 3))
    with pytest.raises(InputError, match=r"NaN or infinite.*\n.*f16"):
        fit_scale(torch.tensor([[1.0], [float("nan")]]))
