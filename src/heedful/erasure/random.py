"""The control of every eraser: random directions that take off just as much.

An isotropic random direction in d dimensions holds about 1/d of the variance, and any eraser beats it. So directions are
drawn and tilted along the covariance, C^(a/2) g, by the a at which their subspace holds the energy asked for.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.erasure.eraser import Eraser
from heedful.probes import PrincipalRows, principal_rows

_STEPS = 28
_STEEPEST = 8.0


def random_eraser(
    x: Float[Tensor, "sample hidden"] | PrincipalRows, energy: float, *, rank: int = 1, seed: int | Sequence[int] = 0
) -> Eraser:
    """Project off a random subspace that holds a given share of the rows' variance.

    Args:
        x: rows, or rows already rotated (then several draws share one rotation).
        energy: the share, see `Eraser.energy`; what cannot be reached (more than the first `rank` principal axes hold,
            less than the last) is approached as far as it goes.
        rank: dimensions of the subspace.
        seed: of the draw; several give a batch axis, an entry each.

    Returns:
        A map of rank 0, which takes nothing off, where all rows are alike.
    """
    rows = x if isinstance(x, PrincipalRows) else principal_rows(x)
    variance = rows.z.square().sum(0)
    kept = variance > 1e-10 * variance.sum()
    variance, axes = variance[kept] / variance.sum(), rows.axes[:, kept]
    seeds = [*seed] if isinstance(seed, Sequence) else [int(seed)]
    center = rows.mean.expand(len(seeds), -1)
    if not len(variance):
        nothing = center.new_zeros(*center.shape, 0)
        drawn = Eraser(center, nothing, nothing.mT)
        return drawn if isinstance(seed, Sequence) else drawn[0]
    shape, size = (len(variance), min(rank, len(variance))), variance.log()
    noise = torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(each)) for each in seeds]).to(
        variance
    )

    def subspace(tilt: Float[Tensor, " draw"]) -> Float[Tensor, "draw axis rank"]:
        logs = 0.5 * tilt.unsqueeze(-1) * size
        basis = (logs - logs.amax(-1, keepdim=True)).exp().unsqueeze(-1) * noise
        drawn: Tensor = basis / basis.norm(dim=1, keepdim=True) if rank == 1 else torch.linalg.qr(basis).Q
        return drawn

    high = variance.new_full((len(seeds),), _STEEPEST)
    low = -high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        short = (variance.unsqueeze(-1) * subspace(middle).square()).sum((1, 2)) < energy
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    basis = axes @ subspace((low + high) / 2)
    drawn = Eraser(center, basis, basis.mT)
    return drawn if isinstance(seed, Sequence) else drawn[0]
