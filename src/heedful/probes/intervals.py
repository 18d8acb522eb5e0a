"""Intervals: the one module that owns them, and everything that reports an interval goes through it.

The unit is the group (a base prompt), never the row. Leaving out each group in turn gives replicates; since AUROC is a
ratio of sums over pairs of rows, dropping a group only takes its row and column of the pair table away, so that all
replicates of all cells cost two sorts. Any function of estimates (a difference of lenses, a mean over tasks, a ratio)
has as its replicates the function of theirs, if the parts number their groups alike: see `combine`.

What the intervals speak of: the fitted probes on new groups. That a probe refitted on other groups would differ is not
in them. But where rows are scored out of fold, those that test one probe train the others, and that is: see
`Jackknife.cross_fitted`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.special import bdtr, stdtr, stdtrit
from torch import Tensor

from heedful.errors import InputError
from heedful.probes.checks import check_lengths, check_tensors
from heedful.probes.metrics import class_weights, counts_below, fold_auroc, fold_mean, one_hot
from heedful.probes.splits import index_groups

_PAIRS = 2**22
"""The most pairs of rows that are compared at once."""
_ROUNDING = 1e-9
"""Differences of shares up to here are none, nor is a variance that is less of the mean square."""


class Interval(NamedTuple):
    """An estimate with its two-sided confidence interval. NaN where the estimate is."""

    estimate: Float[Tensor, "*cell"]
    low: Float[Tensor, "*cell"]
    high: Float[Tensor, "*cell"]
    se: Float[Tensor, "*cell"]
    """Standard error on the plain scale."""


@dataclass(frozen=True)
class Jackknife:
    """Estimates, and each again without one group."""

    estimate: Float[Tensor, "*cell"]
    replicates: Float[Tensor, "*cell group"]
    """Entry g leaves group g out; of a group that has no rows here, it equals the estimate."""
    n_groups: int
    """Groups that have rows here, of a score and of weight, in some cell."""

    @property
    def se(self) -> Float[Tensor, "*cell"]:
        """√((G − 1)/G Σ (θ₍g₎ − mean)²), Efron & Stein 1981."""
        n = max(self.n_groups, 1)
        spread = self.replicates - self.replicates.mean(-1, keepdim=True)
        return ((n - 1) / n * spread.square().sum(-1)).sqrt()

    def cross_fitted(self, noise: Float[Tensor, "*#cell"] | float = 1.0) -> Jackknife:
        """The same where every row was scored out of fold and trained the probes of the other folds: deviations × √(1 + noise).

        Fold k is scored by what the others taught, fold l by what k taught among them. A difference-in-means probe has
        Σₖ Σₗ≠ₖ δₖ · δₗ / K(K − 1), δ being the difference in a fold: what is noise in both is in the sum twice, and its
        variance twice what probes that are fixed would have. So the excess is the share of noise in the probes' weights:
        all of them at chance, none where the probe no longer depends on single rows. Bates, Hastie & Tibshirani (2023)
        measure the same of cross-validated errors. A difference of two probes on the same rows hardly needs it: they err
        together.

        Args:
            noise: in [0, 1], as `OutOfFold.noise` estimates it; 1, the widest, where it is not known.
        """
        factor = (1 + torch.as_tensor(noise).to(self.estimate)).sqrt().unsqueeze(-1)
        spread = factor * (self.replicates - self.estimate.unsqueeze(-1))
        return Jackknife(self.estimate, self.estimate.unsqueeze(-1) + spread, self.n_groups)

    def interval(self, level: float = 0.95, scale: Literal["plain", "logit"] = "plain") -> Interval:
        """Student's t with G − 1 degrees of freedom on the given scale.

        'logit' is for a share or an AUROC: se / (θ (1 − θ)) is the standard error of logit θ, so the interval stays
        within [0, 1]. At θ = 0 or 1 exactly, where the jackknife sees no variance, Clopper & Pearson's bound for G
        successes of G takes its place, (α/2)^(1/G): no sample proves perfection. 'plain' is for differences.

        Raises:
            InputError: fewer than two groups, where there is an estimate.
        """
        n = self.n_groups
        if n < 2 and bool(self.estimate.isnan().all()):
            return Interval(*(self.estimate for _ in Interval._fields))
        _check_two_groups("jackknife", n)
        alpha, theta, se = 1 - level, self.estimate, self.se
        reach = float(stdtrit(n - 1, 1 - alpha / 2))
        if scale == "plain":
            return Interval(theta, theta - reach * se, theta + reach * se, se)
        edge = (theta <= 0) | (theta >= 1)
        inner = torch.where(edge, 0.5, theta)
        slack = reach * se / (inner * (1 - inner))
        low, high = (torch.sigmoid(torch.logit(inner) + sign * slack) for sign in (-1, 1))
        bound = (alpha / 2) ** (1 / n)
        low = torch.where(edge, torch.where(theta >= 1, bound, 0.0), low)
        high = torch.where(edge, torch.where(theta >= 1, 1.0, 1 - bound), high)
        return Interval(theta, low, high, se)

    def draws(self, n: int, seed: int) -> Float[Tensor, draw * cell]:
        """Normal draws around the estimates, with the jackknife's covariance over all cells: for statistics that jump
        (a rank, a tree), of which leaving out one group in turn would show no variance."""
        size = self.replicates.shape[-1]
        n_groups = max(self.n_groups, 1)
        scale = ((n_groups - 1) / n_groups) ** 0.5
        spread = scale * (self.replicates - self.replicates.mean(-1, keepdim=True)).double()
        noise = torch.randn(n, size, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        draws: Tensor = self.estimate.double() + (noise @ spread.flatten(0, -2).mT).reshape(n, *self.estimate.shape)
        return draws


def combine(function: Callable[..., Tensor], *parts: Jackknife) -> Jackknife:
    """The jackknife of a function of estimates: `combine(torch.sub, specialist, general)` is a paired difference.

    It has as few groups as that part with the fewest; a part that is NaN throughout counts for none.

    Args:
        function: of as many tensors as parts; it must leave a trailing group axis alone, so reduce over leading axes
            (`lambda a: a.mean(0)`).

    Raises:
        InputError: the parts differ in their number of groups.
    """
    sizes = {part.replicates.shape[-1] for part in parts}
    if len(sizes) != 1:
        raise InputError(
            f"jackknives over {sorted(sizes)} groups cannot be paired", "number the groups of all parts in one universe"
        )
    return Jackknife(
        estimate=function(*(part.estimate for part in parts)),
        replicates=function(*(part.replicates for part in parts)),
        n_groups=min((part.n_groups for part in parts if not part.estimate.isnan().all()), default=0),
    )


def jackknife_auroc(
    scores: Float[Tensor, "*#cell sample"],
    labels: Tensor,
    group: Int[Tensor, " sample"],
    fold: Int[Tensor, " sample"],
    *,
    n_groups: int | None = None,
    weight: Tensor | None = None,
) -> Jackknife:
    """AUROC within folds, averaged over the folds that hold both classes, and the same without each group.

    Args:
        scores: out-of-fold scores; NaN rows are left out.
        labels: {0, 1}, broadcastable against the scores.
        group: number of each row's group; a group lies within one fold.
        fold: fold of each row (all zeros where one probe scored all rows).
        n_groups: size of the universe of groups, so that cells of other tasks pair up.
        weight: ≥ 0, broadcastable; 0 leaves a row out.

    Raises:
        InputError: a group spans folds; and as `auroc`.
    """
    check_tensors(scores=scores)
    check_lengths(scores.shape[-1], labels=labels, group=group, fold=fold, weight=weight)
    member, in_fold, home = _membership(group, fold, n_groups, scores.device)
    positive, negative = class_weights(scores, labels, weight)
    folds_pos, folds_neg = positive @ in_fold, negative @ in_fold
    groups_pos, groups_neg = positive @ member, negative @ member
    # Wins of each row's pairs within its fold, as a positive and as a negative; then those within its own group.
    won = positive * counts_below(scores, negative, fold)
    lost = negative * (folds_pos[..., fold] - counts_below(scores, positive, fold))
    own = positive * counts_below(scores, negative, group)
    wins = won @ in_fold
    gone = (won + lost - own) @ member  # every pair that has a row in the group, once

    full = wins / (folds_pos * folds_neg)
    left_pos, left_neg = folds_pos[..., home] - groups_pos, folds_neg[..., home] - groups_neg
    # Rounding of fractional weights must not pass for a class that is still there.
    lost_class = (left_pos <= 1e-9 * folds_pos[..., home]) | (left_neg <= 1e-9 * folds_neg[..., home])
    rest = ((wins[..., home] - gone) / (left_pos * left_neg)).masked_fill(lost_class, torch.nan)
    return Jackknife(fold_mean(full), _fold_mean_without(full, rest, home), _n_with_weight(groups_pos + groups_neg))


def jackknife_d_prime(
    scores: Float[Tensor, "*#cell sample"],
    labels: Tensor,
    group: Int[Tensor, " sample"],
    fold: Int[Tensor, " sample"],
    *,
    n_groups: int | None = None,
) -> Jackknife:
    """d′ of scores within folds, averaged over them, and the same without each group: the difference of the classes' means over
    the root of their mean variance.

    Unlike AUROC it does not level off where classes are far apart, so that two probes can be told apart there. Arguments and
    errors as of `jackknife_auroc`; a fold counts where both classes have two rows and not all rows of a class are alike.
    """
    check_tensors(scores=scores)
    check_lengths(scores.shape[-1], labels=labels, group=group, fold=fold)
    member, in_fold, home = _membership(group, fold, n_groups, scores.device)
    classes = class_weights(scores, labels, None)
    known = classes[0] + classes[1]
    values = scores.double().nan_to_num()
    middle = ((known * values) @ in_fold) / (known @ in_fold).clamp_min(1)
    values = values - middle[..., fold]  # so that squares are not the difference of what is large
    moments = [torch.stack([each, each * values, each * values**2]) for each in classes]  # [moment, *cell, sample]
    in_folds = [each @ in_fold for each in moments]
    rest = [whole[..., home] - each @ member for whole, each in zip(in_folds, moments, strict=True)]
    full = _d_prime(*in_folds)
    return Jackknife(fold_mean(full), _fold_mean_without(full, _d_prime(*rest), home), _n_with_weight(known @ member))


def _d_prime(positive: Float[Tensor, 3 * cell], negative: Float[Tensor, 3 * cell]) -> Float[Tensor, "*cell"]:
    """Of the number, the sum and the sum of squares of either class."""
    means, spreads = [], []
    for n, total, squares in (positive, negative):
        mean = total / n
        means.append(mean)
        deviations = squares - n * mean**2
        deviations = deviations * (deviations > _ROUNDING * squares)
        spreads.append(deviations / (n - 1).masked_fill(n < 1.5, torch.nan))
    variance = (spreads[0] + spreads[1]) / 2
    d_prime: Tensor = (means[0] - means[1]) / variance.masked_fill(~(variance > 0), torch.nan).sqrt()
    return d_prime


class _Membership(NamedTuple):
    in_group: Float[Tensor, "sample group"]
    in_fold: Float[Tensor, "sample fold"]
    home: Int[Tensor, " group"]
    """Fold of each group."""


def _membership(
    group: Int[Tensor, " sample"], fold: Int[Tensor, " sample"], n_groups: int | None, device: torch.device
) -> _Membership:
    member, n_folds = one_hot(group, n_groups).to(device), int(fold.max()) + 1
    held = torch.zeros(member.shape[1], n_folds, dtype=torch.long)
    held.index_put_((group.cpu(), fold.cpu()), torch.tensor(1))
    if bool((held.sum(-1) > 1).any()):
        raise InputError(
            f"group {int(held.sum(-1).argmax())} spans folds: its rows trained the probe that scores it",
            "use grouped_folds",
        )
    return _Membership(member, one_hot(fold, n_folds).to(device), held.argmax(-1).to(device))


def _fold_mean_without(
    full: Float[Tensor, "*cell fold"], rest: Float[Tensor, "*cell group"], home: Int[Tensor, " group"]
) -> Float[Tensor, "*cell group"]:
    """The mean over folds without each group, whose fold without it is in `rest`; a fold that lost its last row of a class
    leaves the mean."""
    before, defined = full[..., home], ~full.isnan()
    total = full.nansum(-1, keepdim=True) - before.nan_to_num() + rest.nan_to_num()
    count = defined.sum(-1, keepdim=True) - defined[..., home].long() + (~rest.isnan()).long()
    return total / count


def jackknife_mean(
    values: Float[Tensor, "*cell sample"], group: Int[Tensor, " sample"], *, n_groups: int | None = None
) -> Jackknife:
    """Mean over rows (a pass rate, say), and the same without each group. NaN rows are left out."""
    member = one_hot(group, n_groups).to(values.device)
    kept, sums = (~values.isnan()).double() @ member, values.double().nan_to_num() @ member
    return Jackknife(
        estimate=sums.sum(-1) / kept.sum(-1),
        replicates=(sums.sum(-1, keepdim=True) - sums) / (kept.sum(-1, keepdim=True) - kept),
        n_groups=_n_with_weight(kept),
    )


def _n_with_weight(weight: Float[Tensor, "*cell group"]) -> int:
    return int((weight > 0).reshape(-1, weight.shape[-1]).any(0).sum())


def _check_two_groups(what: str, n_groups: int) -> None:
    if n_groups < 2:
        raise InputError(f"a {what} over {n_groups} group(s) has no variance", "use at least 2 groups, better 20")


class PairedDifference(NamedTuple):
    """A mean of paired differences in [−1, 1]."""

    interval: Interval
    p: Float[Tensor, ""]
    """One-sided, that the mean is not above 0."""


def paired_difference(
    values: Float[Tensor, " sample"],
    group: Int[Tensor, " sample"],
    *,
    level: float = 0.95,
    between: float = 0.0,
    df: float = 1.0,
) -> PairedDifference:
    """Mean over rows of the differences of two shares on them: jackknife over groups, Student's t, bounds within [−1, 1].

    Of few groups the jackknife may see little variance or none. So where all of them differ alike, Clopper & Pearson's bound
    for none of G stands on either side; and p is never below 2^−m, the least of a sign test over the m groups that differ at
    all: 1 where none does.

    Args:
        values: NaN rows are left out.
        between: variance of the mean that no group shows, beside that over groups.
        df: degrees of freedom of its estimate; both are joined as Welch and Satterthwaite do.

    Raises:
        InputError: fewer than two groups.
    """
    known = ~values.isnan()
    values, (group, names) = values[known].double(), index_groups(group[known])
    _check_two_groups("jackknife", len(names))
    one = jackknife_mean(values, group)
    estimate, sampling, n = float(one.estimate), float(one.interval(level).se) ** 2, one.n_groups
    alike = sampling < _ROUNDING**2
    sampling = 0.0 if alike else sampling
    variance = sampling + between
    freedom = variance**2 / (sampling**2 / (n - 1) + between**2 / df) if variance else n - 1.0
    reach = float(stdtrit(freedom, (1 + level) / 2)) * variance**0.5
    if alike:
        reach = math.hypot(reach, 1 - ((1 - level) / 2) ** (1 / n))
    low, high = max(estimate - reach, -1.0), min(estimate + reach, 1.0)
    differ = int((torch.zeros(n, dtype=torch.double).index_add_(0, group, values).abs() > _ROUNDING).sum())
    p = float(stdtr(freedom, -estimate / variance**0.5)) if variance else float(estimate <= 0)
    numbers = (torch.tensor(x, dtype=torch.double) for x in (estimate, low, high, variance**0.5, max(p, 0.5**differ)))
    *interval, p_value = numbers
    return PairedDifference(Interval(*interval), p_value)


def bootstrap_auroc(
    scores: Float[Tensor, "*cell sample"],
    labels: Tensor,
    group: Int[Tensor, " sample"],
    fold: Int[Tensor, " sample"],
    *,
    n_draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Percentile cluster bootstrap of the fold-averaged AUROC, groups resampled within their folds.

    The alternative to `jackknife_auroc`, for checks: it is dearer, and over 20–60 groups it covers less than it claims. A
    group that is drawn twice has all its pairs twice, so pairs are counted once, by group, whatever is drawn. Errors as of
    `auroc`.
    """
    check_tensors(scores=scores)
    check_lengths(scores.shape[-1], labels=labels, group=group, fold=fold)
    positive, negative = class_weights(scores, labels, None)
    generator = torch.Generator().manual_seed(seed)
    draws = []
    for f in sorted({*fold.tolist()}):
        rows = (fold == f).nonzero().squeeze(-1)
        local = index_groups(group[rows])
        n_groups = len(local.names)
        picks = torch.randint(n_groups, (n_draws, n_groups), generator=generator)
        times = torch.zeros(n_draws, n_groups).scatter_add_(1, picks, torch.ones(picks.shape))
        times, member = times.double().to(scores.device), one_hot(local.number, n_groups).to(scores.device)
        pos, neg = positive[..., rows], negative[..., rows]
        won = ((times @ _wins_by_group(scores[..., rows], pos, neg, member)) * times).sum(-1)
        draws.append(won / ((pos @ member @ times.mT) * (neg @ member @ times.mT)))
    estimates = fold_mean(torch.stack(draws, -1))  # [*cell, draw]
    tail = torch.tensor([(1 - level) / 2, (1 + level) / 2], dtype=estimates.dtype, device=estimates.device)
    low, high = estimates.nanquantile(tail, dim=-1)
    return Interval(fold_mean(fold_auroc(scores, labels, fold)), low, high, estimates.std(-1))


