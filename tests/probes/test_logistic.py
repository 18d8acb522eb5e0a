"""Batched logistic regression against scikit-learn, a problem at a time, and against the theorems of its objective."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from heedful.errors import InputError
from heedful.probes import Change, LinearProbes, fit_logistic, principal_rows


def draw(n: int, d: int, seed: int, *, signal: float = 1.0, offset: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of uneven variance with a noisy linear label."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) * np.geomspace(3, 0.1, d) + offset
    y = (signal * (x[:, 0] - offset) + rng.normal(size=n) > 0).astype(np.int64)
    y[:2] = (0, 1)
    return torch.from_numpy(x).float(), torch.from_numpy(y)


def sklearn_fit(x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, C: float) -> LogisticRegression:
    kept = weight > 0
    model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-9, max_iter=1000)
    return model.fit(x[kept].double().numpy(), y[kept].numpy(), sample_weight=weight[kept].double().numpy())


def assert_equal(
    probes: LinearProbes, at: tuple[int, ...], oracle: LogisticRegression, x: torch.Tensor, y: torch.Tensor
):
    theirs, ours = oracle.coef_[0], probes.coef[at].double().numpy()
    assert ours @ theirs >= 0.999 * np.linalg.norm(ours) * np.linalg.norm(theirs)
    assert np.linalg.norm(ours - theirs) <= 0.02 * np.linalg.norm(theirs)
    scores = (x @ probes.coef[at] + probes.intercept[at]).numpy()
    expected = oracle.decision_function(x.double().numpy())
    # Pairs of rows that the oracle all but ties may stand the other way round: each is a pair of the AUROC's.
    apart = np.abs(expected[y == 1][:, None] - expected[y == 0])
    tied = float((apart <= 1e-3 * max(1.0, np.abs(expected).max())).mean())
    assert abs(roc_auc_score(y, scores) - roc_auc_score(y, expected)) <= 0.002 + tied


@settings(max_examples=25)
@given(
    n=st.integers(12, 150),
    d=st.integers(1, 60),
    seed=st.integers(0, 10**6),
    signal=st.sampled_from([0.0, 1.0, 30.0]),
    offset=st.sampled_from([0.0, 50.0]),
    log_c=st.floats(-4, 1),
)
def test_equals_scikit_learn_over_shapes_masks_and_fractional_weights(n, d, seed, signal, offset, log_c):
    x, y = draw(n, d, seed, signal=signal, offset=offset)
    rng = np.random.default_rng(seed)
    weight = torch.from_numpy((rng.random((3, n)) < 0.8) * rng.choice([0.5, 1.0, 2.0], (3, n))).float()
    weight[:, :2] = 1  # both classes are there
    C = torch.tensor([1.0, 0.3, 0.1]) * 10**log_c
    probes = fit_logistic(x, y[None], weight, C)
    assert probes.converged.all()
    for k in range(3):
        assert_equal(probes, (k,), sklearn_fit(x, y, weight[k], float(C[k])), x, y)


@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
@pytest.mark.parametrize(("n", "d"), [(60, 30), (40, 120), (200, 10)])
def test_separable_data_have_a_finite_optimum_and_it_is_found(n, d, C):
    x, _ = draw(n, d, 3)
    y = (x[:, 0] > 0).long()
    x[:, 0] += 4 * (2 * y - 1)
    probes = fit_logistic(x, y[None], C=C)
    assert probes.converged.all()
    assert_equal(probes, (0,), sklearn_fit(x, y, torch.ones(n), C), x, y)


def test_constant_features_get_no_weight():
    x, y = draw(80, 6, 0)
    x[:, 2], x[:, 4] = 1000.0, 0.0
    probes = fit_logistic(x, y[None])
    assert probes.coef[0, [2, 4]].abs().max() < 1e-4
    assert_equal(probes, (0,), sklearn_fit(x, y, torch.ones(80), 1.0), x, y)


def test_nothing_but_constant_features_leaves_the_log_odds():
    y = torch.tensor([1, 1, 1, 0])
    probes = fit_logistic(torch.full((4, 3), 7.0), y[None])
    assert probes.coef.abs().max() == 0
    assert probes.intercept.item() == pytest.approx(math.log(3), abs=1e-5)
    assert probes.converged.all()
    assert not probes.degenerate.any()


def test_one_class_and_empty_folds_are_flagged_and_leave_their_neighbours_alone():
    x, y = draw(40, 5, 1)
    weight = torch.ones(4, 40)
    weight[1, y == 0] = 0
    weight[2, y == 1] = 0
    weight[3] = 0
    probes = fit_logistic(x, y[None], weight)
    assert probes.degenerate.tolist() == [False, True, True, True]
    assert probes.coef[1:].abs().max() == 0
    positives, negatives = int(y.sum()), int((1 - y).sum())
    expected = [math.log((positives + 0.5) / 0.5), -math.log((negatives + 0.5) / 0.5), 0.0]
    assert probes.intercept[1:].tolist() == pytest.approx(expected, abs=1e-5)
    torch.testing.assert_close(probes.coef[0], fit_logistic(x, y[None]).coef[0], rtol=1e-3, atol=1e-4)
    assert probes.scores(x)[1:].isnan().all()
    assert probes.scores(x)[0].isfinite().all()


def test_gradient_vanishes_at_the_optimum():
    """½‖w‖² + C Σ loss: w = C Σ weight (y − p) x and 0 = Σ weight (y − p)."""
    x, y = draw(90, 20, 5)
    x, weight = x.double(), torch.rand(90, generator=torch.Generator().manual_seed(0)).double()
    probes = fit_logistic(x, y[None], weight[None], 0.7, tol=1e-9)
    residual = weight * (y - torch.sigmoid(x @ probes.coef[0] + probes.intercept[0]))
    torch.testing.assert_close(probes.coef[0], 0.7 * residual @ x, rtol=1e-6, atol=1e-6)
    assert residual.sum().abs() < 1e-7


def test_batched_equals_single_and_order_does_not_matter():
    """Batch axes, tiles and problems that leave early change nothing."""
    x = torch.stack([draw(70, 12, seed)[0] for seed in range(6)]).reshape(2, 3, 70, 12)
    y = torch.stack([draw(70, 12, seed)[1] for seed in range(5)])
    C = torch.logspace(-3, 1, 5)
    together = fit_logistic(x, y, C=C, tol=1e-5)
    assert together.coef.shape == (2, 3, 5, 12)
    for i, j, k in [(0, 0, 0), (1, 2, 4), (0, 1, 3)]:
        alone = fit_logistic(x[i, j], y[k : k + 1], C=float(C[k]), tol=1e-5)
        torch.testing.assert_close(together.coef[i, j, k], alone.coef[0], rtol=1e-3, atol=1e-4)


def test_many_problems_on_many_rows_are_tiled_without_a_seam():
    x, y = draw(3000, 4, 2)
    weight = (torch.rand(260, 3000, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    probes = fit_logistic(x, y[None], weight, tol=1e-5)
    for k in (0, 127, 128, 255, 256, 259):
        alone = fit_logistic(x, y[None], weight[k : k + 1], tol=1e-5)
        torch.testing.assert_close(probes.coef[k], alone.coef[0], rtol=1e-3, atol=1e-4)


def test_weight_zero_is_deletion_whatever_the_label_and_weight_two_is_repetition():
    x, y = draw(50, 8, 7)
    weight = torch.ones(50)
    weight[40:] = 0
    weight[:5] = 2
    labels = y.float()
    labels[40:] = float("nan")
    masked = fit_logistic(x, labels[None], weight[None], tol=1e-5)
    kept = torch.cat([torch.arange(40), torch.arange(5)])
    repeated = fit_logistic(x[kept], y[kept][None], tol=1e-5)
    torch.testing.assert_close(masked.coef, repeated.coef, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(masked.intercept, repeated.intercept, rtol=1e-3, atol=1e-4)


def test_a_shift_of_x_moves_the_intercept_only():
    x, y = draw(60, 5, 9)
    still, moved = fit_logistic(x, y[None], tol=1e-5), fit_logistic(x + 100, y[None], tol=1e-5)
    torch.testing.assert_close(still.coef, moved.coef, rtol=2e-3, atol=1e-3)
    torch.testing.assert_close(still.scores(x), moved.scores(x + 100), rtol=2e-3, atol=2e-2)


def test_warm_start_saves_iterations_and_changes_nothing():
    x, y = draw(120, 40, 4, signal=0.3)
    rows = principal_rows(x)
    cold = fit_logistic(rows, y[None], C=1.0)
    warm = fit_logistic(rows, y[None], C=1.0, start=cold)
    assert warm.iterations.item() < cold.iterations.item()
    torch.testing.assert_close(warm.coef, cold.coef, rtol=1e-2, atol=1e-2)


def test_a_start_or_a_tolerance_that_cannot_serve_is_told():
    x, y = draw(60, 8, 4)
    other = fit_logistic(x[:, :5], y[None])
    with pytest.raises(InputError, match=r"a start of \(1, 5\) does not fit \(1,\) problems of 8 features"):
        fit_logistic(x, y[None], start=other)
    with pytest.raises(InputError, match=r"a start of \(1, 8\) does not fit \(2,\) problems"):
        fit_logistic(x, torch.stack([y, 1 - y]), start=fit_logistic(x, y[None]))
    for wrong in (0.0, -1e-3, float("nan")):
        with pytest.raises(InputError, match="tol"):
            fit_logistic(x, y[None], tol=wrong)


def test_half_precision_is_fitted_in_f32_and_f64_in_f64():
    x, y = draw(60, 5, 2)
    stored = x.to(torch.bfloat16)
    probes = fit_logistic(stored, y[None])
    assert probes.coef.dtype == torch.float32
    assert fit_logistic(x.double(), y[None]).coef.dtype == torch.float64
    assert_equal(probes, (0,), sklearn_fit(stored.float(), y, torch.ones(60), 1.0), stored.float(), y)


@pytest.mark.parametrize("size", [100.0, 1000.0])
def test_a_row_that_is_left_out_does_not_slow_the_others_however_large(size: float) -> None:
    x, y = draw(400, 32, 3)
    weight = torch.ones(400)
    weight[7] = 0
    kept = weight > 0
    alone = fit_logistic(x[kept], y[kept][None], tol=1e-4)
    x[7] *= size
    beside = fit_logistic(x, y[None], weight[None], tol=1e-4)
    assert bool(beside.converged.all())
    assert int(beside.iterations) <= 12 * int(alone.iterations)  # 37 where its margin bounds the steps
    torch.testing.assert_close(beside.coef, alone.coef, rtol=1e-2, atol=1e-2 * float(alone.coef.abs().max()))


def test_rows_that_record_gradients_are_fitted_like_any() -> None:
    x, y = draw(40, 6, 5)
    recorded = fit_logistic(x.clone().requires_grad_(), y[None])
    assert not recorded.coef.requires_grad
    torch.testing.assert_close(recorded.coef, fit_logistic(x, y[None]).coef)


def test_what_did_not_converge_says_so():
    x, y = draw(100, 30, 6)
    probes = fit_logistic(x, y[None], C=100.0, max_iter=3)
    assert probes.converged.tolist() == [False]
    assert probes.iterations.tolist() == [3]
    assert probes.coef.isfinite().all()


@pytest.mark.parametrize(
    ("change", "cause", "cure"),
    [
        ({"y": torch.tensor([[0, 1, 2, 1]])}, "labels must be 0 or 1", "weight 0"),
        ({"y": torch.tensor([[0, 1, 0]])}, "y of shape (1, 3) for 4 rows", "along the last axis"),
        ({"y": torch.zeros(2, 1, 4)}, "do not fit rows", "[*batch, problem, sample]"),
        ({"weight": torch.tensor([[1.0, -1.0, 1.0, 1.0]])}, "a weight is negative", "weight 0"),
        ({"C": 0.0}, "C must be positive", "larger C means weaker"),
        ({"C": torch.tensor([1.0, 2.0]), "y": torch.zeros(3, 4)}, "do not fit rows", "C is [*batch, problem]"),
        ({"x": torch.full((4, 2), float("inf"))}, "4 rows hold NaN or infinite", "bf16 or f32"),
        ({"x": torch.zeros(0, 2)}, "rows of shape (0, 2)", "at least one row"),
        (
            {"x": principal_rows(torch.eye(4, 2)), "change": Change(torch.zeros(1, 3, 1), torch.zeros(1, 1, 3))},
            "(1, 3, 1) and writes (1, 1, 3) does not fit (1,) problems on 2 axes",
            "[*batch, problem, axis, rank]",
        ),
        (
            {"change": Change(torch.zeros(1, 2, 1), torch.zeros(1, 1, 2))},
            "in their principal axes",
            "principal_rows(x)",
        ),
    ],
)
def test_bad_input_names_cause_and_cure(change, cause, cure):
    arguments = {"x": torch.zeros(4, 2), "y": torch.tensor([[0, 1, 0, 1]])} | change
    with pytest.raises(InputError) as error:
        fit_logistic(**arguments)
    assert cause in error.value.cause
    assert cure in error.value.cure


@pytest.mark.parametrize("shape", [(60, 192), (120, 24)])
def test_rows_that_are_equal_up_to_rounding_have_no_direction(shape: tuple[int, int]) -> None:
    """A template's token at the embedding: one row many times. Its rounding must not be fitted, nor stop the solver."""
    generator = torch.Generator().manual_seed(0)
    x = 60 * torch.randn(shape[1], generator=generator).expand(shape)
    x = x * (1 + 1e-7 * torch.randn(shape, generator=generator))
    probes = fit_logistic(x, (torch.arange(shape[0]) % 2)[None], C=1.0)
    assert probes.coef.abs().max() == 0
    assert probes.intercept.abs().max() < 1e-3


