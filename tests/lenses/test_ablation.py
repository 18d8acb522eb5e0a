"""Erasing what was planted takes away what hangs on it, and no more; controls take away next to nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from tests.lenses.conftest import FEW_CELLS, Planted

from heedful.erasure import fit_inlp, fit_leace, fit_mean_flip, joined, stacked
from heedful.lenses import StudyData, fit_probes
from heedful.lenses.ablation import ERASERS, ablation
from heedful.lenses.cells import parted, shared_cells, shared_folds
from heedful.lenses.refitted import refitted_probes
from heedful.probes import fit_logistic, grouped_folds

Write = Callable[..., StudyData]
FIVE = ("word_count", "include", "topic", "sentiment", "toxicity")
ALONG = {"sentiment": "topic"}


def strong(task: str, site: int, position: int) -> float:
    return 0.0 if site == 0 else 1.5


@pytest.fixture(scope="module")
def erased(write_study: Write) -> xr.Dataset:
    planted = Planted(strong, tasks=FIVE, squares=60, axis=lambda task: (ALONG.get(task, task), 1.0))
    data = write_study(planted)
    return ablation(data, fit_probes(data, general=False, controls=False)).sel(kind="contrast")


def together(a: str, b: str) -> bool:
    return ALONG.get(a, a) == ALONG.get(b, b)


@pytest.mark.parametrize("eraser", ERASERS)
def test_a_task_loses_what_lies_along_the_erased_direction_and_no_other_does(erased: xr.Dataset, eraser: str) -> None:
    for reading in ("refitted", "frozen"):
        if (eraser, reading) == ("flip", "refitted"):
            continue  # what is turned round can be read again
        here = erased.sel(eraser=eraser, reading=reading)
        for a in FIVE:
            for b in FIVE:
                drop = float(here["drop"].sel(erased=a, target=b))
                # INLP goes on to directions of noise, and takes a little of everything with them.
                assert (drop > 0.2) if together(a, b) else abs(drop) < 0.12, (reading, a, b, drop)
                random = abs(float(here["drop_random"].sel(erased=a, target=b)))
                # In 24 dimensions eight, or a turn the other way round, hit something of everything.
                assert random < (0.25 if eraser in ("leace", "mean_projection") else 0.45), (a, b, random)
        off = [(a, b) for a in FIVE for b in FIVE if a != b]
        edges = {(a, b) for a, b in off if float(here["q_value"].sel(erased=a, target=b)) < 0.05}
        assert len(edges) <= 5
        if eraser != "inlp":
            assert {("topic", "sentiment"), ("sentiment", "topic")} <= edges
        assert (here["drop_low"] <= here["drop"]).all()
        assert (here["drop"] <= here["drop_high"]).all()


def test_erasure_takes_most_of_a_task_but_for_a_flip(erased: xr.Dataset) -> None:
    refitted, frozen = (erased.sel(reading=reading) for reading in ("refitted", "frozen"))
    for a in FIVE:
        own = refitted["after"].sel(erased=a, target=a)
        assert float(erased["before"].sel(target=a)) > 0.9
        assert abs(float(own.sel(eraser="leace")) - 0.5) < 0.25
        assert float(own.sel(eraser="flip")) > 0.85
        assert float(frozen["drop"].sel(eraser="flip", erased=a, target=a)) > 0.7  # read the wrong way round
    other = refitted["after"].sel(eraser="leace", erased="topic", target="word_count")
    assert float(other) > 0.85


def test_refitting_on_shared_rows_is_fitting_on_the_erased_rows(write_study: Write) -> None:
    """With as many rows as dimensions or fewer, where an eraser writes outside of the rows' span, and with more."""
    for hidden in (24, 300):
        data = write_study(Planted(strong, tasks=FIVE, squares=48, hidden=hidden, **FEW_CELLS))
        shared = shared_cells(data, fit_probes(data, general=False, controls=False), "contrast")
        assert shared is not None
        fold = next(iter(shared_folds(data, shared)))
        x, weight, label, held = (each["topic"] for each in (fold.trained, fold.weight, fold.label, fold.held))
        erasers = [
            fit(fold.trained[t], fold.label[t], fold.weight[t])
            for t in ("include", "topic")
            for fit in (fit_leace, fit_mean_flip, partial(fit_inlp, rank=4))
        ]
        every = joined([stacked([eraser]) for eraser in erasers])  # of different ranks
        found = refitted_probes(fold, "topic", every).scores(held)[:, 0]
        for eraser, scores in zip(erasers, found, strict=True):
            oracle = fit_logistic(eraser(x), label[None], weight[None], fold.C["topic"], tol=1e-4)
            torch.testing.assert_close(scores, oracle.scores(eraser(held))[0], rtol=0.05, atol=0.05)


