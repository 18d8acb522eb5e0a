"""LEACE of rows in parts is LEACE of the whole."""

from __future__ import annotations

import pytest
import torch

from heedful.erasure import StreamedLeace, fit_leace
from heedful.errors import InputError


def rows(n: int = 300, hidden: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    y = torch.randint(0, 2, (n,), generator=generator)
    x = (
        torch.randn(n, hidden, generator=generator, dtype=torch.float64)
        @ torch.randn(hidden, hidden, generator=generator).double()
    )
    return x + 1000 + y[:, None] * torch.linspace(0, 1, hidden), y


@pytest.mark.parametrize("shrink", [True, False])
@pytest.mark.parametrize("step", [1, 7, 300])
def test_parts_of_any_size_give_the_eraser_of_the_whole(step: int, shrink: bool) -> None:
    x, y = rows()
    stream = StreamedLeace(shrink=shrink)
    for start in range(0, len(x), step):
        stream.update(x[start : start + step], y[start : start + step])
    torch.testing.assert_close(stream.eraser()(x), fit_leace(x, y, shrink=shrink)(x), atol=1e-8, rtol=1e-10)


def test_without_shrinkage_no_covariance_with_the_label_is_left() -> None:
    x, y = rows()
    after = fit_leace(x, y, shrink=False)(x)
    left = (after - after.mean(0)).mT @ (y.double() - y.double().mean()) / len(y)
    assert left.abs().max() < 1e-8


def test_a_class_that_is_missing_and_bad_rows_name_cause_and_cure() -> None:
    x, y = rows()
    stream = StreamedLeace()
    with pytest.raises(InputError, match="no rows"):
        stream.eraser()
    stream.update(x, torch.ones_like(y))
    with pytest.raises(InputError, match="all of one class"):
        stream.eraser()
    with pytest.raises(InputError, match="one site at a time"):
        stream.update(x[:, :5], y)
    with pytest.raises(InputError, match="one label a row"):
        stream.update(x, y[:5])


def test_parts_without_rows_add_nothing_and_rows_that_are_not_finite_are_refused() -> None:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(60, 5, generator=generator), torch.arange(60) % 2
    streamed = StreamedLeace()
    for part in (slice(0, 0), slice(0, 30), slice(30, 30), slice(30, 60)):
        streamed.update(x[part], y[part])
        if part.stop > part.start:
            with pytest.raises(InputError, match=r"1 rows hold NaN or infinite values"):
                streamed.update(x[:2] * torch.tensor([[torch.inf], [1]]), y[:2])
    torch.testing.assert_close(streamed.eraser()(x), fit_leace(x.double(), y)(x), atol=1e-6, rtol=0)
