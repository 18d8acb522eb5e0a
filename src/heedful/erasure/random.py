"""The control of every eraser: random directions that take off just as much.

An isotropic random direction in d dimensions holds about 1/d of the variance, and any eraser beats it. So directions are
drawn and tilted along the covariance, C^(a/2) g, by the a at which their subspace holds the energy asked for.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.erasure.eraser import Eraser
from heedful.probes import PrincipalRows, principal_rows

_STEPS = 40
_STEEPEST = 8.0


def random_eraser(
    x: Float[Tensor, "sample hidden"] | PrincipalRows, energy: float, *, rank: int = 1, seed: int = 0
) -> Eraser:
    """Project off a random subspace that holds a given share of the rows' variance.

    Args:
        x: rows, or rows already rotated (then several draws share one rotation).
        energy: the share, see `Eraser.energy`; what cannot be reached (more than the first `rank` principal axes hold,
            less than the last) is approached as far as it goes.
        rank: dimensions of the subspace.
    """
    rows = x if isinstance(x, PrincipalRows) else principal_rows(x)
    variance = rows.z.square().sum(0)
    kept = variance > 1e-10 * variance.sum()
    variance, axes = variance[kept] / variance.sum(), rows.axes[:, kept]
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(len(variance), min(rank, len(variance)), generator=generator).to(variance)
    size = variance.log()

    def subspace(tilt: float) -> Tensor:
        logs = 0.5 * tilt * size
        basis: Tensor = torch.linalg.qr((logs - logs.max()).exp().unsqueeze(-1) * noise).Q
        return basis

    low, high = -_STEEPEST, _STEEPEST
    for _ in range(_STEPS):
        middle = (low + high) / 2
        held = float((variance.unsqueeze(-1) * subspace(middle).square()).sum())
        low, high = (middle, high) if held < energy else (low, middle)
    basis = axes @ subspace((low + high) / 2)
    return Eraser(rows.mean[0], basis, basis.mT)
