"""Iterative nullspace projection (Ravfogel et al. 2020): a probe after another, each blind to what those before it read.

Directions are kept as an orthonormal basis, so that the map can be cut to its first k, and the *original* rows are always
projected by the whole of it: errors do not pile up.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.erasure.eraser import Eraser
from heedful.erasure.given import given
from heedful.errors import InputError
from heedful.probes import Change, PrincipalRows, fit_logistic, principal_rows


def fit_inlp(
    x: Float[Tensor, "sample hidden"],
    y: Tensor,
    weight: Tensor | None = None,
    *,
    rank: int = 8,
    C: float = 1e-2,
) -> Eraser:
    """Project off the normals of `rank` logistic probes, each fitted on what the earlier ones left.

    Args:
        x: rows.
        y: 0 or 1, [sample]; or [set, sample], which gives a map a set.
        weight: ≥ 0, [sample]; None weighs all alike.
        rank: probes to fit; fewer directions come out where a probe finds nothing new to read.
        C: of every probe, on features of about unit spread.

    Raises:
        InputError: see `given`; or rows with a batch axis.
    """
    x, y, weight = given(x, y, weight)
    if x.ndim > 2 or rank < 1:
        raise InputError(
            f"{rank} directions of rows {tuple(x.shape)}", "give rows [sample, hidden], and rank at least 1"
        )
    x = x if x.dtype == torch.float64 else x.float()
    # Rotated once, for all probes: what the earlier ones read is a change of low rank to the solver.
    rows = principal_rows(x)
    center = (weight.to(x) @ x) / weight.sum()
    basis = _directions(rows.z, y.reshape(-1, len(x)), weight, rank, C).mT
    planes = basis.flatten(0, 1)
    hidden = rows.to_hidden(planes, planes.new_zeros(len(planes)))[0].reshape(*basis.shape[:2], x.shape[1])
    fitted = Eraser(center.expand(len(hidden), -1), hidden.mT, hidden)
    return fitted[0] if y.ndim == 1 else fitted


def _directions(
    z: Float[Tensor, "sample axis"], y: Int[Tensor, "set sample"], weight: Tensor, rank: int, C: float
) -> Float[Tensor, "set axis direction"]:
    """Of each set of labels, an orthonormal basis of what the probes read, one after the other; then zeros."""
    axes = z.shape[-1]
    rows = PrincipalRows(z, rotation=torch.eye(axes).to(z), mean=z.new_zeros(1, axes))
    basis = z.new_zeros(len(y), axes, 0)
    for _ in range(min(rank, axes)):
        normal = fit_logistic(rows, y, weight[None], C, change=Change(basis, basis.mT), tol=1e-2).coef.unsqueeze(-1)
        normal = normal - basis @ (basis.mT @ normal)
        size = normal.norm(dim=1, keepdim=True)
        found = size > 1e-6
        if not found.any():
            break
        basis = torch.cat([basis, torch.where(found, normal / size, 0.0)], -1)
    return basis