def test_controls_take_off_as_much_and_hurt_less(erased: xr.Dataset) -> None:
    here = erased.sel(eraser="leace", reading="frozen")
    own = [float(here["beyond_random"].sel(erased=a, target=a)) for a in FIVE]
    assert min(own) > 0.2
    assert (abs(np.array([here["drop_permuted"].sel(erased=a, target=a) for a in FIVE])) < 0.1).all()
    assert (here["energy"] > 0).all()
    assert (here["energy"] < 0.3).all()
    share = here["share"].sel(erased="topic", target="sentiment")
    assert 0.7 < float(share) < 1.3


def test_damage_is_the_share_of_others_that_is_lost_and_the_hub_the_worst_of_it(erased: xr.Dataset) -> None:
    here = erased.sel(eraser="leace", reading="refitted")
    own = np.diag(here["beyond_random"].values).sum() / (here["before_own"].values - 0.5).sum()
    np.testing.assert_allclose(float(here["own"]), own, atol=1e-9)
    others = np.eye(5) == 0
    beyond, held = here["beyond_random"].values * others, (here["before"].values - 0.5) * others
    np.testing.assert_allclose(float(here["damage"]), beyond.sum() / held.sum(), atol=1e-9)
    np.testing.assert_allclose(float(here["hub"]), (beyond.sum(1) / held.sum(1)).max(), atol=1e-9)
    assert float(here["hub_low"]) < float(here["hub"]) < float(here["hub_high"])


@pytest.mark.parametrize(("hidden", "strength", "least", "most"), [(24, 1.5, 0.5, 0.9), (1000, 4.0, 0.05, 0.5)])
def test_where_all_tasks_are_one_they_lose_what_the_erased_one_loses(
    write_study: Write, hidden: int, strength: float, least: float, most: float
) -> None:
    """With fewer rows than dimensions most of it stays, and that does not pass for tasks that have little in common; nor
    where the signal is so strong that probes with all rows read what is left as well as what there was."""
    planted = Planted(
        lambda task, site, position: strength, tasks=FIVE, squares=60, hidden=hidden, shared=True, **FEW_CELLS
    )
    data = write_study(planted)
    found = ablation(data, fit_probes(data, general=False, controls=False), erasers=("leace",)).sel(
        kind="contrast", eraser="leace"
    )
    here = found.sel(reading="refitted")
    assert least < float(here["own"]) < most
    assert 0.75 < float(here["damage_of_own"]) < 1.25  # 0.98 to 1.04 over 14 draws, of a spread of 0.05 to 0.10
    assert float(here["damage_of_own_low"]) < 1.05
    assert float(here["damage_of_own_high"]) > 0.95
    assert float(here["hub_of_own"]) >= float(here["damage_of_own"])


def test_a_frozen_probe_has_its_damage_of_own_from_the_same_rows(erased: xr.Dataset) -> None:
    here = erased.sel(eraser="leace", reading="frozen")
    np.testing.assert_allclose(float(here["damage_of_own"]), float(here["damage"] / here["own"]), atol=1e-9)
    np.testing.assert_allclose(float(here["hub_of_own"]), float(here["hub"] / here["own"]), atol=1e-9)


