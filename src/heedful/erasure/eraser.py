"""The map that every fitter returns: affine, of low rank, the identity on all that it does not read.

Knows nothing of how it was fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


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
        """The rows, changed; in the dtype of the map."""
        return x.to(self.read.dtype) - self.change(x)

    def change(self, x: Float[Tensor, "*batch sample hidden"]) -> Float[Tensor, "*batch sample hidden"]:
        """What is taken off the rows."""
        centred = x.to(self.read.dtype) - self.center.unsqueeze(-2)
        taken: Tensor = centred @ self.read @ self.write
        return taken

    def energy(self, x: Float[Tensor, "*batch sample hidden"]) -> Float[Tensor, "*batch"]:
        """Mean square of what is taken off, as a share of the rows' variance: what a control must match."""
        x = x.to(self.read.dtype)
        spread = (x - x.mean(-2, keepdim=True)).square().sum((-2, -1))
        return self.change(x).square().sum((-2, -1)) / spread

    def unscaled(self, center: Float[Tensor, " hidden"], spread: Float[Tensor, " hidden"]) -> Eraser:
        """The same map on x, of one that reads (x − center) / spread."""
        return Eraser(center + spread * self.center, self.read / spread.unsqueeze(-1), self.write * spread)

    def top(self, rank: int) -> Eraser:
        """The same with its first directions only; for maps whose directions are orthogonal (INLP, mean projection)."""
        return Eraser(self.center, self.read[..., :rank], self.write[..., :rank, :])
