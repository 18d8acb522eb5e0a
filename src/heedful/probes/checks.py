"""What rows, labels and weights must be, for whatever is fitted on them or measured. Knows nothing of what that is."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.errors import InputError


def check_tensors(**given: object) -> None:
    """InputError: of what is given by its name, one is neither a tensor nor None."""
    for name, value in given.items():
        if value is not None and not isinstance(value, Tensor):
            raise InputError(
                f"{name} is of type {type(value).__name__}, and not a torch tensor",
                f"give torch.from_numpy({name}) of an array, torch.tensor({name}) of a list",
            )


def check_lengths(n: int, **given: object) -> None:
    """InputError: of what is given by its name, one is neither None nor a tensor with n entries on its last axis: one a row."""
    check_tensors(**given)
    for name, value in given.items():
        if isinstance(value, Tensor) and value.shape[-1:] != (n,):
            raise InputError(
                f"{name} of shape {tuple(value.shape)} for {n} rows",
                f"give {name} one entry a row, along the last axis",
            )


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


def check_labels(y: Tensor, counted: Bool[Tensor, "*#batch sample"] | None = None) -> None:
    """InputError: of the rows that count, all by default, one has a label other than 0 and 1."""
    wrong = (y != 0) & (y != 1)
    if not bool(wrong.any()):  # before anything is broadcast: labels are few where scores are many
        return
    wrong = wrong if counted is None else wrong & counted
    if bool(wrong.any()):
        here = torch.ones_like(wrong) if counted is None else counted.expand_as(wrong)
        raise InputError(*_mistaken(torch.unique(y.expand_as(wrong)[here]).double()))


def _mistaken(values: Float[Tensor, " value"]) -> tuple[str, str]:
    """What is wrong with labels of these values, and what to give in their place."""
    known = [f"{value:g}".replace("-", "−") for value in values[~values.isnan()].tolist()]
    told = [*known[:3], *["…"] * (len(known) > 3), *["NaN"] * (len(known) < len(values))]
    cause = f"labels must be 0 or 1, and these hold {', '.join(told)}"
    if len(known) < len(values):
        return cause, "give rows without a label weight 0"
    if bool((values != values.round()).any()):
        return cause, "a share or a probability is no label: give (y > 0.5).int()"
    if len(values) == 2:
        low, high = values.tolist()
        return cause, f"give (y > {0 if low < 0 < high else low:g}).int(), if {high:g} is the positive class"
    return cause, "probe one class against the rest, (y == value).int(); give rows without a label weight 0"
