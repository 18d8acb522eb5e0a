"""Cross-validation against scikit-learn's loop, and the laws that keep folds apart."""

from __future__ import annotations

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from heedful.errors import InputError
from heedful.probes import (
    Held,
    Rows,
    auroc,
    best_cell,
    control_labels,
    cross_validate,
    fit_mean_difference,
    fit_ridge,
    fold_auroc,
    fold_mean,
    grouped_folds,
    out_of_fold,
)

GRID = (0.001, 0.03, 1.0)


def draw(seed: int = 0, n: int = 120, d: int = 10, cells: int = 3) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Cells of growing signal, rows in groups."""
    generator = torch.Generator().manual_seed(seed)
    group = torch.arange(n) % 24
    y = torch.randint(0, 2, (n,), generator=generator)
    x = torch.randn(cells, n, d, generator=generator) + torch.randn(cells, 24, d, generator=generator)[:, group]
    x[:, :, 0] += torch.linspace(0, 3, cells)[:, None] * (2 * y - 1)
    return x, y, group


def sklearn_scores(x: torch.Tensor, y: torch.Tensor, kept: torch.Tensor, at: torch.Tensor, C: float) -> torch.Tensor:
    model = LogisticRegression(C=C, solver="newton-cholesky", tol=1e-9, max_iter=500)
    return torch.from_numpy(model.fit(x[kept].double(), y[kept]).decision_function(x[at].double()))


def test_nested_choice_of_c_equals_a_scikit_learn_loop():
    x, y, group = draw()
    result = cross_validate(x, y, group, n_folds=4, C=GRID)
    fold = result.fold
    for cell in range(3):
        for f in range(4):
            inner = torch.zeros(len(GRID))
            for i, C in enumerate(GRID):
                for j in {0, 1, 2, 3} - {f}:
                    scores = sklearn_scores(x[cell], y, (fold != f) & (fold != j), fold == j, C)
                    inner[i] += roc_auc_score(y[fold == j], scores) / 3
            assert result.task.inner_auroc[cell, 0, f].item() == pytest.approx(inner.max().item(), abs=0.002)
            chosen = min(range(len(GRID)), key=lambda i: abs(GRID[i] - result.task.C[cell, 0, f].item()))
            assert inner[chosen] >= inner.max() - 0.002
            scores = sklearn_scores(x[cell], y, fold != f, fold == f, GRID[chosen])
            torch.testing.assert_close(result.task.scores[cell, 0, fold == f].double(), scores, rtol=0.02, atol=0.02)


def test_scores_of_a_fold_do_not_depend_on_its_labels():
    """Nothing of a held-out fold reaches the probe, nor the choice of C, that scores it."""
    x, y, group = draw()
    fold = grouped_folds(group, 4)
    before = out_of_fold(Rows(x, y[None], fold), GRID)
    flipped = torch.where(fold == 2, 1 - y, y)
    after = out_of_fold(Rows(x, flipped[None], fold), GRID)
    assert torch.equal(before.C[..., 2], after.C[..., 2])
    assert torch.equal(before.inner_auroc[..., 2], after.inner_auroc[..., 2])
    torch.testing.assert_close(before.scores[..., fold == 2], after.scores[..., fold == 2], rtol=1e-3, atol=1e-3)
    assert not torch.allclose(before.scores[..., fold == 1], after.scores[..., fold == 1], rtol=0.1, atol=0.1)


def test_noise_scores_at_chance_and_signal_above():
    x, y, group = draw(n=480)
    result = cross_validate(x, y, group, controls=control_labels(torch.arange(480) % 31, 4, 0))
    value = fold_mean(fold_auroc(result.task.scores[:, 0], y, result.fold))
    assert abs(value[0] - 0.5) < 0.12
    assert value[2] > 0.95
    assert result.control is not None
    assert result.control.scores.shape == (3, 4, 480)
    assert torch.equal(result.control.C, result.task.C.expand(3, 4, 5))


def test_batch_axes_keep_their_shape_and_order():
    x, y, group = draw(cells=6)
    flat = cross_validate(x, y, group, n_folds=3, C=GRID).task
    square = cross_validate(x.reshape(2, 3, *x.shape[1:]), y, group, n_folds=3, C=GRID).task
    assert square.coef.shape == (2, 3, 1, 3, 10)
    torch.testing.assert_close(square.scores.reshape(flat.scores.shape), flat.scores, rtol=1e-3, atol=1e-3)
    one = cross_validate(x[4], y, group, n_folds=3, C=GRID).task
    torch.testing.assert_close(one.scores, flat.scores[4], rtol=1e-3, atol=1e-3)


def test_batch_entries_taken_in_turns_by_several_threads_change_nothing(monkeypatch):
    x, y, group = draw(cells=5)
    whole = cross_validate(x, y, group, n_folds=3, C=GRID).task
    monkeypatch.setattr("heedful.probes.crossval._ELEMENTS", 1)
    turns = cross_validate(x, y, group, n_folds=3, C=GRID, workers=3).task
    assert torch.equal(turns.C, whole.C)
    torch.testing.assert_close(turns.scores, whole.scores, rtol=1e-3, atol=1e-3)


def test_train_on_one_row_set_score_another_within_the_same_folds():
    """Transfer: each row of the target is scored by the source's probe that left its fold out."""
    x, y, group = draw()
    source, target = slice(0, 80), slice(80, 120)
    fold = grouped_folds(group, 3)
    train = Rows(x[:, source], y[None, source], fold[source])
    result = out_of_fold(train, 0.1, held=Held(x[:, target], fold[target]))
    assert result.scores.shape == (3, 1, 40)
    assert result.inner_auroc.isnan().all()
    kept = fold[source] != 1
    expected = sklearn_scores(x[2], y, torch.arange(80)[kept], torch.arange(80, 120)[fold[target] == 1], 0.1)
    torch.testing.assert_close(result.scores[2, 0, fold[target] == 1].double(), expected, rtol=0.02, atol=0.02)


