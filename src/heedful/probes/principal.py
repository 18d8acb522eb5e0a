"""Rows rotated to their principal axes, once, for all problems that share them.

The rotation is lossless for anything penalised by ‖w‖² or linear in the class means: it is orthogonal, and a direction
that no row varies along gets no weight. Centring is lossless where the intercept is free. What it buys: the curvature
of the logistic loss becomes nearly diagonal, and n rows in d > n dimensions become n rows in n dimensions. Knows
nothing of labels.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.errors import InputError


@dataclass(frozen=True)
class PrincipalRows:
    """Rows x, as z = (x − mean) @ axes."""

    z: Float[Tensor, "*batch sample axis"]
    axes: Float[Tensor, "*batch hidden axis"]
    """Orthonormal columns; as many as the smaller of samples and hidden."""
    mean: Float[Tensor, "*batch 1 hidden"]

    def to_hidden(
        self, coef: Float[Tensor, "*batch problem axis"], intercept: Float[Tensor, "*batch problem"]
    ) -> tuple[Float[Tensor, "*batch problem hidden"], Float[Tensor, "*batch problem"]]:
        """The same planes in the coordinates of x."""
        hidden = coef @ self.axes.mT
        return hidden, intercept - (hidden @ self.mean.mT).squeeze(-1)

    def to_axes(
        self, coef: Float[Tensor, "*batch problem hidden"], intercept: Float[Tensor, "*batch problem"]
    ) -> tuple[Float[Tensor, "*batch problem axis"], Float[Tensor, "*batch problem"]]:
        """The inverse of `to_hidden`, up to directions that no row varies along."""
        return coef @ self.axes, intercept + (coef @ self.mean.mT).squeeze(-1)


def principal_rows(x: Float[Tensor, "*batch sample hidden"]) -> PrincipalRows:
    """Rotate rows to the principal axes of their batch entry, largest variance first.

    Args:
        x: any floating dtype; half precision is lifted to f32, f32 and f64 stay.

    Raises:
        InputError: x has no rows or no dimensions, or holds NaN or infinite values.
    """
    if x.shape[-1] == 0 or x.shape[-2] == 0:
        raise InputError(f"probes cannot be fitted on rows of shape {tuple(x.shape)}", "give at least one row")
    x = x if x.dtype in (torch.float32, torch.float64) else x.float()
    mean = x.mean(-2, keepdim=True)
    if not bool(mean.isfinite().all()):
        bad = int((~x.isfinite()).any(-1).sum())
        raise InputError(
            f"{bad} rows hold NaN or infinite values",
            "read the states in bf16 or f32 (f16 overflows), or drop the rows",
        )
    centred = _centred(x, mean)
    if x.shape[-2] < x.shape[-1]:
        # Fewer rows than dimensions: the row space is all that a probe can use. QR keeps small directions exact, where
        # the eigenvectors of a Gram matrix would lose those below √eps of the largest.
        basis, upper = torch.linalg.qr(centred.mT)
        reduced = upper.mT
        rotation = _axes(reduced.mT @ reduced)
        return PrincipalRows(z=reduced @ rotation, axes=basis @ rotation, mean=mean)
    axes = _axes(centred.mT @ centred)
    return PrincipalRows(z=centred @ axes, axes=axes, mean=mean)


def _centred(x: Float[Tensor, "*batch sample hidden"], mean: Float[Tensor, "*batch one hidden"]) -> Tensor:
    """x − mean, with what is rounding alone as exact zero.

    A template's token at the embedding gives the same row many times; what centring leaves of it is noise of size eps, no
    direction to look along, and its Gram matrix of denormals is one on which LAPACK does not converge.
    """
    centred = x - mean
    rounding = 8 * torch.finfo(x.dtype).eps * torch.maximum(mean.abs(), x.abs().amax(-2, keepdim=True))
    return torch.where(centred.abs() > rounding, centred, 0)


def _axes(gram: Float[Tensor, "*batch axis axis"]) -> Float[Tensor, "*batch axis axis"]:
    """Eigenvectors, largest eigenvalue first; in f64 where f32 does not converge."""
    try:
        vectors: Tensor = torch.linalg.eigh(gram).eigenvectors
    except RuntimeError:  # torch's LinAlgError, which it does not export
        vectors = torch.linalg.eigh(gram.double()).eigenvectors.to(gram.dtype)
    return vectors.flip(-1)
