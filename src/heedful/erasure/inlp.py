"""Iterative nullspace projection (Ravfogel et al. 2020): a probe after another, each blind to what those before it read.

Directions are kept as an orthonormal basis, so that the map can be cut to its first k, and the *original* rows are always
projected by the whole of it: errors do not pile up.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.erasure.eraser import Eraser, stacked
from heedful.probes import PrincipalRows, fit_logistic, principal_rows


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
    """
    if y.ndim > 1:
        return stacked([fit_inlp(x, each, weight, rank=rank, C=C) for each in y])
    x = x if x.dtype == torch.float64 else x.float()
    if weight is not None:
        x, y, weight = (each[weight > 0] for each in (x, y, weight))
    else:
        weight = torch.ones(len(y))
    # Rotated once: a probe then finds its axes nearly principal, as the solver likes them, whatever was projected off.
    rows = principal_rows(x)
    z, eye = rows.z, torch.eye(rows.z.shape[-1], dtype=x.dtype)
    basis = z.new_zeros(z.shape[-1], 0)
    for _ in range(min(rank, z.shape[-1])):
        left = PrincipalRows(z - z @ basis @ basis.mT, axes=eye, mean=z.new_zeros(1, z.shape[-1]))
        normal = fit_logistic(left, y[None], weight[None], C, tol=1e-2).coef[0]
        normal = normal - basis @ (basis.mT @ normal)
        size = normal.norm()
        if not size > 1e-6:
            break
        basis = torch.cat([basis, (normal / size).unsqueeze(-1)], -1)
    hidden = rows.axes @ basis
    return Eraser((weight.to(x) @ x) / weight.sum(), hidden, hidden.mT)
