"""What could be known without looking into the model's states: the words of the prompt or the response, length, and log p.

The same folds, training rows and penalised probe as on hidden states, so that a baseline is what a probe would score if
the hidden states held nothing more. Further ones, on request, stand in `COVARIATES`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import xarray as xr
from jaxtyping import Float
from torch import Tensor

from heedful.lenses.data import KINDS, Examples, StudyData
from heedful.lenses.fits import Progress
from heedful.lenses.result import LEVEL, Canvas, coordinates, sizes, variable
from heedful.probes import (
    OutOfFold,
    Rows,
    bag_of_words,
    format_features,
    length_features,
    out_of_fold,
)

GRID = (1e-2, 1e-1, 1.0)
MAX_WORDS = 1024

Features = Callable[[StudyData, Examples], Float[Tensor, "sample feature"] | None]


def prompt_words(data: StudyData, rows: Examples) -> Float[Tensor, "sample feature"]:
    """Which words the instruction has, the base prompt among them."""
    return bag_of_words(data.column("prompt_text", rows), max_words=MAX_WORDS).features


def response_words(data: StudyData, rows: Examples) -> Float[Tensor, "sample feature"]:
    """Which words the response has."""
    return bag_of_words(data.column("response_text", rows), max_words=MAX_WORDS).features


def length(data: StudyData, rows: Examples) -> Float[Tensor, "sample feature"]:
    """Logarithms of the response's words, characters, lines and tokens."""
    tokens = torch.tensor([len(ids) for ids in data.column("response_ids", rows)], dtype=torch.float32)
    return standardised(torch.cat([length_features(data.column("response_text", rows)), tokens.log1p()[:, None]], 1))


def log_p(data: StudyData, rows: Examples) -> Float[Tensor, "sample feature"] | None:
    """How likely the model found the response, in nats; its sign is fitted in the training folds."""
    values = data.log_p(rows)
    return None if values is None else standardised(values[:, None])


def length_and_format(data: StudyData, rows: Examples) -> Float[Tensor, "sample feature"]:
    """Logarithms of words and characters, and what the response looks like (`heedful.probes.FORMAT_FEATURES`)."""
    texts = data.column("response_text", rows)
    return standardised(torch.cat([length_features(texts)[:, :2], format_features(texts)], 1))


def max_softmax(data: StudyData, rows: Examples) -> Float[Tensor, "sample feature"] | None:
    """How sure the model was of what comes next: its greatest next-token probability, mean over the response."""
    values = data.max_softmax(rows)
    return None if values is None else standardised(values[:, None])


def last_max_softmax(data: StudyData, rows: Examples) -> Float[Tensor, "sample feature"] | None:
    """How sure it was at the end of the response."""
    values = data.max_softmax(rows, last=True)
    return None if values is None else standardised(values[:, None])


BASELINES: dict[str, Features] = {
    "prompt words": prompt_words,
    "response words": response_words,
    "length": length,
    "log p": log_p,
}
COVARIATES: dict[str, Features] = {
    "length and format": length_and_format,
    "max-softmax, mean": max_softmax,
    "max-softmax, last": last_max_softmax,
}
"""What `--extras` puts beside the specialists (`heedful.lenses.extras`)."""


def baselines(data: StudyData, progress: Progress | None = None) -> xr.Dataset:
    """AUROC of each baseline by kind and task, NaN for tasks with too few rows."""
    dims = ("kind", "task", "baseline")
    n = sizes(data, baseline=len(BASELINES))
    estimate, low, high = (Canvas(n, dims) for _ in range(3))
    for k, kind in enumerate(KINDS):
        for t, task in enumerate(data.tasks):
            rows = data.examples(kind, task)
            for b, features in enumerate(BASELINES.values()):
                x = features(data, rows) if rows.enough else None
                if x is None:
                    continue
                fitted = fit_baseline(x, rows, data.n_folds)
                auroc = data.auroc(fitted.scores[0], rows)
                interval = auroc.cross_fitted(fitted.noise[0]).interval(LEVEL, "logit")
                estimate[k, t, b], low[k, t, b], high[k, t, b] = interval.estimate, interval.low, interval.high
            if progress is not None:
                progress(f"{kind} baselines, {task}", k * len(data.tasks) + t + 1, len(KINDS) * len(data.tasks))
    probability = "probability; 0.5 is chance"
    variables = {
        "auroc": variable(estimate, "AUROC of the baseline", probability),
        "low": variable(low, "lower bound of AUROC", probability),
        "high": variable(high, "upper bound of AUROC", probability),
    }
    attrs = {"C_grid": list(GRID), "level": LEVEL, "max_words": MAX_WORDS, "n_folds": data.n_folds, "seed": data.seed}
    shared = coordinates(data, baseline=list(BASELINES))
    return xr.Dataset(variables, {name: c for name, c in shared.items() if name in (*dims, "family")}, attrs)


def fit_baseline(x: Float[Tensor, "*batch sample feature"], rows: Examples, n_folds: int) -> OutOfFold:
    """A penalised probe on a baseline's features, through the folds of the study."""
    return out_of_fold(Rows(x, rows.label[None], rows.fold, rows.weight[None]), GRID, n_folds=n_folds)


def standardised(x: Float[Tensor, "*batch sample feature"]) -> Float[Tensor, "*batch sample feature"]:
    """Unit spread over all rows, labels unseen; a constant column stays constant, and a missing value is the mean."""
    x = torch.where(x.isnan(), x.nanmean(-2, keepdim=True).nan_to_num(), x)
    return (x - x.mean(-2, keepdim=True)) / x.std(-2, keepdim=True).clamp_min(1e-6)
