"""Canonical pairs against an independent implementation, maps that carry what they should, and the null of few rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from heedful.probes import canonical_pairs, ridge_map, view_of


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def two_views(n: int, shared: int = 3, d: int = 12, noise: float = 0.5, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Rows whose views share a few latent dimensions, each seen through a mixing matrix of its own."""
    latent = normal(n, shared, seed=seed)
    views = [
        latent @ normal(shared, d, seed=seed + 10 * i) + noise * normal(n, d, seed=seed + 10 * i + 5) for i in (1, 2)
    ]
    return views[0], views[1]


def test_correlations_are_those_of_whitened_cross_covariance() -> None:
    a, b = two_views(400)
    found = canonical_pairs(view_of(a), view_of(b))
    kept_a, kept_b = found.a.kept, found.b.kept
    a_axes, b_axes = ((x - x.mean(0)).numpy() @ v.axes[:, : v.kept].numpy() for x, v in ((a, found.a), (b, found.b)))
    # scipy-free oracle: eigenvalues of Saa⁻¹ Sab Sbb⁻¹ Sba.
    aa, bb, ab = a_axes.T @ a_axes, b_axes.T @ b_axes, a_axes.T @ b_axes
    squared = np.linalg.eigvals(np.linalg.solve(aa, ab) @ np.linalg.solve(bb, ab.T)).real
    expected = np.sort(np.sqrt(squared.clip(0, 1)))[::-1][: min(kept_a, kept_b)]
    np.testing.assert_allclose(found.correlation.numpy(), expected, atol=1e-4)


def test_variates_correlate_as_stated_and_are_orthonormal() -> None:
    a, b = two_views(400)
    found = canonical_pairs(view_of(a), view_of(b))
    left, right = found.variates(a, b)
    torch.testing.assert_close(left.mT @ left, torch.eye(left.shape[1]), atol=1e-4, rtol=0)
    torch.testing.assert_close((left * right).sum(0), found.correlation, atol=1e-4, rtol=0)


def test_on_new_rows_what_is_shared_correlates_and_what_is_not_does_not() -> None:
    a, b = two_views(1200)
    found = canonical_pairs(view_of(a[:600]), view_of(b[:600]))
    assert found.weighted(a[600:], b[600:]) > 0.5
    alone = canonical_pairs(view_of(a[:600]), view_of(normal(600, 12, seed=99)))
    assert abs(alone.weighted(a[600:], normal(600, 12, seed=98))) < 0.15


def test_with_few_rows_correlation_is_high_where_it_was_fitted_and_none_where_it_was_not() -> None:
    """Why it is told on held-out rows: with as many axes as rows, any two views agree."""
    a, b = normal(60, 40, seed=1), normal(60, 40, seed=2)
    found = canonical_pairs(view_of(a[:30]), view_of(b[:30]))
    assert float(found.correlation[0]) > 0.99
    assert abs(found.weighted(a[30:], b[30:])) < 0.3


def test_a_rotated_view_is_carried_back() -> None:
    a = normal(500, 8) * torch.logspace(0.5, -0.5, 8)
    rotation = torch.linalg.qr(normal(8, 8, seed=3)).Q
    b = a @ rotation + 5.0
    pairs = canonical_pairs(view_of(a[:300]), view_of(b[:300]))
    # Up to the least axes, which canonical pairs leave out.
    lost = (pairs.carried(a[300:]) - b[300:]).square().sum() / (b[300:] - b.mean(0)).square().sum()
    assert float(lost) < 0.1


@pytest.mark.parametrize("n", [60, 300])
def test_ridge_finds_a_linear_map_and_shrinks_noise(n: int) -> None:
    x, truth = normal(2 * n, 20), normal(20, 2, seed=4)
    y = x @ truth + 3.0
    weights, intercept = ridge_map(view_of(x[:n]), y[:n] + 0.01 * normal(n, 2, seed=5))
    torch.testing.assert_close(x[n:] @ weights + intercept, y[n:], atol=0.3, rtol=0.05)
    noise, _ = ridge_map(view_of(x[:n]), normal(n, 2, seed=6))
    assert float(noise.norm()) < 0.5 * float(torch.linalg.lstsq(x[:n], normal(n, 2, seed=6)).solution.norm())


def test_the_penalty_is_that_of_least_generalised_cross_validation_error() -> None:
    x, y = normal(80, 30), normal(80, 1, seed=7)
    y = y + x[:, :1]
    penalties = (0.01, 0.1, 1.0, 10.0)
    weights, _ = ridge_map(view_of(x), y, penalties)
    centred, target = (x - x.mean(0)).double(), (y - y.mean(0)).double()
    gram = centred.mT @ centred
    scale = torch.linalg.svdvals(centred).square().mean()
    errors, fits = [], []
    for penalty in penalties:
        inverse = torch.linalg.inv(gram + penalty * scale * torch.eye(30, dtype=torch.float64))
        fits.append(inverse @ centred.mT @ target)
        left = (target - centred @ fits[-1]).square().sum()
        free = len(x) - 1 - (inverse @ gram).diagonal().sum()
        errors.append(float(left / free.square()))
    torch.testing.assert_close(weights.double(), fits[int(np.argmin(errors))], atol=1e-4, rtol=1e-3)
