"""Erasers in closed form, from the means of the two classes and the covariance of the rows.

All take rows, labels and weights; a weight of 0 leaves a row out. Several sets of labels of the same rows share their
covariance, and give a map each: one that changes nothing where a set lacks a class. Labels [sample] that lack one are refused.
Moments are accumulated in f64: in f32, let alone half precision, whitening drifts.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.erasure.eraser import Eraser
from heedful.erasure.given import given


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

    Raises:
        InputError: see `given`.
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
    x, y, weight = given(x, y, weight)
    moments = _moments(x, y, weight)
    if shrink and moments.centred.shape[-2] < moments.centred.shape[-1]:
        return _eraser(x, y, moments, _erasing_least_of_few(moments), moments.difference)
    covariance = moments.centred.mT @ moments.centred
    read = erasing_least(shrunk(covariance, moments.effective) if shrink else covariance, moments.difference)
    return _eraser(x, y, moments, read, moments.difference)


def erasing_least(
    covariance: Float[Tensor, "*batch hidden hidden"], difference: Float[Tensor, "*batch set hidden"]
) -> Float[Tensor, "*batch set hidden"]:
    """What LEACE reads where `difference` is what it writes: Σ⁻¹δ / δᵀΣ⁻¹δ; 0 where there is no difference."""
    # Rows that are all alike have no covariance to solve for, and no difference either.
    return _of_unit_effect(torch.linalg.solve_ex(covariance, difference.mT).result.mT, difference)


def _erasing_least_of_few(moments: _Moments) -> Float[Tensor, "*batch set hidden"]:
    """`erasing_least` of the shrunk covariance, by systems as large as there are rows (Woodbury): of fewer rows than
    dimensions, what lies outside of their span is a sphere."""
    centred, difference = moments.centred, moments.difference
    gram = centred @ centred.mT
    trace = gram.diagonal(dim1=-2, dim2=-1).sum(-1)
    kept, added = _shrinkage(trace, gram.square().sum((-2, -1)), centred.shape[-1], moments.effective)
    eye = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    inner = torch.linalg.solve_ex(kept * gram + added * eye, kept * centred @ difference.mT).result
    return _of_unit_effect(difference - (centred.mT @ inner).mT, difference)


def _of_unit_effect(
    whitened: Float[Tensor, "*batch set hidden"], difference: Float[Tensor, "*batch set hidden"]
) -> Float[Tensor, "*batch set hidden"]:
    """Σ⁻¹δ, known but for its size, so scaled that it reads 1 of δ."""
    scale = (difference * whitened).sum(-1, keepdim=True)
    return torch.where(scale > 0, whitened / scale.clamp_min(torch.finfo(scale.dtype).tiny), 0)


def _along_means(x: Tensor, y: Tensor, weight: Tensor | None, times: float) -> Eraser:
    x, y, weight = given(x, y, weight)
    moments = _moments(x, y, weight)
    size = moments.difference.norm(dim=-1, keepdim=True)
    unit = torch.where(size > 0, moments.difference / size.clamp_min(torch.finfo(size.dtype).tiny), 0)
    return _eraser(x, y, moments, times * unit, unit)


def _moments(x: Tensor, y: Tensor, weight: Tensor) -> _Moments:
    x, y, weight = x.double(), y.reshape(-1, y.shape[-1]).double(), weight.double()
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
    kept, added = _shrinkage(trace, covariance.square().sum((-2, -1)), d, n)
    return kept * covariance + added * torch.eye(d, dtype=covariance.dtype, device=covariance.device)


def _shrinkage(
    trace: Float[Tensor, "*batch"], squared: Float[Tensor, "*batch"], d: int, n: float
) -> tuple[Float[Tensor, "*batch 1 1"], Float[Tensor, "*batch 1 1"]]:
    """1 − ρ and ρ tr(S)/d, of the trace of S and of S²."""
    share = ((1 - 2 / d) * squared + trace.square()) / ((n + 1 - 2 / d) * (squared - trace.square() / d))
    rho = share.nan_to_num(1.0).clamp(1e-9, 1.0)[..., None, None]
    return 1 - rho, rho * (trace / d)[..., None, None]


def _eraser(x: Tensor, y: Tensor, moments: _Moments, read: Tensor, write: Tensor) -> Eraser:
    """Of rank one, in the rows' own precision or f32; without an axis for sets where there is but one, [sample]."""
    dtype = x.dtype if x.dtype == torch.float64 else torch.float32
    center = moments.mean.unsqueeze(-2).expand(read.shape)
    if y.ndim == 1:
        center, read, write = (each.squeeze(-2) for each in (center, read, write))
    return Eraser(center.to(dtype), read.unsqueeze(-1).to(dtype), write.unsqueeze(-2).to(dtype))