@pytest.mark.parametrize(("n", "d"), [(90, 20), (40, 60)])
def test_a_change_of_low_rank_is_the_rows_changed(n, d):
    x, y = draw(n, d, 5)
    generator = torch.Generator().manual_seed(1)
    rows = principal_rows(x)
    read, write = torch.randn(2, 3, 2, rows.z.shape[-1], generator=generator)
    together = fit_logistic(rows, y.expand(3, -1), C=0.1, change=Change(read.mT, write), tol=1e-5)
    for k in range(3):
        z = rows.z - rows.z @ read[k].T @ write[k]
        alone = fit_logistic(z, y[None], C=0.1, tol=1e-5)
        torch.testing.assert_close(together.coef[k] @ rows.axes, alone.coef[0], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("tol", [1e-2, 1e-3])
def test_a_problem_ends_as_near_the_optimum_as_asked_though_its_rows_are_told_with_certainty(tol: float) -> None:
    generator = torch.Generator().manual_seed(3)
    spectrum = 6 * torch.arange(1, 401, dtype=torch.float64) ** -0.7
    x = torch.randn(300, 400, generator=generator, dtype=torch.float64) * spectrum
    y = torch.randint(0, 2, (4, 300), generator=generator)
    C = torch.tensor([0.1, 1.0, 10.0, 100.0])
    found, exact = fit_logistic(x, y, C=C, tol=tol), fit_logistic(x, y, C=C, tol=1e-9)
    away = (found.coef - exact.coef).norm(dim=-1) / exact.coef.norm(dim=-1)
    assert away.max() < 1.5 * tol
    assert found.iterations.max() <= 38  # 42 and 56 with a preconditioner that stays as it began
