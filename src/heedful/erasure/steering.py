"""Steering: the same step for every row, along the direction in which two classes differ.

The counterpart of mean projection: what that takes off, this adds. Knows nothing of what the classes are.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.erasure.closed_form import fit_mean_projection
from heedful.errors import InputError


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
        InputError: see `given`; or rows with a batch axis, or several sets of labels.
    """
    along = fit_mean_projection(x, y, weight)
    if x.ndim > 2 or y.ndim > 1:
        raise InputError(
            f"a step of rows {tuple(x.shape)} and labels {tuple(y.shape)}",
            "give rows [sample, hidden], labels [sample]",
        )
    weight = torch.ones(len(x), device=x.device) if weight is None else weight.to(x.device)
    projected = ((x.to(along.read.dtype) - along.center) @ along.read).squeeze(-1).abs()
    size = (weight * projected.where(weight > 0, 0)).sum() / weight.sum()  # whatever a row of weight 0 holds
    return Step(size * along.write.squeeze(-2))
