"""LEACE from rows that come in parts: their moments are summed up, the rows are not kept.

For more rows than fit into memory. Equal to `fit_leace` of all rows at once.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from heedful.erasure.closed_form import erasing_least, shrunk
from heedful.erasure.eraser import Eraser
from heedful.errors import InputError
from heedful.probes import check_labels, check_rows, check_tensors


class StreamedLeace:
    """Sums of rows of two classes; everything is summed in f64, about a point near the rows, on the rows' device."""

    def __init__(self, *, shrink: bool = True) -> None:
        """Without rows as yet. `shrink`: as of `fit_leace`."""
        self._shrink = shrink
        self._origin: Tensor | None = None
        self._sums: Tensor
        self._count = torch.zeros(2, dtype=torch.float64)

    def update(self, x: Float[Tensor, "sample hidden"], y: Tensor) -> None:
        """Add rows, with their labels of 0 or 1 [sample].

        Raises:
            InputError: rows of another width than those before or that are not finite, as many labels as there are not rows,
                labels other than 0 and 1, or what is no tensor. The sums are as before then.
        """
        check_tensors(x=x, y=y)
        check_labels(y)
        if len(x) != len(y):
            raise InputError(f"{len(x)} rows, but {len(y)} labels", "give one label a row")
        if not len(x):  # they have no mean to begin with
            return
        if self._origin is None:
            origin = x.mean(0, dtype=torch.float64)
            check_rows(x, origin[None])
            self._origin = origin
            self._sums = x.new_zeros(2, x.shape[1], dtype=torch.float64)
            self._products = x.new_zeros(x.shape[1], x.shape[1], dtype=torch.float64)
        if x.shape[1] != len(self._origin):
            raise InputError(
                f"rows of width {x.shape[1]} after rows of width {len(self._origin)}", "erase one site at a time"
            )
        centred = x.double() - self._origin
        member = torch.nn.functional.one_hot(y.long().to(x.device), 2).double()
        sums = member.mT @ centred
        check_rows(x, sums)
        self._sums += sums
        self._count += member.sum(0).cpu()
        self._products.addmm_(centred.mT, centred)

    def eraser(self) -> Eraser:
        """Of all rows so far, in f64.

        Raises:
            InputError: there are no rows, or none of one of the classes.
        """
        if self._origin is None:
            raise InputError("there are no rows to erase anything of", "call update() with some")
        if not bool((self._count > 0).all()):
            raise InputError(
                "the labels so far are all of one class: there is nothing to erase", "call update() with both"
            )
        n = float(self._count.sum())
        mean = self._sums.sum(0) / n
        covariance = self._products / n - mean.outer(mean)
        means = self._sums / self._count.to(mean.device).unsqueeze(-1)
        difference = means[1] - means[0]
        read = erasing_least(shrunk(covariance, n) if self._shrink else covariance, difference[None])[0]
        return Eraser(self._origin + mean, read.unsqueeze(-1), difference.unsqueeze(0))
