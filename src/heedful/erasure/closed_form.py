"""Erasers in closed form, from the means of the two classes and the covariance of the rows.

All take rows, labels and weights; a weight of 0 leaves a row out. A label that is missing a class gives a map that changes
nothing. Several sets of labels of the same rows share their covariance, and give a map each. Moments are accumulated in f64:
in f32, let alone half precision, whitening drifts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.erasure.eraser import Eraser


class _Moments(NamedTuple):
    mean: Float[Tensor, "*batch hidden"]
    difference: Float[Tensor, "*batch set hidden"]
    """Mean of class 1 − mean of class 0; 0 where a class is missing."""
    centred: Float[Tensor, "*batch sample hidden"]
    """Rows less the mean, times the root of their share of the weight: its Gram matrix is the covariance."""
    effective: float
    """Rows that would tell as much if all weighed alike (Kish)."""


def fit_mean_projection(x: Float[Tensor, "*batch sample hidden"], y: Tensor, weight: Tensor | None = None) -> Eraser:
    """Take off the direction from one class mean to the other: x − (x − mean)·u u.

    The simplest eraser: the classes' means agree afterwards, though a probe may still find what another direction holds.

    Args:
        x: rows, any floating dtype.
        y: 0 or 1, [sample], the same for every entry of the batch; or [set, sample], which gives a batch axis more.
        weight: ≥ 0, [sample]; None weighs all alike.
    """
    return _along_means(x, y, weight, 1.0)


def fit_mean_flip(x: Float[Tensor, "*batch sample hidden"], y: Tensor, weight: Tensor | None = None) -> Eraser:
    """Turn the direction between the class means round: x − 2 (x − mean)·u u, the counterfactual I − 2P.

    Arguments as `fit_mean_projection`.
    """
    return _along_means(x, y, weight, 2.0)


def fit_leace(
    x: Float[Tensor, "*batch sample hidden"], y: Tensor, weight: Tensor | None = None, *, shrink: bool = True
) -> Eraser:
    """Least-squares concept erasure (Belrose et al. 2023): the smallest change after which no linear probe does better
    than chance on the rows' own distribution.

    The covariance is shrunk towards a sphere by the oracle approximation (Chen et al. 2010), since with about as many rows
    as dimensions its inverse would fit the rows at hand, and fail on others. Arguments as `fit_mean_projection`; without
    `shrink` it is LEACE as published, for many more rows than dimensions. For rows that come in parts: `StreamedLeace`.
    """
    moments = _moments(x, y, weight)
    covariance = moments.centred.mT @ moments.centred
    read = erasing_least(shrunk(covariance, moments.effective) if shrink else covariance, moments.difference)
    return _eraser(x, y, moments, read, moments.difference)


def erasing_least(
    covariance: Float[Tensor, "*batch hidden hidden"], difference: Float[Tensor, "*batch set hidden"]
) -> Float[Tensor, "*batch set hidden"]:
    """What LEACE reads where `difference` is what it writes: Σ⁻¹δ / δᵀΣ⁻¹δ; 0 where there is no difference."""
    whitened = torch.linalg.solve(covariance, difference.mT).mT
    scale = (difference * whitened).sum(-1, keepdim=True)
    return torch.where(scale > 0, whitened / scale.clamp_min(torch.finfo(scale.dtype).tiny), 0)


def _along_means(x: Tensor, y: Tensor, weight: Tensor | None, times: float) -> Eraser:
    moments = _moments(x, y, weight)
    size = moments.difference.norm(dim=-1, keepdim=True)
    unit = torch.where(size > 0, moments.difference / size.clamp_min(torch.finfo(size.dtype).tiny), 0)
    return _eraser(x, y, moments, times * unit, unit)


def _moments(x: Tensor, y: Tensor, weight: Tensor | None) -> _Moments:
    x, y = x.double(), y.reshape(-1, y.shape[-1]).to(x.device).double()
    weight = torch.ones_like(y[0]) if weight is None else weight.to(x.device).double()
    one, zero = weight * y, weight * (1 - y)  # [set, sample]
    ones, zeros = (each.sum(-1, keepdim=True) for each in (one, zero))
    total, mean = weight.sum(), weight @ x / weight.sum()
    difference = torch.where(ones * zeros > 0, one @ x / ones - zero @ x / zeros, 0)
    centred = (x - mean.unsqueeze(-2)) * (weight / total).sqrt().unsqueeze(-1)
    return _Moments(mean, difference, centred, float(total.square() / weight.square().sum()))


def shrunk(covariance: Float[Tensor, "*batch hidden hidden"], n: float) -> Float[Tensor, "*batch hidden hidden"]:
    """(1 − ρ) S + ρ tr(S)/d I, with the ρ of the oracle approximating shrinkage for n rows."""
    d = covariance.shape[-1]
    trace = covariance.diagonal(dim1=-2, dim2=-1).sum(-1)
    squared = covariance.square().sum((-2, -1))
    share = ((1 - 2 / d) * squared + trace.square()) / ((n + 1 - 2 / d) * (squared - trace.square() / d))
    rho = share.nan_to_num(1.0).clamp(1e-9, 1.0)[..., None, None]
    eye = torch.eye(d, dtype=covariance.dtype, device=covariance.device)
    return (1 - rho) * covariance + rho * (trace / d)[..., None, None] * eye


def _eraser(x: Tensor, y: Tensor, moments: _Moments, read: Tensor, write: Tensor) -> Eraser:
    """Of rank one, in the rows' own precision or f32; without an axis for sets where there is but one, [sample]."""
    dtype = x.dtype if x.dtype == torch.float64 else torch.float32
    center = moments.mean.unsqueeze(-2).expand(read.shape)
    if y.ndim == 1:
        center, read, write = (each.squeeze(-2) for each in (center, read, write))
    return Eraser(center.to(dtype), read.unsqueeze(-1).to(dtype), write.unsqueeze(-2).to(dtype))