def test_over_nothing_there_is_no_share(write_study: Write) -> None:
    """What is turned round can be read again: a new probe loses nothing by it."""
    data = write_study(Planted(strong, tasks=FIVE, squares=48, shared=True, **FEW_CELLS))
    found = ablation(data, fit_probes(data, general=False, controls=False), erasers=("flip",))
    found = found.sel(kind="contrast", eraser="flip", reading="refitted")
    assert float(found["own_low"]) < 0.05
    for name in ("damage_of_own", "hub_of_own", "hub_of_own_high"):
        assert np.isnan(float(found[name])) == (float(found["own_low"]) <= 0)


@pytest.mark.parametrize("missing", [1, 3])
def test_a_fold_without_rows_of_a_task_leaves_the_others_as_they_are(write_study: Write, missing: int) -> None:
    bases = grouped_folds(list(range(24)), 4, 0, universe=list(range(24))).tolist()
    some = [base for base in range(24) if bases[base] != missing]

    def edit(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
        for row in rows:
            if row["task"] == "topic":
                row["base_id"] = some[row["base_id"] % len(some)]

    data = write_study(Planted(strong, tasks=FIVE, squares=48, edit=edit, **FEW_CELLS))
    found = ablation(data, fit_probes(data, general=False, controls=False), erasers=("leace",)).sel(
        kind="contrast", eraser="leace"
    )
    own = found["drop"].sel(reading="refitted")
    assert all(float(own.sel(erased=task, target=task)) > 0.15 for task in FIVE)
    assert 0.3 < float(found["own"].sel(reading="refitted")) < 1


def test_a_task_is_read_after_its_own_erasure_on_base_prompts_that_the_eraser_never_saw(write_study: Write) -> None:
    data = write_study(Planted(strong, tasks=FIVE, squares=48, **FEW_CELLS))
    shared = shared_cells(data, fit_probes(data, general=False, controls=False), "contrast")
    assert shared is not None
    for fold in shared_folds(data, shared):
        seen, unseen = parted(fold, shared)
        for task, mine in shared.examples.items():
            assert torch.equal(seen.kept[task] | unseen.kept[task], fold.kept[task])
            assert not (seen.kept[task] & unseen.kept[task]).any()
            bases = [set(mine.base[part.kept[task]].tolist()) for part in (seen, unseen)]
            assert all(bases)
            assert bases[0].isdisjoint(bases[1])
            assert bases[1].isdisjoint(mine.base[fold.rows[task]].tolist())
            for part in (seen, unseen):
                picked = part.kept[task][fold.kept[task]]
                assert torch.equal(part.trained[task], fold.trained[task][picked])
                assert torch.equal(part.label[task], fold.label[task][picked])
                assert torch.equal(part.weight[task], fold.weight[task][picked])


def test_asymmetry_is_antisymmetric(erased: xr.Dataset) -> None:
    values = erased["asymmetry"].sel(eraser="leace", reading="refitted").values
    np.testing.assert_allclose(values, -values.T, atol=1e-12)


def test_nothing_planted_draws_no_edge(write_study: Write) -> None:
    edges = 0
    for seed in range(3):
        data = write_study(Planted(tasks=FIVE, squares=48, seed=seed, **FEW_CELLS))
        found = ablation(data, fit_probes(data, general=False, controls=False), erasers=("leace",)).sel(kind="contrast")
        edges += int((found["q_value"] < 0.05).sum())
    assert edges <= 2


def test_without_rows_nothing_is_made_up(write_study: Write) -> None:
    data = write_study(Planted(strong, tasks=("include", "topic"), squares={"include": 48, "topic": 3}))
    found = ablation(data, fit_probes(data))
    assert (found["n_tasks"] == 0).all()
    assert np.isnan(found["drop"]).all()
