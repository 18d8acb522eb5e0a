"""Two views of the same rows, related: canonical correlations (SVCCA's: Raghu et al. 2017; weighted: Morcos et al. 2018), and
maps from one view into the other. Knows nothing of labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.probes.principal import principal_rows

VARIANCE = 0.95
"""Of the variance of either view, the share that its largest axes keep: the rest is noise to a canonical correlation."""
RIDGE = (1e-3, 1e-2, 1e-1, 1.0, 10.0, 100.0)
"""Penalties to choose from, in units of the mean squared singular value."""


@dataclass(frozen=True)
class View:
    """Rows on their principal axes, all of them and the largest."""

    unit: Float[Tensor, "sample axis"]
    """Orthonormal columns."""
    size: Float[Tensor, " axis"]
    """Singular values, largest first; none is 0."""
    axes: Float[Tensor, "hidden axis"]
    mean: Float[Tensor, " hidden"]
    kept: int
    """Axes that hold `VARIANCE`."""

    def coordinates(self, x: Float[Tensor, "row hidden"]) -> Float[Tensor, "row axis"]:
        """Of any rows, in units in which these rows' columns are orthonormal."""
        return (x - self.mean) @ self.axes / self.size


def view_of(x: Float[Tensor, "sample hidden"]) -> View:
    """Decompose rows, once for every view that they are held against."""
    rows = principal_rows(x)
    size = rows.z.norm(dim=0)
    real = size > 1e-5 * size.amax().clamp_min(1e-12)
    size = size[real]
    share = size.square().cumsum(0) / size.square().sum().clamp_min(1e-12)
    return View(
        unit=rows.z[:, real] / size,
        size=size,
        axes=rows.axes[:, real],
        mean=rows.mean[0],
        kept=min(int((share < VARIANCE).sum()) + 1, len(size)),
    )


@dataclass(frozen=True)
class Canonical:
    """Pairs of directions, one in each view, that go together most."""

    a: View
    b: View
    in_a: Float[Tensor, "axis_a pair"]
    in_b: Float[Tensor, "axis_b pair"]
    correlation: Float[Tensor, " pair"]
    """On the rows that were fitted: large by chance where axes are many for the rows."""

    def variates(
        self, a: Float[Tensor, "row hidden_a"], b: Float[Tensor, "row hidden_b"]
    ) -> tuple[Float[Tensor, "row pair"], Float[Tensor, "row pair"]]:
        """Both views of any rows, along the pairs."""
        left = self.a.coordinates(a)[:, : self.a.kept] @ self.in_a
        return left, self.b.coordinates(b)[:, : self.b.kept] @ self.in_b

    def weighted(self, a: Float[Tensor, "row hidden_a"], b: Float[Tensor, "row hidden_b"]) -> float:
        """Projection-weighted correlation on other rows (PWCCA): each pair counts by how much of `a` lies along it."""
        along = (self.in_a.mT * self.a.size[: self.a.kept]) @ self.a.axes[:, : self.a.kept].mT
        weight = along.abs().sum(1)
        left, right = (each - each.mean(0) for each in self.variates(a, b))
        r = (left * right).sum(0) / (left.norm(dim=0) * right.norm(dim=0)).clamp_min(1e-12)
        return float((weight * r).sum() / weight.sum())

    def carried(self, a: Float[Tensor, "row hidden_a"]) -> Float[Tensor, "row hidden_b"]:
        """`a` said in the other view's coordinates: each pair's part of it is put where its partner lies, at full size."""
        variates = self.a.coordinates(a)[:, : self.a.kept] @ self.in_a
        kept = self.b.kept
        carried: Tensor = (variates @ self.in_b.mT * self.b.size[:kept]) @ self.b.axes[:, :kept].mT + self.b.mean
        return carried


def canonical_pairs(a: View, b: View) -> Canonical:
    """Canonical correlation analysis of two views of the same rows, on their largest axes."""
    left, correlation, right = torch.linalg.svd(a.unit[:, : a.kept].mT @ b.unit[:, : b.kept], full_matrices=False)
    return Canonical(a, b, left, right.mT, correlation.clamp(0, 1))


def ridge_map(
    x: View, y: Float[Tensor, "sample output"], penalties: Sequence[float] = RIDGE
) -> tuple[Float[Tensor, "hidden output"], Float[Tensor, " output"]]:
    """Ridge regression of outputs on a view of the same rows, each at the penalty of least generalised cross-validation error.

    Returns:
        Weights and intercepts: y ≈ x @ weights + intercepts.
    """
    n, mean = len(y), y.mean(0)
    along = x.unit.mT @ (y - mean)  # [axis, output]
    total = (y - mean).square().sum(0)
    squares = x.size.square()
    shrink = torch.stack([squares / (squares + penalty * squares.mean()) for penalty in penalties])  # [penalty, axis]
    left = total - (2 * shrink - shrink.square()) @ along.square()
    error = left.clamp_min(0) / (n - 1 - shrink.sum(1)).clamp_min(1e-3).square().unsqueeze(1)
    best = shrink[error.argmin(0)].mT  # [axis, output]
    weights: Tensor = x.axes @ (best * along / x.size.unsqueeze(1))
    return weights, mean - x.mean @ weights
