"""What covariates explain is gone and what they do not explain is there; test rows have no say in it."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression
from torch import Tensor

from heedful.probes import Rows, fold_auroc, out_of_fold, own_fold, residualised

N, FOLDS = 200, 4
FOLD = torch.arange(N) % FOLDS


def drawn(seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Covariates, states in which the first leaves a trace, and labels that follow it."""
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(N, 3, generator=generator)
    y = (z[:, 0] > 0).long()
    x = torch.randn(N, 10, generator=generator) + 4 * z[:, :1] * torch.randn(1, 10, generator=generator)
    return z, x, y


def score(x: Tensor, y: Tensor) -> float:
    """AUROC of probes on a version of the rows a fold."""
    fitted = own_fold(out_of_fold(Rows(x, y[None], FOLD), (0.1, 1.0)), FOLD)
    return float(fold_auroc(fitted.scores[0], y, FOLD).mean())


def test_least_squares_as_scikit_learn_has_it() -> None:
    z, x, _ = drawn()
    trained = torch.arange(N) % 7 != 0
    left = residualised(x, z, FOLD, trained)
    assert left.shape == (FOLDS, N, 10)
    for f in range(FOLDS):
        rows = trained & (f != FOLD)
        oracle = LinearRegression().fit(z[rows].numpy(), x[rows].numpy())
        torch.testing.assert_close(left[f], x - torch.from_numpy(oracle.predict(z.numpy())), atol=1e-4, rtol=1e-4)


def test_a_signal_that_the_covariates_made_falls_to_chance_and_another_stays() -> None:
    z, x, y = drawn()
    assert score(x.expand(FOLDS, -1, -1), y) > 0.95
    assert abs(score(residualised(x, z, FOLD), y) - 0.5) < 0.1
    own = (torch.rand(N, generator=torch.Generator().manual_seed(5)) > 0.5).long()
    x[:, 0] += 3.0 * own
    assert score(residualised(x, z, FOLD), own) > 0.9


@settings(max_examples=30)
@given(st.integers(0, FOLDS - 1), st.integers(0, 100), st.floats(-50, 50))
def test_rows_that_are_tested_have_no_say(f: int, which: int, change: float) -> None:
    """A test row moves nothing but itself, and itself by its own covariates alone."""
    z, x, _ = drawn()
    row = (f == FOLD).nonzero()[which % (N // FOLDS)].item()
    before = residualised(x, z, FOLD)[f]
    moved, moved_z = x.clone(), z.clone()
    moved[row] += change
    moved_z[row] -= change
    after = residualised(moved, moved_z, FOLD)[f]
    others = torch.arange(N) != row
    assert torch.equal(before[others], after[others])
    same_z = residualised(moved, z, FOLD)[f]
    torch.testing.assert_close(same_z[row], before[row] + change, atol=1e-4, rtol=1e-4)


def test_rows_that_may_not_be_trained_on_have_no_say() -> None:
    z, x, _ = drawn()
    trained = torch.arange(N) != 17
    before = residualised(x, z, FOLD, trained)
    x[17] += 1000
    after = residualised(x, z, FOLD, trained)
    assert torch.equal(before[:, trained], after[:, trained])


@settings(max_examples=30)
@given(st.sampled_from(["constant", "twice", "one row"]), st.integers(0, 5))
def test_degenerate_covariates_do_no_harm(how: str, seed: int) -> None:
    z, x, _ = drawn(seed)
    extra = {"constant": torch.full((N, 1), 3.0), "twice": z[:, :1], "one row": torch.zeros(N, 1)}[how]
    if how == "one row":
        extra[5] = 1e-3  # constant where its fold is left out
    left = residualised(x, torch.cat([z, extra], 1), FOLD)
    assert torch.isfinite(left).all()
    if how == "one row":
        f = FOLD[5].item()
        torch.testing.assert_close(left[f], residualised(x, z, FOLD)[f], atol=1e-4, rtol=1e-4)
    else:
        torch.testing.assert_close(left, residualised(x, z, FOLD), atol=1e-4, rtol=1e-4)


def test_each_fold_counts_in_its_own_version() -> None:
    _, x, y = drawn()
    versions = torch.stack([x, -x, x.flip(1), 2 * x])
    fitted = out_of_fold(Rows(versions, y[None], FOLD), (0.1, 1.0))
    own = own_fold(fitted, FOLD)
    for f in range(FOLDS):
        assert torch.equal(own.scores[0, f == FOLD], fitted.scores[f, 0, f == FOLD])
        assert own.inner_auroc[0, f] == fitted.inner_auroc[f, 0, f]
