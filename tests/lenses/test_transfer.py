"""What was planted is what the matrix shows: nothing, pairs, signs; and a null that is one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import xarray as xr
from tests.lenses.conftest import FEW_CELLS, Planted

from heedful.lenses import StudyData, fit_probes
from heedful.lenses.transfer import _column, share_of_own, sign_of, transfer
from heedful.probes import auroc, fold_mean, label_sets_auroc

Write = Callable[..., StudyData]
SIX = ("word_count", "include", "exclude", "topic", "sentiment", "toxicity")
PAIR = {"sentiment": "topic", "toxicity": "exclude"}


def strong(task: str, site: int, position: int) -> float:
    return 0.0 if site == 0 else 1.2


def lens(write_study: Write, planted: Planted) -> xr.Dataset:
    data = write_study(planted)
    return transfer(data, fit_probes(data, general=False, controls=False))


@pytest.fixture(scope="module")
def paired(write_study: Write) -> xr.Dataset:
    return lens(write_study, Planted(strong, tasks=SIX, squares=60, axis=lambda task: (PAIR.get(task, task), 1.0)))


def test_pairs_that_share_a_direction_transfer_and_no_others(paired: xr.Dataset) -> None:
    here = paired.sel(kind="contrast")
    for source in SIX:
        for target in SIX:
            value = float(here["auroc"].sel(source=source, target=target))
            together = PAIR.get(source, source) == PAIR.get(target, target)
            assert (value > 0.85) if together else (0.3 < value < 0.7), (source, target, value)
    assert (here["planned"] > 0.7).all()
    assert (here["planned_low"] > 0.5).all()
    assert int(here["n_tasks"]) == 6
    assert str(here["shared_site"].values) in ("block.0.out", "block.1.out")
    significant = (here["q_value"] < 0.05).values
    named = np.array([[a != b and PAIR.get(a, a) == PAIR.get(b, b) for b in SIX] for a in SIX])
    assert significant[named].all()
    # Others may be, and small: no fitted probe is exactly orthogonal to a strong direction of another task.
    assert significant[~named].mean() < 0.3
    assert (here["auroc_low"] <= here["auroc"]).all()
    assert (here["auroc"] <= here["auroc_high"]).all()
    share = here["normalised"].sel(source="topic", target="sentiment")
    assert 0.8 < float(share) < 1.2
    assert np.allclose(np.diag(here["normalised"].values), 1)


def test_the_tree_finds_the_pairs_and_says_how_sure_it_is(paired: xr.Dataset) -> None:
    here = paired.sel(kind="contrast")
    first_two = [frozenset(np.array(SIX)[merge]) for merge in here["merged"].values[:2]]
    assert set(first_two) == {frozenset({"topic", "sentiment"}), frozenset({"exclude", "toxicity"})}
    assert (here["support"].values[:2] > 0.95).all()
    assert (np.diff(here["height"].values) >= 0).all()
    order = [SIX[i] for i in here["order"].values]
    assert sorted(order) == sorted(SIX)
    assert abs(order.index("topic") - order.index("sentiment")) == 1


def test_a_label_that_lies_the_other_way_round_transfers_below_chance(write_study: Write) -> None:
    planted = Planted(
        strong, tasks=SIX[:4], squares=60, axis=lambda task: ("topic", -1.0 if task == "include" else 1.0)
    )
    here = lens(write_study, planted).sel(kind="contrast")
    assert float(here["auroc"].sel(source="topic", target="include")) < 0.15
    assert float(here["auroc"].sel(source="topic", target="exclude")) > 0.85
    assert float(here["normalised"].sel(source="topic", target="include")) < -0.8
    assert float(here["q_value"].sel(source="topic", target="include")) < 0.01


def test_one_direction_for_all_some_the_wrong_way_round_is_no_weak_transfer(write_study: Write) -> None:
    flipped = ("word_count", "exclude", "toxicity")
    planted = Planted(
        strong, tasks=SIX, squares=48, axis=lambda task: ("topic", -1.0 if task in flipped else 1.0), **FEW_CELLS
    )
    here = lens(write_study, planted).sel(kind="contrast")
    assert abs(float(here["mean_off_diagonal"]) - 0.5) < 0.2  # signs cancel there
    assert float(here["mean_share_low"]) > 0.8
    assert (here["planned_high"] < 0.2).all()
    assert float(here["height"].max()) < 0.3  # all are near each other in the tree


def test_what_is_below_chance_is_mirrored_only_where_it_is_told_from_chance() -> None:
    q = torch.tensor([[float("nan"), 0.01], [0.5, float("nan")]])
    assert sign_of(torch.tensor([[0.9, 0.2], [0.45, 0.8]]), q).tolist() == [[1, -1], [1, 1]]
    assert sign_of(torch.tensor([[0.2, 0.8], [0.8, 0.2]]), q).tolist() == [[1, 1], [1, 1]]


def test_a_share_is_of_the_targets_own() -> None:
    d_prime = torch.tensor([[2.0, 1.0, 0.0], [1.0, 4.0, 0.5], [0.0, 2.0, 1.0]])
    pairs = torch.tensor([[False, True, False], [True, False, True], [False, False, False]])
    assert float(share_of_own(d_prime, pairs)) == pytest.approx((1 + 1 + 0.5) / (4 + 2 + 1))


def test_a_targets_own_rows_widen_what_its_own_probe_says_and_no_others(write_study: Write) -> None:
    data = write_study(Planted(tasks=SIX[:2], squares=48, **FEW_CELLS))
    rows = data.examples("contrast", "word_count")
    scores = torch.randn(2, len(rows), generator=torch.Generator().manual_seed(0))
    plain, wide = (_column(data, scores, rows, 0, torch.tensor(noise)) for noise in (0.0, 1.0))
    for one, other in ((plain.auroc, wide.auroc), (plain.d_prime, wide.d_prime)):
        torch.testing.assert_close(other.se / one.se, torch.tensor([2.0**0.5, 1.0], dtype=other.se.dtype))
        torch.testing.assert_close(other.estimate, one.estimate)


def test_a_small_overlap_of_strong_traces_is_a_small_share(write_study: Write) -> None:
    """At a d′ of 12 a cosine of 0.15 is an AUROC of 0.9: most of what is above chance, and little of d′."""
    planted = Planted(
        lambda task, site, position: 6.0 * (site > 0),
        tasks=SIX,
        squares=60,
        axis=lambda task: ("topic", 0.15) if task == "sentiment" else (task, 1.0),
        **FEW_CELLS,
    )
    here = lens(write_study, planted).sel(kind="contrast")
    pair = here.sel(pair="topic and sentiment")
    assert float(here["auroc"].sel(source="topic", target="sentiment")) > 0.8
    assert 0 < float(here["normalised"].sel(source="topic", target="sentiment")) < 0.35
    assert float(pair["planned_high"]) < 0.35


def test_one_named_pair_is_not_both(write_study: Write) -> None:
    planted = Planted(
        strong,
        tasks=SIX,
        squares=48,
        axis=lambda task: ("topic" if task == "sentiment" else task, 1.0),
        **FEW_CELLS,
    )
    here = lens(write_study, planted).sel(kind="contrast")
    assert float(here["planned_low"].sel(pair="topic and sentiment")) > 0.2
    assert float(here["planned_high"].sel(pair="exclude and toxicity")) < 0.15


def test_nothing_planted_is_nothing_found(write_study: Write) -> None:
    significant, within = 0, []
    for seed in range(4):
        here = lens(write_study, Planted(tasks=SIX, squares=48, seed=seed, **FEW_CELLS)).sel(kind="contrast")
        off = ~np.eye(6, dtype=bool)
        significant += int((here["q_value"].values[off] < 0.05).sum())
        within.append(bool(here["mean_off_diagonal_low"] < 0.5 < here["mean_off_diagonal_high"]))
        assert np.isnan(here["normalised"].values).all()
        assert not abs(float(here["height"].max()) - 0.5) > 0.1  # nothing is mirrored that is chance
    assert significant <= 2
    assert sum(within) >= 3


def test_mantel_tells_families_that_share_from_families_that_do_not(write_study: Write) -> None:
    family = {
        "word_count": "word_count",
        "include": "include",
        "exclude": "include",
        "topic": "topic",
        "sentiment": "topic",
    }
    planted = Planted(strong, tasks=SIX[:5], squares=48, axis=lambda task: (family[task], 1.0), **FEW_CELLS)
    together = lens(write_study, planted).sel(kind="contrast")
    pairs = Planted(strong, tasks=SIX, squares=48, axis=lambda task: (PAIR.get(task, task), 1.0), **FEW_CELLS)
    crossed = lens(write_study, pairs)
    assert float(together["mantel"]) > 0.9
    assert float(together["mantel_p"]) < 0.1  # five tasks in two pairs: one labelling in fifteen is as good
    assert float(crossed["mantel"].sel(kind="contrast")) < 0.9


def test_tasks_without_rows_are_left_out_and_nothing_is_made_up(write_study: Write) -> None:
    squares = {"word_count": 48, "include": 48, "topic": 4}
    here = lens(write_study, Planted(strong, tasks=tuple(squares), squares=squares)).sel(kind="contrast")
    assert int(here["n_tasks"]) == 2
    assert np.isnan(here["auroc"].sel(target="topic").values).all()
    assert np.isnan(here["mantel"])
    assert not np.isnan(here["auroc"].sel(source="word_count", target="include"))
    natural = lens(write_study, Planted(strong, tasks=tuple(squares), squares=squares)).sel(kind="natural")
    assert int(natural["n_tasks"]) == 0
    assert np.isnan(natural["auroc"].values).all()


def test_label_sets_auroc_is_auroc_of_each_set() -> None:
    torch.manual_seed(0)
    scores = torch.randn(3, 40).round(decimals=1)  # with ties
    fold = torch.arange(40) % 4
    labels = (torch.rand(5, 40) < 0.5).long()
    in_fold = torch.nn.functional.one_hot(fold).T
    expected = fold_mean(auroc(scores[:, None, None], labels[:, None], in_fold))
    torch.testing.assert_close(label_sets_auroc(scores, labels, fold), expected)
