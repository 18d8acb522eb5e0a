"""What rows, labels and weights must be, for whatever is fitted on them. Knows nothing of what that is."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from heedful.errors import InputError


def check_rows(x: Float[Tensor, "*batch sample hidden"], mean: Float[Tensor, "*batch one hidden"]) -> None:
    """Rows and their mean, which is finite where all of them are: a cheaper look than at every value.

    Raises:
        InputError: a row is not finite, or rows are so large that their sum is not.
    """
    if bool(mean.isfinite().all()):
        return
    bad = int((~x.isfinite()).any(-1).sum())
    if bad:
        raise InputError(
            f"{bad} rows hold NaN or infinite values",
            "read the states in bf16 or f32 (f16 overflows), or drop the rows",
        )
    largest = float(x.abs().max())
    raise InputError(f"the sum of rows as large as {largest:.0e} overflows {x.dtype}", "give them in f64, or scaled")


def check_weight(weight: Tensor) -> None:
    """InputError: a weight is negative, NaN or infinite."""
    if bool((weight < 0).any()) or not bool(weight.isfinite().all()):
        raise InputError("a weight is negative or not finite", "use weight 0 to leave a row out")


def check_labels(y: Tensor, counted: Bool[Tensor, "*#batch sample"]) -> None:
    """InputError: of the rows that count, one has a label other than 0 and 1."""
    if bool(((y != 0) & (y != 1) & counted).any()):
        raise InputError("labels must be 0 or 1", "give rows without a label weight 0")
