"""The jackknife against its naive twin, and (slow) its coverage by simulation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.errors import InputError
from heedful.probes import (
    Jackknife,
    Rows,
    auroc,
    bootstrap_auroc,
    combine,
    fit_mean_difference,
    fold_auroc,
    fold_mean,
    intervals,
    jackknife_auroc,
    jackknife_d_prime,
    jackknife_mean,
    median_interval,
    out_of_fold,
    paired_difference,
)


def draw(
    n: int, n_groups: int, n_folds: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    group = torch.from_numpy(rng.integers(0, n_groups, n))
    fold_of_group = torch.from_numpy(rng.permutation(n_groups) % n_folds)
    scores = torch.from_numpy(rng.integers(0, 8, (3, n)) / 2.0)
    return scores, torch.from_numpy(rng.integers(0, 2, n)), group, fold_of_group[group]


@given(
    n=st.integers(4, 60),
    n_groups=st.integers(2, 12),
    n_folds=st.integers(1, 3),
    seed=st.integers(0, 10**6),
    weighted=st.booleans(),
)
def test_replicates_equal_leaving_each_group_out(n, n_groups, n_folds, seed, weighted):
    scores, y, group, fold = draw(n, n_groups, n_folds, seed)
    weight = torch.rand(n, generator=torch.Generator().manual_seed(seed)) if weighted else None
    scores[0, :2] = float("nan")
    fast = jackknife_auroc(scores, y, group, fold, n_groups=n_groups, weight=weight)

    def naive(kept: torch.Tensor) -> torch.Tensor:
        left = None if weight is None else weight[kept]
        return fold_mean(fold_auroc(scores[:, kept], y[kept], fold[kept], left))

    torch.testing.assert_close(fast.estimate, naive(group >= 0), equal_nan=True)
    for g in range(n_groups):
        torch.testing.assert_close(fast.replicates[:, g], naive(group != g), equal_nan=True)


@given(n=st.integers(4, 60), n_groups=st.integers(2, 12), n_folds=st.integers(1, 3), seed=st.integers(0, 10**6))
def test_d_prime_without_each_group_is_that_of_the_other_rows(n, n_groups, n_folds, seed):
    scores, y, group, fold = draw(n, n_groups, n_folds, seed)
    scores = 1e4 + scores  # far from 0, where squares alone would lose the difference
    scores[0, :2] = float("nan")
    fast = jackknife_d_prime(scores, y, group, fold, n_groups=n_groups)

    def naive(kept: torch.Tensor) -> torch.Tensor:
        return torch.stack(
            [fold_mean(torch.stack([one(row, kept & (fold == f)) for f in range(n_folds)])) for row in scores]
        )

    def one(row: torch.Tensor, here: torch.Tensor) -> torch.Tensor:
        sides = [row[here & (y == label) & ~row.isnan()] for label in (1, 0)]
        if min(map(len, sides)) < 2 or not (variance := sum(side.var() for side in sides) / 2) > 0:
            return torch.tensor(torch.nan).double()
        return (sides[0].mean() - sides[1].mean()) / variance.sqrt()

    torch.testing.assert_close(fast.estimate, naive(group >= 0), equal_nan=True)
    for g in range(n_groups):
        torch.testing.assert_close(fast.replicates[:, g], naive(group != g), equal_nan=True)


def test_d_prime_tells_two_probes_apart_where_auroc_has_levelled_off():
    generator = torch.Generator().manual_seed(0)
    y, group = torch.arange(400) % 2, torch.arange(400) // 4
    noise = torch.randn(2, 400, generator=generator, dtype=torch.float64)
    scores = noise + y * torch.tensor([[12.0], [6.0]])
    flat = torch.zeros(400, dtype=torch.long)
    assert jackknife_auroc(scores, y, group, flat).estimate.tolist() == [1.0, 1.0]
    lost = combine(lambda d: 1 - d[1] / d[0], jackknife_d_prime(scores, y, group, flat)).interval()
    assert 0.4 < lost.low < 0.5 < lost.high < 0.6


def test_standard_error_of_a_mean_of_singletons_is_the_textbook_one():
    values = torch.tensor([1.0, 4.0, 2.0, 8.0, 5.0], dtype=torch.float64)
    jackknife = jackknife_mean(values, torch.arange(5))
    assert jackknife.se.item() == pytest.approx(values.std().item() / 5**0.5)
    interval = jackknife.interval()
    assert interval.low.item() == pytest.approx(4 - 2.7764 * jackknife.se.item(), abs=1e-3)


def test_mean_by_group_leaves_out_what_was_not_scored():
    values = torch.tensor([1.0, float("nan"), 0.0, 1.0])
    jackknife = jackknife_mean(values, torch.tensor([0, 0, 1, 2]), n_groups=4)
    assert jackknife.estimate.item() == pytest.approx(2 / 3)
    assert jackknife.replicates.tolist() == pytest.approx([0.5, 1.0, 0.5, 2 / 3])
    assert jackknife.n_groups == 3


def test_groups_without_a_score_or_weight_are_not_counted():
    nan = float("nan")
    rows = torch.arange(6)
    scores = torch.tensor([[0.1, 0.9, 0.2, 0.7, nan, nan], [0.3, nan, 0.4, 0.6, nan, nan]])
    labels, group, fold = rows % 2, rows // 2, torch.zeros(6, dtype=torch.long)
    assert jackknife_auroc(scores, labels, group, fold).n_groups == 2
    assert jackknife_auroc(scores, labels, group, fold, n_groups=9).n_groups == 2
    weight = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.0])
    assert jackknife_auroc(scores.nan_to_num(0.5), labels, group, fold, weight=weight).n_groups == 2
    assert jackknife_mean(scores, group).n_groups == 2
    one = jackknife_mean(scores[0], group, n_groups=5)
    assert one.n_groups == 2
    # Few groups make a wide interval: Student's t with one degree of freedom.
    assert ((one.interval().high - one.estimate) / one.se).item() == pytest.approx(12.706, abs=1e-3)


def test_where_nothing_has_a_score_there_is_no_interval_and_it_counts_for_none():
    group = torch.tensor([0, 0, 1, 1, 2])
    known = jackknife_mean(torch.tensor([1.0, 0.0, 1.0, 1.0, 0.0]), group)
    nothing = jackknife_mean(torch.full((5,), torch.nan), group)
    assert nothing.n_groups == 0
    for scale in ("plain", "logit"):
        assert all(end.isnan() for end in nothing.interval(scale=scale))
    both = combine(lambda *each: torch.stack(each), known, nothing)
    assert both.n_groups == 3
    assert both.interval().high.isfinite().tolist() == [True, False]
    assert both.draws(3, 0).isnan().tolist() == [[False, True]] * 3
    none = combine(lambda *each: torch.stack(each), nothing, nothing)
    assert none.n_groups == 0
    assert none.draws(2, 0).isnan().all()
    with pytest.raises(InputError, match=r"over 0 group\(s\) has no variance"):
        paired_difference(torch.full((5,), torch.nan), group)


def test_logit_intervals_stay_within_zero_and_one_and_perfection_is_not_proved():
    group = torch.arange(40) // 2
    y = torch.arange(40) % 2
    fold = group % 5
    perfect = jackknife_auroc(y.double(), y, group, fold).interval(scale="logit")
    assert perfect.estimate == 1
    assert perfect.low.item() == pytest.approx(0.025 ** (1 / 20))
    assert perfect.high == 1
    worst = jackknife_auroc(-y.double(), y, group, fold).interval(scale="logit")
    assert worst.low == 0
    assert worst.high.item() == pytest.approx(1 - 0.025 ** (1 / 20))
    nearly = y.double()
    nearly[1] = -1
    interval = jackknife_auroc(nearly, y, group, fold).interval(scale="logit")
    assert 0 < interval.low < interval.estimate < interval.high < 1


def test_paired_differences_are_narrower_than_unpaired_ones():
    """Two lenses that err on the same rows differ by little: pairing must see that."""
    generator = torch.Generator().manual_seed(0)
    y, group = torch.arange(400) % 2, torch.arange(400) // 10
    scores = y + torch.randn(400, generator=generator)
    first = jackknife_auroc(scores, y, group, group % 5)
    second = jackknife_auroc(scores + 0.05 * torch.randn(400, generator=generator), y, group, group % 5)
    difference = combine(torch.sub, first, second)
    assert difference.estimate == first.estimate - second.estimate
    assert difference.se < 0.3 * (first.se**2 + second.se**2).sqrt()


def test_reductions_over_leading_axes_combine():
    scores, y, group, fold = draw(200, 20, 2, 0)
    parts = jackknife_auroc(scores, y, group, fold)
    mean = combine(lambda a: a.mean(0), parts)
    torch.testing.assert_close(mean.replicates[3], parts.replicates[:, 3].mean())


def test_bootstrap_agrees_with_the_jackknife_where_groups_are_many():
    generator = torch.Generator().manual_seed(1)
    group = torch.arange(600) // 3
    y = torch.randint(0, 2, (600,), generator=generator)
    scores = y + 1.5 * torch.randn(600, generator=generator)
    jackknife = jackknife_auroc(scores, y, group, group % 5).interval(scale="logit")
    bootstrap = bootstrap_auroc(scores, y, group, group % 5, n_draws=500)
    assert bootstrap.estimate == jackknife.estimate
    assert bootstrap.low.item() == pytest.approx(jackknife.low.item(), abs=0.012)
    assert bootstrap.high.item() == pytest.approx(jackknife.high.item(), abs=0.012)


def test_bootstrap_resamples_groups_with_all_their_pairs(monkeypatch: pytest.MonkeyPatch):
    generator = torch.Generator().manual_seed(2)
    group = torch.arange(90) // 3
    fold = group % 3
    scores = torch.randn(2, 3, 90, generator=generator).round(decimals=1)  # with ties
    scores[0, 1, ::7] = torch.nan
    y = torch.randint(0, 2, (2, 1, 90), generator=generator)
    monkeypatch.setattr(intervals, "_PAIRS", 2000)  # several cells at a time
    found = bootstrap_auroc(scores, y, group, fold, n_draws=40, seed=5)
    generator = torch.Generator().manual_seed(5)
    parts = []
    for f in range(3):
        groups = group[fold == f].unique()
        for picks in torch.randint(10, (40, 10), generator=generator):
            rows = torch.cat([(group == g).nonzero()[:, 0] for g in groups[picks]])
            parts.append(auroc(scores[..., rows], y[..., rows]))
    each = torch.stack(parts).reshape(3, 40, 2, 3).nanmean(0)
    torch.testing.assert_close(found.low, each.nanquantile(0.025, dim=0))
    torch.testing.assert_close(found.high, each.nanquantile(0.975, dim=0))


def test_bad_input_names_cause_and_cure():
    y = torch.tensor([0, 1, 0, 1])
    with pytest.raises(InputError, match=r"group 0 spans folds.*\n.*grouped_folds"):
        jackknife_auroc(y.double(), y, torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1]))
    one = Jackknife(torch.tensor(0.5), torch.tensor([0.5]), 1)
    with pytest.raises(InputError, match=r"over 1 group\(s\) has no variance"):
        one.interval()
    with pytest.raises(InputError, match=r"over \[1, 2\] groups cannot be paired.*\n.*one universe"):
        combine(torch.sub, one, Jackknife(torch.tensor(0.5), torch.tensor([0.5, 0.4]), 2))


@pytest.mark.slow
@pytest.mark.parametrize(("strength", "n_groups"), [(0.0, 30), (1.0, 30), (1.0, 100), (2.2, 60)])
def test_intervals_cover_at_their_nominal_rate(strength, n_groups):
    """Rows of a group share an error and half of them a difficulty; the truth is the AUROC of a huge sample."""

    def sample(cells: int, groups: int, seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        generator = torch.Generator().manual_seed(seed)
        group = torch.arange(groups * 8) // 8
        y = torch.arange(groups * 8) % 2
        shared = torch.randn(cells, groups, generator=generator)[:, group]
        gain = 1 + 0.5 * torch.randn(cells, groups, generator=generator)[:, group]
        noise = torch.randn(cells, groups * 8, generator=generator)
        return strength * gain * (y - 0.5) + 0.7 * shared + noise, y, group

    scores, y, group = sample(20, 20000, 1)
    truth = fold_auroc(scores, y, torch.zeros_like(y)).mean()
    scores, y, group = sample(2000, n_groups, 2)
    interval = jackknife_auroc(scores, y, group, group % 5).interval(scale="logit")
    coverage = ((interval.low <= truth) & (truth <= interval.high)).double().mean().item()
    assert 0.93 <= coverage <= 0.975
    first, second = (jackknife_auroc(sample(2000, n_groups, s)[0], y, group, group % 5) for s in (3, 4))
    difference = combine(torch.sub, first, second).interval()
    coverage = ((difference.low <= 0) & (difference.high >= 0)).double().mean().item()
    assert 0.93 <= coverage <= 0.975


@pytest.mark.parametrize("delta", [0.0, 0.6, 1.5])
def test_cross_fitted_intervals_cover_where_those_of_fixed_probes_do_not(delta):
    """A difference-in-means probe, at chance and above it. Its truth is known: Φ(w · δ / ‖w‖ √2), averaged over folds."""
    n_draws, n, hidden, n_folds = 800, 200, 40, 5
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(n_draws, n, hidden, generator=generator)
    fold, labels = torch.arange(n) // 2 % n_folds, torch.arange(n) % 2
    x[..., 0] += delta * labels
    fitted = out_of_fold(Rows(x, labels[None], fold), 1.0, fit=fit_mean_difference)
    plain = jackknife_auroc(fitted.scores[:, 0], labels, torch.arange(n), fold)
    coef = fitted.coef[:, 0].double()
    truth = torch.special.ndtr(delta * coef[..., 0] / coef.norm(dim=-1) / 2**0.5).mean(-1)

    def coverage(one: Jackknife) -> float:
        interval = one.interval(0.95, "logit")
        return ((interval.low <= truth) & (truth <= interval.high)).double().mean().item()

    assert coverage(plain) < (0.92 if delta < 1 else 0.95)
    assert 0.93 <= coverage(plain.cross_fitted(fitted.noise[:, 0])) <= 0.98
    assert coverage(plain.cross_fitted()) >= 0.93


@pytest.mark.parametrize("alike", [0.0, 0.5, 1.0], ids="rows of a group share {} of their variance".format)
@pytest.mark.parametrize("sizes", [(1,), (3,), (1, 2, 3)], ids=str)
@pytest.mark.parametrize("n_groups", [8, 20])
def test_the_median_is_covered(n_groups: int, sizes: tuple[int, ...], alike: float) -> None:
    generator, covered = torch.Generator().manual_seed(0), 0
    size = torch.tensor(sizes).repeat(n_groups)[:n_groups]
    group = torch.arange(n_groups).repeat_interleave(size)
    for _ in range(600):
        shared, own = torch.randn(n_groups, generator=generator)[group], torch.randn(len(group), generator=generator)
        found = median_interval((alike**0.5 * shared + (1 - alike) ** 0.5 * own).exp(), group)  # skewed, median 1
        covered += int(found.low <= 1 <= found.high)
    # A percentile bootstrap covers 0.89 with 8 groups and 0.92 with 20, of one row each.
    assert covered >= 0.935 * 600  # 0.95, less 1.7 standard errors
    if n_groups == 20 and sizes == (1,):
        assert covered <= 0.98 * 600  # no wider than it must be: 0.959


def test_a_median_lies_between_the_order_statistics_of_the_sign_test() -> None:
    values = torch.randperm(20, generator=torch.Generator().manual_seed(1)).double()
    found = median_interval(values, torch.arange(20))
    assert [float(x) for x in found[:3]] == [9.0, 5.0, 14.0]  # the 6th and the 15th: P(Bin(20, 1/2) ≤ 5) = 0.021
    assert found.se.isnan()
    twice = median_interval(values.repeat(2), torch.arange(20).repeat(2) + 7)
    assert [float(x) for x in twice[:3]] == [9.0, 5.0, 14.0]


def test_a_median_of_fewer_than_six_groups_has_no_bounds() -> None:
    for groups in (torch.arange(5), torch.arange(5).repeat_interleave(4), torch.zeros(9).long()):
        found = median_interval(torch.arange(len(groups)).double(), groups)
        assert float(found.estimate) == (len(groups) - 1) // 2
        assert found.low.isnan()
        assert found.high.isnan()
    assert median_interval(torch.arange(6).double(), torch.arange(6))[1:3] == (0.0, 5.0)
    heavy = torch.tensor([0] * 20 + [1, 2, 3, 4, 5, 6, 7])  # eight groups, that weigh as fewer than two
    assert median_interval(torch.arange(27).double(), heavy).low.isnan()
    assert median_interval(torch.empty(0), torch.empty(0).long()).estimate.isnan()


def test_a_paired_difference_is_the_jackknife_of_its_mean() -> None:
    values, group = (
        torch.tensor([1.0, 0.0, torch.nan, -1.0, 1.0, 1.0, 0.0, 1.0]),
        torch.tensor([9, 9, 9, 2, 2, 5, 7, 7]),
    )
    found, plain = (
        paired_difference(values, group),
        jackknife_mean(values, torch.tensor([3, 3, 3, 0, 0, 1, 2, 2])).interval(),
    )
    torch.testing.assert_close(found.interval.estimate, plain.estimate)
    torch.testing.assert_close(found.interval.low, plain.low)
    torch.testing.assert_close(found.interval.high, plain.high)
    assert float(found.p) == pytest.approx(0.125)  # three of four groups differ, all one way; Student's t says 0.04


def test_what_all_groups_agree_on_has_the_p_of_a_sign_test_and_an_interval() -> None:
    for n in (2, 3, 20):
        for values, p in ((1.0, 0.5**n), (0.5, 0.5**n), (0.0, 1.0), (-1.0, 1.0)):
            found = paired_difference(torch.full((2 * n,), values), torch.arange(n).repeat(2))
            slack = 1 - 0.025 ** (1 / n)
            assert float(found.p) == pytest.approx(p)
            assert float(found.interval.low) == pytest.approx(max(values - slack, -1))
            assert float(found.interval.high) == pytest.approx(min(values + slack, 1))
    thirds = torch.tensor([1.0, 0.0, 0.0]).repeat(9)  # the jackknife of which has a variance, by rounding
    found = paired_difference(thirds, torch.arange(9).repeat_interleave(3))
    assert float(found.interval.high - found.interval.low) > 0.5
    with pytest.raises(InputError, match=r"over 1 group"):
        paired_difference(torch.ones(3), torch.zeros(3, dtype=torch.long))


def test_variance_that_no_group_shows_widens_a_paired_difference() -> None:
    values, group = torch.tensor([1.0, 1.0, 0.0, 0.0]).repeat(10), torch.arange(40)
    alone = paired_difference(values, group)
    same = paired_difference(values, group, between=1e-12, df=1.0)
    torch.testing.assert_close(same.interval.low, alone.interval.low)
    joint = paired_difference(values, group, between=0.09, df=8.0)
    assert float(joint.interval.se) == pytest.approx((0.25 / 39 + 0.09) ** 0.5)
    assert float(joint.p) == pytest.approx(0.071, abs=2e-3)  # t = 1.61, of 9.2 degrees of freedom
    assert float(alone.p) < 1e-6
