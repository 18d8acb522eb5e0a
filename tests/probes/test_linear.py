"""The closed forms against scikit-learn and the definition."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from heedful.probes import fit_mean_difference, fit_ridge, principal_rows


def draw(n: int, d: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(2, n, d, generator=generator, dtype=torch.float64) + 5
    y = (torch.rand(3, n, generator=generator) < 0.5).long()
    weight = (torch.rand(3, n, generator=generator) < 0.8).double()
    y[:, 0], y[:, 1], weight[:, :2] = 0, 1, 1
    return x, y, weight


@settings(max_examples=20)
@given(n=st.integers(6, 60), d=st.integers(1, 40), seed=st.integers(0, 10**6), C=st.sampled_from([0.01, 1.0, 10.0]))
def test_ridge_equals_scikit_learn(n, d, seed, C):
    x, y, weight = draw(n, d, seed)
    probes = fit_ridge(x, y, weight, C)
    for b in range(2):
        for k in range(3):
            oracle = Ridge(alpha=1 / C).fit(x[b].numpy(), 2 * y[k].numpy() - 1, sample_weight=weight[k].numpy())
            assert probes.coef[b, k].tolist() == pytest.approx(oracle.coef_.tolist(), rel=1e-6, abs=1e-8)
            assert probes.intercept[b, k].item() == pytest.approx(oracle.intercept_, rel=1e-6, abs=1e-8)


def test_mean_difference_is_the_difference_of_means_with_the_boundary_half_way():
    x, y, weight = draw(30, 4, 0)
    probes = fit_mean_difference(principal_rows(x), y, weight)
    kept = weight[1] > 0
    ones, zeros = x[0][kept & (y[1] == 1)].mean(0), x[0][kept & (y[1] == 0)].mean(0)
    torch.testing.assert_close(probes.coef[0, 1], ones - zeros)
    torch.testing.assert_close(probes.scores(x)[0, 1], (x[0] - (ones + zeros) / 2) @ (ones - zeros))


@pytest.mark.parametrize("fit", [fit_ridge, fit_mean_difference])
def test_one_class_is_flagged(fit):
    x, y, weight = draw(20, 3, 1)
    weight[0, y[0] == 0] = 0
    probes = fit(x, y, weight)
    assert probes.degenerate[:, 0].all()
    assert not probes.degenerate[:, 1:].any()
    assert probes.coef[:, 0].abs().max() == 0
    assert probes.coef.isfinite().all()
