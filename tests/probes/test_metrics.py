"""AUROC against scikit-learn and its invariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from heedful.probes import auroc, balanced_accuracy, fold_auroc, fold_balanced_accuracy, fold_mean


def draw(n: int, seed: int, levels: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores with many ties, both classes there."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 2, n)
    y[:2] = (0, 1)
    return torch.from_numpy(rng.integers(0, levels, n) / 4.0), torch.from_numpy(y)


@given(n=st.integers(2, 60), seed=st.integers(0, 10**6), levels=st.integers(1, 100))
def test_auroc_equals_scikit_learn_with_ties_and_weights(n, seed, levels):
    scores, y = draw(n, seed, levels)
    weight = torch.from_numpy(np.random.default_rng(seed).integers(0, 4, n))
    weight[:2] = 1
    assert auroc(scores, y).item() == pytest.approx(roc_auc_score(y, scores))
    assert auroc(scores, y, weight).item() == pytest.approx(roc_auc_score(y, scores, sample_weight=weight))
    assert auroc(scores, y, weight > 0).item() == pytest.approx(roc_auc_score(y[weight > 0], scores[weight > 0]))


@given(n=st.integers(2, 60), seed=st.integers(0, 10**6))
def test_auroc_sees_ranks_only_and_turns_with_its_labels(n, seed):
    scores, y = draw(n, seed)
    value = auroc(scores, y)
    torch.testing.assert_close(auroc(torch.exp(3 * scores) - 7, y), value)
    torch.testing.assert_close(auroc(-scores, y), 1 - value)
    torch.testing.assert_close(auroc(scores, 1 - y), 1 - value)
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(auroc(scores[order], y[order]), value)
    torch.testing.assert_close(auroc(torch.zeros(n), y), torch.tensor(0.5, dtype=torch.float64))


def test_a_missing_class_is_nan_and_never_a_half():
    scores = torch.arange(4.0)
    for y in (torch.zeros(4), torch.ones(4)):
        assert auroc(scores, y).isnan()
        assert balanced_accuracy(scores, y).isnan()
    assert auroc(scores, torch.tensor([0, 0, 1, 1]), torch.tensor([1, 1, 0, 0])).isnan()


def test_many_label_sets_broadcast_over_many_score_vectors():
    scores = torch.stack([draw(30, seed)[0] for seed in range(3)])
    labels = torch.stack([draw(30, seed)[1] for seed in range(5)])
    table = auroc(scores[:, None], labels)
    assert table.shape == (3, 5)
    for i in range(3):
        for j in range(5):
            assert table[i, j].item() == pytest.approx(roc_auc_score(labels[j], scores[i]))


def test_rows_without_a_score_are_left_out():
    scores, y = draw(20, 0)
    with_gaps = torch.cat([scores, torch.full((4,), float("nan"))])
    assert auroc(with_gaps, torch.cat([y, torch.tensor([0, 1, 0, 1])])).item() == pytest.approx(
        roc_auc_score(y, scores)
    )


def test_folds_are_never_pooled():
    """Each fold ranks perfectly, on a scale of its own: pooled, the ranking would look poor."""
    scores = torch.tensor([0.0, 1.0, 10.0, 11.0])
    y, fold = torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1])
    assert fold_auroc(scores, y, fold).tolist() == [1.0, 1.0]
    assert auroc(scores, y) == 0.75


@given(seed=st.integers(0, 10**6))
def test_fold_auroc_is_auroc_of_each_fold(seed):
    scores, y = draw(40, seed)
    fold = torch.from_numpy(np.random.default_rng(seed).integers(0, 4, 40))
    per_fold = fold_auroc(scores, y, fold)
    expected = torch.stack([auroc(scores[fold == f], y[fold == f]) for f in range(int(fold.max()) + 1)])
    torch.testing.assert_close(per_fold, expected, equal_nan=True)
    torch.testing.assert_close(fold_mean(per_fold), expected.nanmean(), equal_nan=True)


@given(seed=st.integers(0, 10**6))
def test_balanced_accuracy_of_each_fold(seed):
    scores, y = draw(40, seed)
    fold = torch.from_numpy(np.random.default_rng(seed).integers(0, 4, 40))
    expected = [balanced_accuracy(scores[fold == f] - 0.5, y[fold == f]) for f in range(int(fold.max()) + 1)]
    torch.testing.assert_close(fold_balanced_accuracy(scores - 0.5, y, fold), torch.stack(expected), equal_nan=True)


@given(seed=st.integers(0, 10**6))
def test_balanced_accuracy_equals_scikit_learn(seed):
    scores, y = draw(25, seed)
    scores = scores - 0.5
    assert balanced_accuracy(scores, y).item() == pytest.approx(balanced_accuracy_score(y, scores > 0))
