"""The scale of each dimension, measured once on neutral reference rows and applied outside every fold.

One metric for all tasks and folds: no fold-wise standardisation, so nothing leaks and C means the same everywhere.
Knows nothing of labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.errors import InputError

_IQR_OF_NORMAL = 1.3489795  # the interquartile range of a standard normal


@dataclass(frozen=True)
class FeatureScale:
    """x ↦ (x − center) / spread, per dimension."""

    center: Float[Tensor, "*batch hidden"]
    """Median on the reference rows."""
    spread: Float[Tensor, "*batch hidden"]
    """Interquartile range / 1.349 on the reference rows (the standard deviation, were they normal), with a floor."""
    massive: Bool[Tensor, "*batch hidden"]
    """Massive-activation dimensions: median or spread far beyond that of the other dimensions. Scaled like the others
    (that is what tames them), and reported."""

    def __call__(self, x: Float[Tensor, "*batch sample hidden"]) -> Float[Tensor, "*batch sample hidden"]:
        """Scaled rows, in the dtype of the scale."""
        return (x.to(self.spread.dtype) - self.center.unsqueeze(-2)) / self.spread.unsqueeze(-2)


def fit_scale(
    reference: Float[Tensor, "*batch sample hidden"], *, massive_factor: float = 30.0, floor: float = 1e-3
) -> FeatureScale:
    """Measure the spread of each dimension.

    Quartiles rather than moments: a few rows on which a massive-activation dimension fires (the first token, a
    delimiter) would set its standard deviation, and squash it on all other rows. Where more than half of the rows agree
    exactly, and quartiles say nothing, the standard deviation stands in.

    Args:
        massive_factor: a dimension is massive if its |median| or spread exceeds this many times the median spread.
        floor: smallest spread, as a share of the median spread: a dead dimension is not blown up to unit size.

    Raises:
        InputError: fewer than two reference rows, or values that are not finite.
    """
    n = reference.shape[-2]
    if n < 2:
        raise InputError(f"a scale needs at least two reference rows, got {n}", "give more reference texts")
    rows = reference if reference.dtype == torch.float64 else reference.float()
    if not bool(rows.isfinite().all()):
        raise InputError("the reference rows hold NaN or infinite values", "read the states in bf16 or f32, not in f16")
    ordered = rows.sort(-2).values
    quartile = [_quantile(ordered, q) for q in (0.25, 0.5, 0.75)]
    spread = (quartile[2] - quartile[0]) / _IQR_OF_NORMAL
    spread = torch.where(spread > 0, spread, rows.std(-2))
    typical = spread.median(-1, keepdim=True).values
    typical = torch.where(
        typical > 0, typical, torch.where(spread.amax(-1, keepdim=True) > 0, spread.amax(-1, keepdim=True), 1)
    )
    return FeatureScale(
        center=quartile[1],
        spread=torch.maximum(spread, floor * typical),
        massive=torch.maximum(quartile[1].abs(), spread) > massive_factor * typical,
    )


def _quantile(ordered: Tensor, q: float) -> Tensor:
    """Linear interpolation between order statistics; torch.quantile refuses more than 16 M elements."""
    at = q * (ordered.shape[-2] - 1)
    low = int(at)
    high = min(low + 1, ordered.shape[-2] - 1)
    return torch.lerp(ordered[..., low, :], ordered[..., high, :], at - low)
