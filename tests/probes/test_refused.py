"""What users get wrong is refused with its cause and cure, where no annotation is checked: not by what breaks further down."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from heedful.probes import auroc, fit_logistic, label_sets_auroc

METRICS = (
    "auroc",
    "balanced_accuracy",
    "fold_auroc",
    "fold_balanced_accuracy",
    "label_sets_auroc",
    "jackknife_auroc",
    "bootstrap_auroc",
)
OF_METRICS = {
    "±1": ("labels must be 0 or 1, and these hold −1, 1", "(y > 0).int()"),
    "soft": ("these hold 0.25, 0.75", "(y > 0.5).int()"),
    "NaN": ("these hold 1, NaN", "weight 0"),
    "short": (") for 40 rows", "one entry a row"),
    "array": ("scores is of type ndarray", "torch.from_numpy(scores)"),
    "labels array": ("labels is of type ndarray", "torch.from_numpy(labels)"),
}
EXPECTED = {f"{metric} {what}": told for metric in METRICS for what, told in OF_METRICS.items()} | {
    "auroc three": ("these hold 0, 1, 2", "(y == value).int()"),
    "auroc list": ("labels is of type list", "torch.tensor(labels)"),
    "auroc weight negative": ("a weight is negative", "weight 0"),
    "auroc weight short": ("weight of shape (39,) for 40 rows", "one entry a row"),
    "fold_auroc fold short": ("fold of shape (39,) for 40 rows", "one entry a row"),
    "jackknife_auroc group short": ("group of shape (39,) for 40 rows", "one entry a row"),
    "jackknife_auroc group array": ("group is of type ndarray", "torch.from_numpy(group)"),
    "fit_logistic short": ("y of shape (39,) for 40 rows", "one entry a row"),
    "fit_logistic ±1": ("these hold −1, 1", "(y > 0).int()"),
    "fit_logistic one class": ("all of one class", "both classes"),
    "fit_logistic C": ("C must be positive", "larger C"),
    "fit_logistic integers": ("rows are of dtype int64", "x.float()"),
    "fit_logistic 1-d": ("rows of shape (40,) lack an axis", "[sample, hidden]"),
    "fit_logistic array": ("x is of type ndarray", "torch.from_numpy(x)"),
    "fit_logistic labels array": ("y is of type ndarray", "torch.from_numpy(y)"),
    "cross_validate array": ("x is of type ndarray", "torch.from_numpy(x)"),
    "cross_validate labels array": ("y is of type ndarray", "torch.from_numpy(y)"),
    "cross_validate short": ("y of shape (39,) for 40 rows", "one entry a row"),
    "cross_validate groups short": ("rows of shape (40, 6) and 39 groups", "a group each"),
    "cross_validate ±1": ("these hold −1, 1", "(y > 0).int()"),
    "residualised array": ("x is of type ndarray", "torch.from_numpy(x)"),
    "residualised covariates array": ("covariates is of type ndarray", "torch.from_numpy(covariates)"),
    "residualised short": ("covariates of shape (1, 39) for 40 rows", "one entry a row"),
    "residualised fold short": ("fold of shape (39,) for 40 rows", "one entry a row"),
    "permute_within_groups array": ("labels is of type ndarray", "torch.from_numpy(labels)"),
    "permute_within_groups short": ("labels of shape (39,) for 40 rows", "one entry a row"),
    "swap_squares short": ("labels of shape (39,) for 40 rows", "one entry a row"),
    "fit_leace array": ("x is of type ndarray", "torch.from_numpy(x)"),
    "fit_leace one class": ("nothing to erase", "both classes"),
    "fit_mean_projection one class": ("nothing to erase", "both classes"),
    "fit_step one class": ("nothing to erase", "both classes"),
    "Eraser array": ("x is of type ndarray", "torch.from_numpy(x)"),
    "Eraser width": ("rows of shape (40, 4), and the eraser was fitted on rows of width 6", "the same model"),
    "StreamedLeace array": ("x is of type ndarray", "torch.from_numpy(x)"),
    "StreamedLeace ±1": ("these hold −1, 1", "(y > 0).int()"),
}


@pytest.fixture(scope="module")
def outcomes() -> dict[str, list[str] | str]:
    """By a process of its own: this one checks annotations, and would refuse first."""
    script = Path(__file__).parent / "refused.py"
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, text=True)
    found: dict[str, list[str] | str] = json.loads(done.stdout)
    return found


def test_every_call_is_expected(outcomes: dict[str, list[str] | str]) -> None:
    assert set(outcomes) == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
def test_a_mistake_is_told_with_cause_and_cure(outcomes: dict[str, list[str] | str], name: str) -> None:
    assert isinstance(outcomes[name], list), outcomes[name]
    assert all(part in told for part, told in zip(EXPECTED[name], outcomes[name], strict=True)), outcomes[name]


def test_a_row_left_out_may_carry_any_label() -> None:
    scores, y = torch.tensor([0.1, 0.9, 0.5, 0.7]), torch.tensor([0.0, 1.0, -1.0, torch.nan])
    assert float(auroc(scores, y, torch.tensor([1, 1, 0, 0]))) == 1
    scores[2:] = torch.nan
    assert float(auroc(scores, y)) == 1


def test_labels_of_bools_and_of_any_number_type_are_labels() -> None:
    scores, y = torch.arange(6.0), torch.tensor([0, 1, 0, 1, 1, 0])
    fold = torch.zeros(6, dtype=torch.long)
    for dtype in (torch.bool, torch.int, torch.long, torch.float16, torch.double):
        assert float(auroc(scores, y.to(dtype))) == float(auroc(scores, y))
    assert float(label_sets_auroc(scores, y[None], fold)) == float(auroc(scores, y))


def test_labels_of_one_axis_are_one_problem_at_every_batch_entry() -> None:
    x, y = torch.randn(3, 40, 5, generator=torch.Generator().manual_seed(0)), torch.arange(40) % 2
    alone, posed = fit_logistic(x, y), fit_logistic(x, y[None])
    assert alone.coef.shape == (3, 1, 5)
    assert torch.equal(alone.coef, posed.coef)
    masks = torch.stack([torch.arange(40) < 20, torch.arange(40) % 2 == 0])
    assert fit_logistic(x[0], y, masks).degenerate.tolist() == [False, True]
