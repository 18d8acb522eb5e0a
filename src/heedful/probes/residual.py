"""Nuisances taken off features: what a few covariates predict of every feature, linearly, is subtracted within training folds.

A confound that leaves a linear trace (length in a hidden state, say) cannot be read from what is left; what is there beside
it can. The coefficients of a fold's probe come of that probe's own training rows and of nothing else, so that the rows which
test it have no say in their own correction.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from heedful.probes.checks import check_lengths, check_tensors
from heedful.probes.crossval import OutOfFold


class OwnFold(NamedTuple):
    """Of probes that were fitted on a version of the rows for each fold: each fold's part of its own version."""

    scores: Float[Tensor, "problem sample"]
    inner_auroc: Float[Tensor, "problem fold"]
    noise: Float[Tensor, " problem"]


def residualised(
    x: Float[Tensor, "sample hidden"],
    covariates: Float[Tensor, "sample covariate"],
    fold: Int[Tensor, " sample"],
    trained: Bool[Tensor, " sample"] | None = None,
) -> Float[Tensor, "fold sample hidden"]:
    """All rows once a fold: x − (1, covariates) β, β by least squares on the rows outside the fold.

    Args:
        trained: rows that may be fitted on; all by default. A covariate that is constant on the rows fitted on takes nothing
            off, and of covariates that depend on each other there the smallest β is taken.

    Raises:
        InputError: what is no tensor, or another number of rows.
    """
    check_tensors(x=x, covariates=covariates)
    check_lengths(len(x), covariates=covariates.mT, fold=fold, trained=trained)
    z = covariates.double()
    may = torch.ones_like(fold, dtype=torch.bool) if trained is None else trained
    left = []
    for f in range(int(fold.max()) + 1):
        rows = may & (fold != f)
        center, mean = z[rows].mean(0), x[rows].double().mean(0)
        spread = z[rows].std(0)
        varies = spread > 1e-9 * (1 + center.abs())
        scaled = torch.where(varies, (z - center) / torch.where(varies, spread, 1.0), 0.0)
        beta = torch.linalg.pinv(scaled[rows], rtol=1e-9) @ (x[rows].double() - mean)
        left.append((x.double() - mean - scaled @ beta).to(x))
    return torch.stack(left)


def own_fold(fitted: OutOfFold, fold: Int[Tensor, " sample"]) -> OwnFold:
    """What counts of probes whose one batch axis is the fold that the version was made for: of version f, fold f.

    Versions are of one problem's rows and differ by a fold's choice of training rows, so the share of noise is their mean.
    """
    n = fitted.scores.shape[0]
    scores = fitted.scores[fold, :, torch.arange(len(fold))].mT
    inner = torch.stack([fitted.inner_auroc[f, :, f] for f in range(n)], -1)
    return OwnFold(scores, inner, fitted.noise.mean(0))
