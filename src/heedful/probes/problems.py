"""Many probe problems on shared rows, in one normal form: what every fitter does first.

Knows nothing of any loss.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.errors import InputError
from heedful.probes.checks import check_labels, check_lengths, check_weight
from heedful.probes.principal import PrincipalRows, principal_rows


class Problems(NamedTuple):
    """Labels, weights and strengths, broadcast to every batch entry without being copied."""

    rows: PrincipalRows
    y: Float[Tensor, "*batch problem sample"]
    weight: Float[Tensor, "*batch problem sample"]
    C: Float[Tensor, "*batch problem"]
    positive: Float[Tensor, "*batch problem"]
    """Sum of the weights of class 1."""
    negative: Float[Tensor, "*batch problem"]
    degenerate: Bool[Tensor, "*batch problem"]


def pose(
    x: Float[Tensor, "*batch sample hidden"] | PrincipalRows,
    y: Tensor,
    weight: Tensor | None,
    C: Tensor | float,
) -> Problems:
    """Check and broadcast.

    Args:
        x: rows, or rows already rotated (then several calls share one rotation).
        y: labels 0 or 1, any dtype, broadcastable to [*batch, problem, sample]; [sample] is one problem.
        weight: ≥ 0, broadcastable to the same; 0 leaves a row out (folds are masks); None weighs all alike.
        C: > 0, broadcastable to [*batch, problem].

    Raises:
        InputError: labels other than 0 and 1 where the weight is positive, a negative weight, a C that is not positive
            and finite, shapes that do not go together, what is no tensor, or labels [sample] without both classes.
    """
    rows = x if isinstance(x, PrincipalRows) else principal_rows(x)
    z = rows.z
    check_lengths(z.shape[-2], y=y, weight=weight)
    alone = y.ndim == 1
    y = y.to(z.device, z.dtype).reshape(*(1,) * alone, *y.shape)
    weight = torch.ones_like(y) if weight is None else weight.to(z.device, z.dtype)
    C = torch.as_tensor(C, dtype=z.dtype, device=z.device)
    shape: tuple[int, ...] = ()
    with suppress(ValueError):
        shape = np.broadcast_shapes(y.shape, weight.shape, (*C.shape, 1), (*z.shape[:-2], 1, z.shape[-2]))
    if shape[-1:] != z.shape[-2:-1] or shape[:-2] != z.shape[:-2]:
        raise InputError(
            f"labels {tuple(y.shape)}, weights {tuple(weight.shape)} and C {tuple(C.shape)} do not fit rows of batch "
            f"{tuple(z.shape[:-2])} with {z.shape[-2]} samples",
            "labels and weights are [*batch, problem, sample], C is [*batch, problem]; batch axes may be missing",
        )
    check_weight(weight)
    check_labels(y, weight > 0)
    if not bool(((C > 0) & C.isfinite()).all()):
        raise InputError("C must be positive and finite", "a larger C means weaker regularisation; try 0.001 to 1")
    y = torch.where(weight > 0, y, 0)  # a row left out may carry any label, NaN too
    positive, negative = ((weight * side).sum(-1).expand(shape[:-1]) for side in (y, 1 - y))
    degenerate = (positive <= 0) | (negative <= 0)
    if alone and bool(degenerate.all()):
        raise InputError("the labels are all of one class: there is nothing to tell apart", "give rows of both classes")
    return Problems(
        rows=rows,
        y=y.expand(shape),
        weight=weight.expand(shape),
        C=C.expand(shape[:-1]),
        positive=positive,
        negative=negative,
        degenerate=degenerate,
    )
