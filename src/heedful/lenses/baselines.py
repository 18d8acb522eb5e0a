"""What could be known without looking into the model: the words of the prompt or the response, length, and log p.

The same folds, training rows and penalised probe as on hidden states, so that a baseline is what a probe would score if
the hidden states held nothing more.
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
from heedful.probes import Rows, bag_of_words, jackknife_auroc, length_features, out_of_fold

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
    return _standardised(torch.cat([length_features(data.column("response_text", rows)), tokens.log1p()[:, None]], 1))


def log_p(data: StudyData, rows: Examples) -> Float[Tensor, "sample feature"] | None:
    """How likely the model found the response, in nats; its sign is fitted in the training folds."""
    values = data.log_p(rows)
    return None if values is None else _standardised(values[:, None])


BASELINES: dict[str, Features] = {
    "prompt words": prompt_words,
    "response words": response_words,
    "length": length,
    "log p": log_p,
}


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
                fitted = out_of_fold(Rows(x, rows.label[None], rows.fold, rows.weight[None]), GRID)
                auroc = jackknife_auroc(fitted.scores[0], rows.label, rows.base, rows.fold, n_groups=data.n_bases)
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


def _standardised(x: Float[Tensor, "sample feature"]) -> Float[Tensor, "sample feature"]:
    """Unit spread over all rows, labels unseen; a constant column stays constant."""
    return (x - x.mean(0)) / x.std(0).clamp_min(1e-6)
