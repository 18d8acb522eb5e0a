"""The map that every fitter returns: affine, of low rank, the identity on all that it does not read.

Knows nothing of how it was fitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.errors import InputError
from heedful.probes import LinearProbes, check_tensors


@dataclass(frozen=True)
class Eraser:
    """x ↦ x − ((x − center) @ read) @ write, one for each entry of the batch."""

    center: Float[Tensor, "*batch hidden"]
    """What stays where it is."""
    read: Float[Tensor, "*batch hidden rank"]
    write: Float[Tensor, "*batch rank hidden"]

    @property
    def rank(self) -> int:
        """The most dimensions that it changes."""
        return int(self.read.shape[-1])

    def __call__(self, x: Float[Tensor, "*batch sample hidden"]) -> Float[Tensor, "*batch sample hidden"]:
        """The rows, changed; in the dtype of the map.

        Raises:
            InputError: no tensor, or rows of another width than the map was fitted on.
        """
        change = self.change(x)
        return x.to(change.dtype) - change

    def change(self, x: Float[Tensor, "*batch sample hidden"]) -> Float[Tensor, "*batch sample hidden"]:
        """What is taken off the rows."""
        check_tensors(x=x)
        if x.shape[-1:] != self.center.shape[-1:]:
            raise InputError(
                f"rows of shape {tuple(x.shape)}, and the eraser was fitted on rows of width {self.center.shape[-1]}",
                "give states of the same model and site",
            )
        centred = x.to(self.read.dtype) - self.center.unsqueeze(-2)
        taken: Tensor = centred @ self.read @ self.write
        return taken

    def energy(self, x: Float[Tensor, "*batch sample hidden"]) -> Float[Tensor, "*batch"]:
        """Mean square of what is taken off, as a share of the rows' variance: what a control must match. 0 without variance."""
        x = x.to(self.read.dtype)
        spread = (x - x.mean(-2, keepdim=True)).square().sum((-2, -1))
        return (self.change(x).square().sum((-2, -1)) / spread).masked_fill(spread == 0, 0)

    def __getitem__(self, entry: int | slice) -> Eraser:
        """Entries of the first batch axis."""
        return Eraser(self.center[entry], self.read[entry], self.write[entry])

    def before(self, probes: LinearProbes) -> LinearProbes:
        """The probes that say of rows what `probes` say of the same rows erased: linear after affine is linear.

        Args:
            probes: [*#batch problem], in the coordinates of the rows.
        """
        written = probes.coef @ self.write.mT  # [*batch, problem, rank]
        coef = probes.coef - written @ self.read.mT
        intercept = probes.intercept + (written @ (self.center.unsqueeze(-2) @ self.read).mT).squeeze(-1)
        others = {
            name: getattr(probes, name).expand(intercept.shape) for name in ("converged", "iterations", "degenerate")
        }
        return replace(probes, coef=coef, intercept=intercept, **others)

    def unscaled(self, center: Float[Tensor, " hidden"], spread: Float[Tensor, " hidden"]) -> Eraser:
        """The same map on x, of one that reads (x − center) / spread."""
        return Eraser(center + spread * self.center, self.read / spread.unsqueeze(-1), self.write * spread)

    def top(self, rank: int) -> Eraser:
        """The same with its first directions only; for maps whose directions are orthogonal (INLP, mean projection)."""
        return Eraser(self.center, self.read[..., :rank], self.write[..., :rank, :])


def joined(erasers: Sequence[Eraser]) -> Eraser:
    """Erasers with one batch axis, one after the other; directions that some have fewer of are zero in those."""
    rank = max(each.rank for each in erasers)
    pad = torch.nn.functional.pad
    return Eraser(
        torch.cat([each.center for each in erasers]),
        torch.cat([pad(each.read, (0, rank - each.rank)) for each in erasers]),
        torch.cat([pad(each.write, (0, 0, 0, rank - each.rank)) for each in erasers]),
    )


def stacked(erasers: Sequence[Eraser]) -> Eraser:
    """Erasers without a batch axis, as the entries of one."""
    return joined([Eraser(each.center[None], each.read[None], each.write[None]) for each in erasers])
