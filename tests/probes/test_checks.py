"""What cannot be fitted is told with its cause: which rows, and whether they or their sum are the trouble."""

from __future__ import annotations

import pytest
import torch

from heedful.errors import InputError
from heedful.probes import check_labels, check_rows, check_weight


def test_rows_that_are_not_finite_are_counted_and_rows_too_large_to_add_are_told_apart() -> None:
    x = torch.ones(2, 5, 3)
    x[0, 1, 2], x[1, 4] = torch.nan, torch.inf
    with pytest.raises(InputError, match="2 rows hold NaN or infinite values"):
        check_rows(x, x.mean(-2, keepdim=True))
    large = torch.full((5, 3), 3e38)
    with pytest.raises(InputError, match=r"rows as large as 3e\+38 overflows torch.float32") as error:
        check_rows(large, large.mean(-2, keepdim=True))
    assert "f64" in error.value.cure
    check_rows(large, large.mean(-2, keepdim=True, dtype=torch.float64))


@pytest.mark.parametrize("wrong", [-1.0, float("nan"), float("inf")])
def test_a_weight_counts_rows_and_nothing_else(wrong: float) -> None:
    with pytest.raises(InputError, match="negative or not finite"):
        check_weight(torch.tensor([1.0, wrong, 0.0]))


def test_labels_are_asked_of_rows_that_count() -> None:
    y = torch.tensor([0.0, 1.0, 2.0])
    check_labels(y, torch.tensor([True, True, False]))
    with pytest.raises(InputError, match="0 or 1"):
        check_labels(y, torch.ones(3, dtype=torch.bool))
