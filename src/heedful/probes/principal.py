"""Rows rotated to their principal axes, once, for all problems that share them.

The rotation is lossless for anything penalised by ‖w‖² or linear in the class means: it is orthogonal, and a direction
that no row varies along gets no weight. Centring is lossless where the intercept is free. What it buys: the curvature
of the logistic loss becomes nearly diagonal, and n rows in d > n dimensions become n rows in n dimensions. Knows
nothing of labels.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.errors import InputError
from heedful.probes.checks import check_rows, check_tensors


class _Reflectors(NamedTuple):
    """An orthonormal basis of the rows as LAPACK's geqrf leaves it: to apply it to a few planes costs a fraction of
    writing it out."""

    vectors: Float[Tensor, "*batch hidden sample"]
    scales: Float[Tensor, "*batch sample"]

    def written_out(self) -> Float[Tensor, "*batch hidden sample"]:
        basis: Tensor = torch.linalg.householder_product(self.vectors, self.scales)
        return basis

    def to_hidden(self, coef: Float[Tensor, "*batch problem sample"]) -> Float[Tensor, "*batch problem hidden"]:
        hidden, n = self.vectors.shape[-2:]
        padded = torch.nn.functional.pad(coef, (0, hidden - n)).mT
        return torch.ormqr(self.vectors, self.scales, padded).mT

    def from_hidden(self, coef: Float[Tensor, "*batch problem hidden"]) -> Float[Tensor, "*batch problem sample"]:
        n = self.vectors.shape[-1]
        return torch.ormqr(self.vectors, self.scales, coef.mT, transpose=True)[..., :n, :].mT


@dataclass(frozen=True)
class PrincipalRows:
    """Rows x, as z = (x − mean) @ axes.

    Attributes:
        z: the rotated rows; as many axes as the smaller of samples and hidden.
        rotation: the axes, in the basis that `reflectors` stands for, or else as they are.
        mean: of the rows.
        reflectors: where there are fewer rows than dimensions.
    """

    z: Float[Tensor, "*batch sample axis"]
    rotation: Float[Tensor, "*batch inner axis"]
    mean: Float[Tensor, "*batch 1 hidden"]
    reflectors: _Reflectors | None = None

    @cached_property
    def axes(self) -> Float[Tensor, "*batch hidden axis"]:
        """Orthonormal columns."""
        return self.rotation if self.reflectors is None else self.reflectors.written_out() @ self.rotation

    def to_hidden(
        self, coef: Float[Tensor, "*batch problem axis"], intercept: Float[Tensor, "*batch problem"]
    ) -> tuple[Float[Tensor, "*batch problem hidden"], Float[Tensor, "*batch problem"]]:
        """The same planes in the coordinates of x."""
        hidden = coef @ self.rotation.mT
        if self.reflectors is not None:
            hidden = self.reflectors.to_hidden(hidden)
        return hidden, intercept - (hidden @ self.mean.mT).squeeze(-1)

    def to_axes(
        self, coef: Float[Tensor, "*batch problem hidden"], intercept: Float[Tensor, "*batch problem"]
    ) -> tuple[Float[Tensor, "*batch problem axis"], Float[Tensor, "*batch problem"]]:
        """The inverse of `to_hidden`, up to directions that no row varies along."""
        inner = coef if self.reflectors is None else self.reflectors.from_hidden(coef)
        return inner @ self.rotation, intercept + (coef @ self.mean.mT).squeeze(-1)


def principal_rows(x: Float[Tensor, "*batch sample hidden"]) -> PrincipalRows:
    """Rotate rows to the principal axes of their batch entry, largest variance first.

    Args:
        x: any floating dtype; half precision is lifted to f32, f32 and f64 stay.

    Raises:
        InputError: x is no tensor of floats, lacks an axis, has no rows or no dimensions, or holds NaN or infinite values; see
            `check_rows`.
    """
    check_tensors(x=x)
    if x.ndim < 2:
        raise InputError(
            f"rows of shape {tuple(x.shape)} lack an axis", "give [sample, hidden]: x[:, None] if a row is one number"
        )
    if not x.is_floating_point():
        raise InputError(f"rows are of dtype {str(x.dtype).removeprefix('torch.')}", "give floats: x.float()")
    if x.shape[-1] == 0 or x.shape[-2] == 0:
        raise InputError(f"probes cannot be fitted on rows of shape {tuple(x.shape)}", "give at least one row")
    x = x if x.dtype in (torch.float32, torch.float64) else x.float()
    mean = x.mean(-2, keepdim=True)
    check_rows(x, mean)
    centred = _centred(x, mean)
    if x.shape[-2] < x.shape[-1]:
        # Fewer rows than dimensions: the row space is all that a probe can use. QR finds it to rounding, small directions too;
        # a rotation within it, by whichever eigenvectors, loses nothing more.
        reflectors = _Reflectors(*torch.geqrf(centred.mT))
        reduced = reflectors.vectors[..., : x.shape[-2], :].triu().mT
        rotation = _axes(reduced.mT @ reduced)
        return PrincipalRows(reduced @ rotation, rotation, mean, reflectors)
    axes = _axes(centred.mT @ centred)
    return PrincipalRows(centred @ axes, axes, mean)


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
    except torch.linalg.LinAlgError:  # type: ignore[attr-defined]  # exported in fact
        vectors = torch.linalg.eigh(gram.double()).eigenvectors.to(gram.dtype)
    return vectors.flip(-1)
