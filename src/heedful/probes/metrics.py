"""AUROC and balanced accuracy, for any number of score vectors at once.

Weights stand for masks, multiplicities and bootstrap draws alike. A class that is missing gives NaN, never a silent
0.5. Knows nothing of probes; intervals live in `intervals`.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.probes.checks import check_labels, check_lengths, check_tensors, check_weight


def auroc(
    scores: Float[Tensor, "*#cell sample"], labels: Tensor, weight: Tensor | None = None
) -> Float[Tensor, "*cell"]:
    """P(score of a positive > score of a negative) + ½ P(equal): the Mann–Whitney statistic over weighted pairs.

    Args:
        scores: NaN scores count as rows left out.
        labels: {0, 1}, broadcastable against the scores; many label sets of one score vector are ranked once.
        weight: ≥ 0, broadcastable; 0 leaves a row out.

    Returns:
        In f64; NaN where the weighted rows lack a class.

    Raises:
        InputError: labels other than 0 and 1 (of a row left out: any, NaN too), weights that are negative or not finite, what
            is no tensor, or another number of rows.
    """
    positive, negative = class_weights(scores, labels, weight)
    wins = (positive * counts_below(scores, negative)).sum(-1)
    return wins / (positive.sum(-1) * negative.sum(-1))


def fold_auroc(
    scores: Float[Tensor, "*#cell sample"], labels: Tensor, fold: Int[Tensor, " sample"], weight: Tensor | None = None
) -> Float[Tensor, "*cell fold"]:
    """AUROC within each fold: scores of different folds come from different probes and are never compared.

    NaN for a fold that lacks a class. `fold_mean` averages them. Errors as of `auroc`, here and below.
    """
    check_tensors(scores=scores)
    check_lengths(scores.shape[-1], fold=fold)
    positive, negative = class_weights(scores, labels, weight)
    member = one_hot(fold).to(scores.device)
    wins = (positive * counts_below(scores, negative, fold)) @ member
    return wins / ((positive @ member) * (negative @ member))


def label_sets_auroc(
    scores: Float[Tensor, "*cell sample"], labels: Int[Tensor, "set sample"], fold: Int[Tensor, " sample"]
) -> Float[Tensor, "*cell set"]:
    """AUROC within folds, averaged, of the same scores for many label sets: one sort, then products.

    A positive's rank among all rows, less its rank among the positives, counts the negatives below it. NaN where a set
    lacks a class in every fold. No score may be NaN.
    """
    check_tensors(scores=scores)
    check_lengths(scores.shape[-1], labels=labels, fold=fold)
    check_labels(labels)
    in_fold, labels = one_hot(fold).to(scores.device), labels.to(scores.device).double()
    below = counts_below(scores, torch.ones_like(scores, dtype=torch.float64), fold)
    positive = labels @ in_fold  # [set, fold]
    negative = (1 - labels) @ in_fold
    ranks = labels @ (below.unsqueeze(-1) * in_fold)
    return fold_mean((ranks - positive.square() / 2) / (positive * negative))


def balanced_accuracy(
    scores: Float[Tensor, "*#cell sample"], labels: Tensor, weight: Tensor | None = None
) -> Float[Tensor, "*cell"]:
    """Mean of the shares of positives above 0 and of negatives at or below it. NaN if a class is missing."""
    positive, negative = class_weights(scores, labels, weight)
    above = (scores > 0).double()
    return 0.5 * ((positive * above).sum(-1) / positive.sum(-1) + (negative * (1 - above)).sum(-1) / negative.sum(-1))


def fold_balanced_accuracy(
    scores: Float[Tensor, "*#cell sample"], labels: Tensor, fold: Int[Tensor, " sample"], weight: Tensor | None = None
) -> Float[Tensor, "*cell fold"]:
    """Balanced accuracy within each fold; NaN for a fold that lacks a class."""
    check_tensors(scores=scores)
    check_lengths(scores.shape[-1], fold=fold)
    positive, negative = class_weights(scores, labels, weight)
    member, above = one_hot(fold).to(scores.device), (scores > 0).double()
    hit = (positive * above) @ member / (positive @ member)
    return 0.5 * (hit + (negative * (1 - above)) @ member / (negative @ member))


def fold_mean(per_fold: Float[Tensor, "*cell fold"]) -> Float[Tensor, "*cell"]:
    """Mean over the folds in which the statistic is defined; NaN if in none."""
    return per_fold.nanmean(-1)


def counts_below(
    scores: Float[Tensor, "*#cell sample"],
    counts: Float[Tensor, "*#cell sample"],
    segment: Int[Tensor, " sample"] | None = None,
) -> Float[Tensor, "*cell sample"]:
    """For each row, the sum of `counts` over rows of lower score, and half of it over rows of equal score, itself too.

    Within the row's own segment only, if segments are given: the building block of every rank statistic here, by one
    sort and cumulative sums, O(n log n), where the pair matrix would be O(n²).
    """
    order = scores.argsort(-1)
    if segment is not None:
        segment = segment.to(scores.device).expand(scores.shape)
        order = order.gather(-1, segment.gather(-1, order).argsort(dim=-1, stable=True))
    ordered = scores.gather(-1, order)
    opens = torch.ones_like(ordered, dtype=torch.bool)  # the first row of a run of equal scores
    opens[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    entry = torch.zeros_like(opens)  # the first row of a segment
    if segment is not None:
        within = segment.gather(-1, order)
        entry[..., 1:] = within[..., 1:] != within[..., :-1]
        opens |= entry
    closes = torch.ones_like(opens)
    closes[..., :-1] = opens[..., 1:]

    shape = np.broadcast_shapes(scores.shape, counts.shape)
    order = order.expand(shape)
    counts = counts.expand(shape).gather(-1, order)
    up_to = counts.cumsum(-1)
    before = up_to - counts
    # Cumulative sums do not fall, so a running extremum carries each run's first and last value to all of its rows.
    below = torch.where(opens, before, 0).cummax(-1).values
    at_most = torch.where(closes, up_to, torch.inf).flip(-1).cummin(-1).values.flip(-1)
    offset = torch.where(entry, before, 0).cummax(-1).values
    return torch.empty_like(counts).scatter(-1, order, 0.5 * (below + at_most) - offset)


def one_hot(index: Int[Tensor, " sample"], n: int | None = None) -> Float[Tensor, "sample n"]:
    """Indicator matrix in f64: a product with it sums by fold or by group."""
    if n is None:
        n = int(index.max()) + 1 if index.numel() else 1
    return (index.unsqueeze(-1) == torch.arange(n, device=index.device)).double()


def class_weights(scores: Tensor, labels: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Weights of the rows as positives and as negatives, in f64, zero where the score is NaN; all that it is given, checked."""
    check_tensors(scores=scores)
    check_lengths(scores.shape[-1], labels=labels, weight=weight)
    labels = labels.to(scores.device).double()
    kept = (~scores.isnan()).double()
    if weight is not None:
        check_weight(weight)
        kept = kept * weight.to(scores.device)
    check_labels(labels, kept > 0)
    labels = torch.where(kept > 0, labels, 0)  # a row left out may carry any label, NaN too
    return kept * labels, kept * (1 - labels)