def test_masks_make_problems_of_unions_and_inner_auroc_is_taken_within_strata():
    x, y, group = draw()
    task = (torch.arange(120) >= 60).long()
    x[:, task == 1, 1] += 5  # the tasks lie apart
    fold = grouped_folds(group, 4)
    weight = torch.stack([torch.ones(120), (task == 0).float()])
    result = out_of_fold(Rows(x, y.expand(2, -1), fold, weight, task), (0.1,))
    alone = out_of_fold(Rows(x[:, task == 0], y[None, task == 0], fold[task == 0]), (0.1,), held=Held(x, fold))
    torch.testing.assert_close(result.scores[:, 1], alone.scores[:, 0], rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(result.inner_auroc[:, 1], alone.inner_auroc[:, 0], rtol=0, atol=0.01)
    expected = torch.zeros(4, dtype=torch.float64)
    for f in range(4):
        for j in {0, 1, 2, 3} - {f}:
            scores = sklearn_scores(x[2], y, (fold != f) & (fold != j), torch.arange(120), 0.1)
            expected[f] += sum(
                auroc(scores[s], y[s]) / 6 for s in ((fold == j) & (task == 0), (fold == j) & (task == 1))
            )
    torch.testing.assert_close(result.inner_auroc[2, 0], expected, rtol=0, atol=0.01)


@pytest.mark.parametrize("fit", [fit_ridge, fit_mean_difference])
def test_other_fitters_run_through_the_same_folds(fit):
    x, y, group = draw()
    result = cross_validate(x, y, group, C=(0.1, 1.0), fit=fit)
    assert fold_mean(fold_auroc(result.task.scores[2, 0], y, result.fold)) > 0.95


def test_a_fold_without_a_second_class_in_training_is_nan_and_flagged():
    x, y, group = draw()
    fold = grouped_folds(group, 3)
    y = torch.where(fold == 0, y, 0)  # positives in fold 0 only: no probe can be trained without it
    result = out_of_fold(Rows(x, y[None], fold), GRID)
    assert result.degenerate[:, 0, 0].all()
    assert result.scores[:, 0, fold == 0].isnan().all()
    assert fold_mean(fold_auroc(result.scores, y, fold)).isnan().all()
    assert (result.C[:, 0, 0] == GRID[0]).all()


@pytest.mark.parametrize("empty", [0, 2, 4])
def test_a_fold_without_rows_is_a_fold_all_the_same(empty: int):
    """Its probe is that of all rows; the other folds are as they would be among themselves."""
    x, y, group = draw()
    among = grouped_folds(group, 4)
    fold = among + (among >= empty).long()  # of five folds, that one has no rows
    found, plain = (out_of_fold(Rows(x, y[None], each), GRID, n_folds=n) for each, n in ((fold, 5), (among, None)))
    others = [f for f in range(5) if f != empty]
    assert found.inner_auroc.shape == (3, 1, 5)
    torch.testing.assert_close(found.scores, plain.scores, rtol=0.02, atol=0.02)
    torch.testing.assert_close(found.noise, plain.noise, rtol=0, atol=2e-3)
    assert torch.equal(found.C[..., others], plain.C)
    assert not found.inner_auroc.isnan().any()
    assert not found.degenerate.any()
    with pytest.raises(InputError, match=r"a row is of fold \d, and there are 3 folds"):
        out_of_fold(Rows(x, y[None], fold), GRID, n_folds=3)


def test_best_cell_is_chosen_on_inner_folds_and_scores_nested():
    x, y, group = draw(n=240)
    result = cross_validate(x, y, group, C=GRID)
    best = best_cell(result.task.inner_auroc, result.task.scores, result.fold)
    assert (best.cell == 2).all()
    assert torch.equal(best.scores, result.task.scores[2])
    inner = torch.tensor([[[0.6, float("nan")]], [[0.7, 0.5]], [[0.7, 0.4]]])
    scores = torch.arange(3.0)[:, None, None].expand(3, 1, 4)
    mixed = best_cell(inner, scores, torch.tensor([0, 0, 1, 1]))
    assert mixed.cell.tolist() == [[1, 1]]
    assert mixed.scores.tolist() == [[1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("change", "cause", "cure"),
    [
        ({"C": ()}, "the grid of C is empty", "one value"),
        ({"fold": torch.arange(120) % 2}, "2 fold(s) are too few", "3 to choose C"),
        (
            {"held": Held(torch.zeros(2, 5, 10), torch.zeros(5, dtype=torch.long))},
            "held rows (2, 5, 10)",
            "same sites and positions",
        ),
    ],
)
def test_bad_input_names_cause_and_cure(change, cause, cure):
    x, y, group = draw()
    given = {"fold": grouped_folds(group, 4), "C": GRID, "held": None} | change
    with pytest.raises(InputError) as error:
        out_of_fold(Rows(x, y[None], given["fold"]), given["C"], held=given["held"])
    assert cause in error.value.cause
    assert cure in error.value.cure


def test_noise_is_the_share_of_the_probes_that_their_rows_decided():
    """Difference in means, isotropic: of the squared weights, signal δ², and noise 4 hidden / n."""
    n_draws, n, hidden = 40, 400, 60
    generator = torch.Generator().manual_seed(5)
    labels = torch.arange(n) % 2
    rows = torch.randn(n_draws, n, hidden, generator=generator)
    noise = 4 * hidden / (0.8 * n)
    for delta in (0.0, 0.5, 1.0, 3.0):
        x = rows.clone()
        x[..., 0] += delta * labels
        found = out_of_fold(Rows(x, labels[None], torch.arange(n) // 2 % 5), 1.0, fit=fit_mean_difference).noise[:, 0]
        share = noise / (delta**2 + noise)
        # The rows that are scored trained four of five probes, which leans to the wide side.
        assert share - 0.05 < found.mean() < share + 0.15
