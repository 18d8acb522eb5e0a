"""Steering: the same step for every row, along the direction in which two classes differ.

The counterpart of mean projection: what that takes off, this adds. Knows nothing of what the classes are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.erasure.closed_form import fit_mean_projection


@dataclass(frozen=True)
class Step:
    """x ↦ x + by."""

    by: Float[Tensor, "*batch hidden"]

    def __call__(self, x: Float[Tensor, "*batch sample hidden"]) -> Float[Tensor, "*batch sample hidden"]:
        """The rows, moved; in the dtype of the step."""
        return x.to(self.by.dtype) + self.by.unsqueeze(-2)


def fit_step(x: Float[Tensor, "sample hidden"], y: Tensor, weight: Tensor | None = None) -> Step:
    """From class 0 towards class 1, as far as rows lie from their mean along that direction, on average.

    Args:
        x: rows, any floating dtype.
        y: 0 or 1, [sample].
        weight: ≥ 0, [sample]; None weighs all alike.

    Raises:
        InputError: see `given`.
    """
    along = fit_mean_projection(x, y, weight)
    weight = torch.ones(len(x)) if weight is None else weight
    projected = ((x.to(along.read.dtype) - along.center) @ along.read).squeeze(-1).abs()
    size = (weight * projected).sum() / weight.sum()
    return Step(size * along.write.squeeze(-2))