def _wins_by_group(
    scores: Float[Tensor, "*#cell sample"],
    positive: Float[Tensor, "*cell sample"],
    negative: Float[Tensor, "*cell sample"],
    member: Float[Tensor, "sample group"],
) -> Float[Tensor, "*cell group group"]:
    """Pairs that a positive of one group wins against a negative of another, equal scores counting half."""
    shape, n = np.broadcast_shapes(scores.shape, positive.shape), scores.shape[-1]
    flat = [each.expand(shape).reshape(-1, n) for each in (scores, positive, negative)]
    step = max(1, _PAIRS // max(1, n * n))
    wins = []
    for s, pos, neg in zip(*(torch.split(each, step) for each in flat), strict=True):
        above = s.unsqueeze(-1) - s.unsqueeze(-2)
        score = above.sign_().add_(1).mul_(0.5).nan_to_num_().to(neg.dtype)  # a NaN weighs nothing
        wins.append(member.mT @ (pos.unsqueeze(-1) * (score @ (neg.unsqueeze(-1) * member))))
    return torch.cat(wins).reshape(*shape[:-1], *wins[0].shape[-2:])


def median_interval(
    values: Float[Tensor, " sample"], group: Int[Tensor, " sample"], *, level: float = 0.95
) -> Interval:
    """Median over rows, between the order statistics that a sign test does not reject: exact where each group has one row.

    Groups of several rows count as if their rows were all alike, Kish's n = (Σ m)² / Σ m² of groups of m rows: too wide where
    they are not. A median's jackknife does not converge (Efron 1979), and its bootstrap covers too little with few groups.
    The median is the lower of two middle values.

    Returns:
        bounds that are NaN where so few groups exclude nothing, at 95 % fewer than six; the standard error is NaN.
    """
    nan, ordered = torch.tensor(torch.nan, dtype=torch.float64), values.double().sort().values
    sizes = torch.bincount(index_groups(group).number).double()
    n = int(sizes.sum() ** 2 / sizes.square().sum() + _ROUNDING) if len(sizes) else 0
    # The k-th value from either end: the largest k that the median lies beyond with at most half of 1 − level.
    k = int((bdtr(np.arange(n), n, 0.5) <= (1 - level) / 2).sum())
    median = ordered.median() if len(ordered) else nan
    if not k:
        return Interval(median, nan, nan, nan)
    at = (k - 1) * len(ordered) // n
    return Interval(median, ordered[at], ordered[-1 - at], nan)
