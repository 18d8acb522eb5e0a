"""The preconditioner of changed rows is the inverse that it says, and saves the iterations that it is there for."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from heedful.probes import Change, fit_logistic, principal_rows
from heedful.probes.curvature import preconditioner


@pytest.mark.parametrize("kind", ["oblique", "projection", "reflection", "nothing", "one direction missing"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_the_inverse_of_the_changed_diagonal(kind: str, dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    curvature = 10 ** (5 * torch.rand(3, 13, generator=generator, dtype=torch.float64) - 2)
    read = torch.linalg.qr(torch.randn(3, 12, 2, generator=generator, dtype=torch.float64)).Q
    write = {
        "oblique": 0.3 * torch.randn(3, 2, 12, generator=generator, dtype=torch.float64),
        "projection": read.mT,
        "reflection": 2 * read.mT,
        "nothing": 0 * read.mT,
        "one direction missing": torch.tensor([1.0, 0.0], dtype=torch.float64)[:, None] * read.mT,
    }[kind]
    if kind == "one direction missing":
        read = read * torch.tensor([1.0, 0.0], dtype=torch.float64)
    left = torch.eye(12, dtype=torch.float64) - read @ write
    weights = left.mT @ torch.diag_embed(curvature[:, :-1]) @ left + torch.eye(12, dtype=torch.float64)
    gradient = torch.randn(3, 13, generator=generator, dtype=torch.float64)
    expected = torch.cat(
        [torch.linalg.solve(weights, gradient[:, :-1]), gradient[:, -1:] / curvature[:, -1:]], -1
    )  # the intercept has no penalty
    found = preconditioner(curvature.to(dtype), Change(read.to(dtype), write.to(dtype)))(gradient.to(dtype))
    close = {torch.float64: 1e-8, torch.float32: 2e-3}[dtype]
    torch.testing.assert_close(found.double(), expected, rtol=close, atol=close * float(expected.abs().max()))


def test_it_goes_uphill_where_rounding_would_turn_it_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("heedful.probes.curvature._ROUNDING", 0.0)
    generator = torch.Generator().manual_seed(0)
    curvature = 10 ** (12 * torch.rand(50, 65, generator=generator) - 2)
    read = torch.linalg.qr(torch.randn(50, 64, 8, generator=generator)).Q
    found = preconditioner(curvature, Change(read, read.mT))
    assert found.outer is not None
    assert found.inner is not None
    matrix = torch.diag_embed(found.diagonal[:, :-1]) - found.outer @ found.inner
    values, vectors = torch.linalg.eigh((matrix + matrix.mT) / 2)
    assert (values[:, 0] < 0).any()
    gradient = torch.nn.functional.pad(vectors[..., 0], (0, 1))
    assert (torch.linalg.vecdot(found(gradient), gradient) > 0).all()


@pytest.mark.parametrize("moves", [1.0, 2.0])
def test_rows_that_lose_directions_take_no_more_iterations_than_rows_rotated_anew(moves: float) -> None:
    generator = torch.Generator().manual_seed(0)
    spectrum = 6 * torch.arange(1, 301) ** -0.7
    x = torch.randn(200, 300, generator=generator) * spectrum
    y = (x[:, :20] @ torch.randn(20, generator=generator) > 0).long()[None]
    rows = principal_rows(x / x.std(0))
    lost = torch.linalg.qr(torch.randn(200, 12, generator=generator)).Q
    left = rows.z - moves * rows.z @ lost @ lost.mT
    changed = fit_logistic(rows, y, C=1.0, change=Change(lost[None], moves * lost.mT[None]))
    anew = fit_logistic(left, y, C=1.0)
    torch.testing.assert_close(changed.coef @ rows.axes, anew.coef, rtol=5e-3, atol=5e-3)
    assert changed.iterations <= anew.iterations + 4  # 20 and 18; 32 and 40 with the diagonal alone


def test_entries_and_problems_that_end_at_different_times_keep_their_own_change() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = principal_rows(torch.randn(3, 60, 20, generator=generator) * torch.arange(1, 21) ** -0.7)
    y = torch.randint(0, 2, (3, 7, 60), generator=generator)
    C = 10.0 ** torch.arange(-4, 3)
    read, write = torch.randn(2, 3, 7, 2, 20, generator=generator)
    together = fit_logistic(rows, y, C=C, change=Change(read.mT, write), tol=1e-5)
    assert len(together.iterations.unique()) > 2
    for e in range(3):
        one = replace(rows, z=rows.z[e], rotation=rows.rotation[e], mean=rows.mean[e])
        for k in range(7):
            alone = fit_logistic(
                one, y[e, k][None], C=C[k], change=Change(read[e, k].mT[None], write[e, k][None]), tol=1e-5
            )
            torch.testing.assert_close(together.coef[e, k], alone.coef[0], rtol=1e-3, atol=1e-4)


def test_one_change_for_all_problems_in_another_dtype() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = principal_rows(torch.randn(40, 9, generator=generator))
    y, C = (torch.arange(40)[None] % 2).expand(3, -1), 10.0 ** torch.arange(-4, 5, 4)
    lost = torch.linalg.qr(torch.randn(9, 2, generator=generator, dtype=torch.float64)).Q
    found = fit_logistic(rows, y, C=C, change=Change(lost, lost.mT))
    each = fit_logistic(rows, y, C=C, change=Change(lost.float().expand(3, -1, -1), lost.float().mT.expand(3, -1, -1)))
    torch.testing.assert_close(found.coef, each.coef)


@pytest.mark.parametrize("scale", [1.0, 30.0, 100.0, 1000.0])
def test_rows_of_any_scale_lose_directions_in_single_precision(scale: float) -> None:
    generator = torch.Generator().manual_seed(0)
    rows = principal_rows(scale * torch.randn(300, 64, generator=generator))
    y = torch.randint(0, 2, (20, 300), generator=generator)
    lost = torch.linalg.qr(torch.randn(20, 64, 1, generator=generator)).Q
    found = fit_logistic(rows, y, change=Change(lost, lost.mT))
    assert found.converged.all()
    for k in range(20):
        gone = torch.linalg.qr(lost[k].double()).Q
        left = rows.z.double() - rows.z.double() @ gone @ gone.mT
        alone = fit_logistic(left, y[k][None], tol=1e-5).coef[0]
        apart = (found.coef[k] @ rows.axes).double() - alone
        # Along what was lost there is what rounding leaves of it, as there is where rows themselves were projected.
        assert (apart - gone[:, 0] * (gone.mT @ apart)).norm() < 1e-3 * alone.norm()


def test_rows_that_lose_everything_have_no_plane() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = principal_rows(torch.randn(300, 64, generator=generator))
    y = torch.randint(0, 2, (50, 300), generator=generator)
    lost = torch.linalg.qr(torch.randn(50, 64, 64, generator=generator)).Q
    assert fit_logistic(rows, y, change=Change(lost, lost.mT)).coef.abs().max() < 1e-3


def test_a_change_of_no_direction_changes_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, y = principal_rows(torch.randn(40, 9, generator=generator)), torch.arange(40)[None] % 2
    none = Change(torch.empty(1, 9, 0), torch.empty(1, 0, 9))
    torch.testing.assert_close(fit_logistic(rows, y, change=none).coef, fit_logistic(rows, y).coef)
