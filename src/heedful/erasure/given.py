"""What an eraser is fitted on, checked: rows, labels and weights. Knows no eraser."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.errors import InputError
from heedful.probes import check_labels, check_rows, check_tensors, check_weight


class Given(NamedTuple):
    """Without the rows of weight 0, whatever they hold."""

    x: Float[Tensor, "*batch sample hidden"]
    y: Tensor
    """[sample], or [set, sample]."""
    weight: Float[Tensor, " sample"]


def given(x: Tensor, y: Tensor, weight: Tensor | None) -> Given:
    """Check them, and put them on the device of the rows.

    Raises:
        InputError: shapes that do not go together, a weight that is negative or not finite, no row with a weight; and of the
            rest, labels other than 0 and 1, or rows that are not finite. What is no tensor. Labels [sample] without both
            classes; of [set, sample] a set may lack one, and its map changes nothing.
    """
    check_tensors(x=x, y=y, weight=weight)
    y = y.to(x.device)
    weight = torch.ones(x.shape[-2:-1], device=x.device) if weight is None else weight.to(x.device)
    if x.ndim < 2 or y.ndim not in (1, 2) or y.shape[-1:] != x.shape[-2:-1] or weight.shape != x.shape[-2:-1]:
        raise InputError(
            f"rows {tuple(x.shape)}, labels {tuple(y.shape)} and weights {tuple(weight.shape)} do not go together",
            "rows are [*batch, sample, hidden], labels [sample] or [set, sample], weights [sample]",
        )
    check_weight(weight)
    kept = weight > 0
    if not bool(kept.any()):
        raise InputError("an eraser cannot be fitted on no rows", "give at least one row a weight")
    check_labels(y, kept)
    if y.ndim == 1 and bool((y[kept] == y[kept][0]).all()):
        raise InputError(
            "the labels are all of one class: there is nothing to erase",
            "give rows of both classes; in several sets, y[None], one that lacks a class gives a map that changes nothing",
        )
    x = x[..., kept, :]
    check_rows(x, x.mean(-2, keepdim=True, dtype=torch.float64))
    return Given(x, y[..., kept], weight[kept])
