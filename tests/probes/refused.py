"""What users get wrong, put to the library as they meet it: run by `test_refused`, where no annotation is checked.

Prints one JSON object: name of the call → [cause, cure], or the type of any other outcome.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from heedful.erasure import StreamedLeace, fit_leace, fit_mean_projection, fit_step
from heedful.errors import InputError
from heedful.probes import (
    auroc,
    balanced_accuracy,
    bootstrap_auroc,
    cross_validate,
    fit_logistic,
    fold_auroc,
    fold_balanced_accuracy,
    jackknife_auroc,
    label_sets_auroc,
    permute_within_groups,
    residualised,
    swap_squares,
)

N = 40
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(N, 6, generator=GENERATOR)
Y = torch.arange(N) // 2 % 2
GROUP = torch.arange(N) // 4
FOLD = GROUP % 3
SCORES = X[:, 0]
ARRAY, LABELS = X.numpy(), Y.numpy()

METRICS: dict[str, Callable[[Any, Any], Any]] = {
    "auroc": auroc,
    "balanced_accuracy": balanced_accuracy,
    "fold_auroc": partial(fold_auroc, fold=FOLD),
    "fold_balanced_accuracy": partial(fold_balanced_accuracy, fold=FOLD),
    "label_sets_auroc": lambda scores, labels: label_sets_auroc(scores, labels[None], FOLD),
    "jackknife_auroc": partial(jackknife_auroc, group=GROUP, fold=FOLD),
    "bootstrap_auroc": partial(bootstrap_auroc, group=GROUP, fold=FOLD, n_draws=10),
}
CALLS: dict[str, Callable[[], Any]] = {}
for name, metric in METRICS.items():
    CALLS |= {
        f"{name} ±1": partial(metric, SCORES, 2 * Y - 1),
        f"{name} soft": partial(metric, SCORES, Y * 0.5 + 0.25),
        f"{name} NaN": partial(metric, SCORES, torch.where(Y > 0, 1.0, torch.nan)),
        f"{name} short": partial(metric, SCORES, Y[:-1]),
        f"{name} array": partial(metric, SCORES.numpy(), Y),
        f"{name} labels array": partial(metric, SCORES, LABELS),
    }
CALLS |= {
    "auroc three": partial(auroc, SCORES, torch.arange(N) % 3),
    "auroc list": partial(auroc, SCORES, Y.tolist()),
    "auroc weight negative": partial(auroc, SCORES, Y, -torch.ones(N)),
    "auroc weight short": partial(auroc, SCORES, Y, torch.ones(N - 1)),
    "fold_auroc fold short": partial(fold_auroc, SCORES, Y, FOLD[:-1]),
    "jackknife_auroc group short": partial(jackknife_auroc, SCORES, Y, GROUP[:-1], FOLD),
    "jackknife_auroc group array": partial(jackknife_auroc, SCORES, Y, GROUP.numpy(), FOLD),
    "fit_logistic short": partial(fit_logistic, X, Y[:-1]),
    "fit_logistic ±1": partial(fit_logistic, X, 2 * Y - 1),
    "fit_logistic one class": partial(fit_logistic, X, torch.ones(N)),
    "fit_logistic C": partial(fit_logistic, X, Y, C=-1.0),
    "fit_logistic integers": partial(fit_logistic, torch.arange(2 * N).reshape(N, 2), Y),
    "fit_logistic 1-d": partial(fit_logistic, SCORES, Y),
    "fit_logistic array": partial(fit_logistic, ARRAY, Y),
    "fit_logistic labels array": partial(fit_logistic, X, LABELS),
    "cross_validate array": partial(cross_validate, ARRAY, Y, GROUP),
    "cross_validate labels array": partial(cross_validate, X, LABELS, GROUP),
    "cross_validate short": partial(cross_validate, X, Y[:-1], GROUP),
    "cross_validate groups short": partial(cross_validate, X, Y, GROUP[:-1]),
    "cross_validate ±1": partial(cross_validate, X, 2 * Y - 1, GROUP),
    "residualised array": partial(residualised, ARRAY, X[:, :1], FOLD),
    "residualised covariates array": partial(residualised, X, ARRAY[:, :1], FOLD),
    "residualised short": partial(residualised, X, X[:-1, :1], FOLD),
    "residualised fold short": partial(residualised, X, X[:, :1], FOLD[:-1]),
    "permute_within_groups array": partial(permute_within_groups, LABELS, GROUP, 2, 0),
    "permute_within_groups short": partial(permute_within_groups, Y[:-1], GROUP, 2, 0),
    "swap_squares short": partial(swap_squares, Y[:-1], GROUP, 2, 0),
    "fit_leace array": partial(fit_leace, ARRAY, LABELS),
    "fit_leace one class": partial(fit_leace, X, torch.ones(N)),
    "fit_mean_projection one class": partial(fit_mean_projection, X, torch.zeros(N)),
    "fit_step one class": partial(fit_step, X, torch.ones(N)),
    "Eraser array": lambda: fit_leace(X, Y)(ARRAY),  # type: ignore[arg-type]
    "Eraser width": lambda: fit_leace(X, Y)(X[:, :4]),
    "StreamedLeace array": lambda: StreamedLeace().update(ARRAY, Y),  # type: ignore[arg-type]
    "StreamedLeace ±1": lambda: StreamedLeace().update(X, 2 * Y - 1),
}


def outcome(call: Callable[[], Any]) -> list[str] | str:
    try:
        return f"nothing raised: {call()}"
    except InputError as error:
        return [error.cause, error.cure]
    except Exception as error:
        return repr(error)


if __name__ == "__main__":
    assert isinstance(ARRAY, np.ndarray)
    print(json.dumps({name: outcome(call) for name, call in CALLS.items()}))
