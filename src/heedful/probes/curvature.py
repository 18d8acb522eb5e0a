"""Rows that lose a few directions, and the inverse of what the curvature of a probe's objective nearly is on them.

On principal axes the curvature Zᵀ D Z + I is nearly diagonal, and a diagonal is a good preconditioner. Of rows Z (I − A W)
that have lost something it is no longer: (I − A W)ᵀ Λ (I − A W) + I, with Λ the diagonal of before, differs from Λ + I by a
matrix of twice the rank of A, and Woodbury's identity inverts it exactly. Knows nothing of labels, nor how a solver goes on.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

_ROUNDING = 5e3
"""A direction that rows lose is left with a curvature of 1. Where the largest of the others is beyond 1 / (this × rounding),
its share of the inverse would drown theirs: the diagonal alone is slower, and safe."""


class Change(NamedTuple):
    """What is taken off each problem's rows before it is fitted: z − z @ read @ write, of low rank.

    So problems that see the same rows but for a few directions (erased ones, say) still share their products. Both are in the
    coordinates of `PrincipalRows.z`.
    """

    read: Float[Tensor, "*batch problem axis rank"]
    write: Float[Tensor, "*batch problem rank axis"]

    def of_plane(self, coef: Float[Tensor, "*batch problem axis"]) -> Float[Tensor, "*batch problem axis"]:
        """What a plane loses by it, as it stands before the change."""
        return _through(self.write, self.read, coef)

    def of_gradient(self, gradient: Float[Tensor, "*batch problem axis"]) -> Float[Tensor, "*batch problem axis"]:
        """What the gradient loses by it: the transpose of `of_plane`."""
        return _through(self.read.mT, self.write.mT, gradient)


class Preconditioner(NamedTuple):
    """A map near to the inverse of the curvature: diagonal − outer @ inner, symmetric and positive definite."""

    diagonal: Float[Tensor, "*batch problem unknown"]
    """Of the weights, and last of the intercept: all of it where nothing is changed."""
    outer: Float[Tensor, "*batch problem axis double_rank"] | None = None
    inner: Float[Tensor, "*batch problem double_rank axis"] | None = None
    """What is lost by the change, of the weights alone."""

    def __call__(self, gradient: Float[Tensor, "*batch problem unknown"]) -> Float[Tensor, "*batch problem unknown"]:
        scaled = self.diagonal * gradient
        if self.outer is None or self.inner is None:
            return scaled
        weights = gradient[..., :-1]
        less = scaled[..., :-1] - _through(self.inner, self.outer, weights)
        # Uphill in exact arithmetic; where rounding says otherwise, the diagonal stands in.
        scaled[..., :-1] = torch.where(torch.linalg.vecdot(less, weights).unsqueeze(-1) > 0, less, scaled[..., :-1])
        return scaled


def preconditioner(curvature: Float[Tensor, "*batch problem unknown"], change: Change | None) -> Preconditioner:
    """Of the diagonal of Zᵀ D Z on rows as they are, to which the penalty is yet to come, and what those rows lose.

    Args:
        curvature: ≥ 0; the intercept, which has no penalty, is last.
    """
    penalised = curvature.clone()
    penalised[..., :-1] += 1
    inverse = penalised.clamp_min_(torch.finfo(curvature.dtype).tiny ** 0.5).reciprocal_()
    if change is None:
        return Preconditioner(inverse)
    # With M = Λ + I and S = [[AᵀΛA, −I], [−I, 0]]: M + U S Uᵀ, of U = [Wᵀ, ΛA]; M⁻¹ U is `outer`, and S⁻¹ + Uᵀ M⁻¹ U `middle`.
    written = change.write * inverse[..., None, :-1]
    share = (curvature * inverse)[..., :-1, None] * change.read  # Λ / (Λ + 1)
    eye = torch.eye(written.shape[-2], dtype=written.dtype, device=written.device)
    # W A is 1 of a projection: that cancels, to rounding, before the little that is left is added.
    apart = (change.write @ change.read - eye) - written @ change.read
    outer = torch.cat([written.mT, share], -1)
    middle = torch.cat(
        [torch.cat([written @ change.write.mT, apart], -1), torch.cat([apart.mT, -change.read.mT @ share], -1)], -2
    )
    inner = torch.linalg.solve_ex(middle, outer.mT).result
    safe = _ROUNDING * torch.finfo(curvature.dtype).eps * curvature.amax(-1) <= 1
    return Preconditioner(inverse, outer, torch.where(safe[..., None, None], inner, 0))


def _through(
    first: Float[Tensor, "*batch problem rank axis"],
    then: Float[Tensor, "*batch problem axis rank"],
    vector: Float[Tensor, "*batch problem axis"],
) -> Float[Tensor, "*batch problem axis"]:
    return (then @ (first @ vector.unsqueeze(-1))).squeeze(-1)
