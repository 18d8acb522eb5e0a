"""Rows on their principal axes: the rotation loses nothing, and planes go to it and back."""

from __future__ import annotations

import pytest
import torch

from heedful.probes import principal_rows


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 3


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (12, 12), (2, 3, 7, 40), (2, 40, 7), (1, 5)])
def test_axes_are_orthonormal_and_hold_the_rows_largest_variance_first(shape: tuple[int, ...]) -> None:
    x = draw(*shape)
    rows = principal_rows(x)
    width = min(shape[-2:])
    assert rows.axes.shape == (*shape[:-2], shape[-1], width)
    torch.testing.assert_close(rows.axes.mT @ rows.axes, torch.eye(width).double().expand(*shape[:-2], width, width))
    torch.testing.assert_close(rows.z, (x - x.mean(-2, keepdim=True)) @ rows.axes)
    torch.testing.assert_close(rows.z @ rows.axes.mT + rows.mean, x)
    spread = rows.z.square().sum(-2)
    assert bool((spread.diff(dim=-1) <= 1e-9 * spread.amax()).all())


@pytest.mark.parametrize("shape", [(40, 7), (7, 40), (2, 3, 7, 40)])
def test_planes_read_the_same_on_the_axes_and_in_the_rows(shape: tuple[int, ...]) -> None:
    x = draw(*shape)
    rows = principal_rows(x)
    coef, intercept = draw(*shape[:-2], 4, min(shape[-2:])), draw(*shape[:-2], 4)
    hidden, there = rows.to_hidden(coef, intercept)
    torch.testing.assert_close(hidden, coef @ rows.axes.mT)
    torch.testing.assert_close(x @ hidden.mT + there.unsqueeze(-2), rows.z @ coef.mT + intercept.unsqueeze(-2))
    back, intercept_back = rows.to_axes(hidden, there)
    torch.testing.assert_close(back, coef)
    torch.testing.assert_close(intercept_back, intercept)
    # What the rows do not span is lost on the way to the axes.
    away = draw(*shape[:-2], 4, shape[-1])
    torch.testing.assert_close(rows.to_axes(away, there)[0], away @ rows.axes)
