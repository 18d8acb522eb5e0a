"""One mechanism at two depths is found through a map that a shared cell would miss; two mechanisms are not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from tests.lenses.conftest import Planted

from heedful.lenses import StudyData, fit_probes
from heedful.lenses.mapped import MAPPINGS, mapped
from heedful.lenses.transfer import transfer

Write = Callable[..., StudyData]
FOUR = ("topic", "sentiment", "include", "toxicity")
EARLY = ("topic", "include")


def at_two_depths(task: str, site: int, position: int) -> float:
    """Two tasks at one site alone, two at the next alone."""
    return 1.5 if site == (1 if task in EARLY else 2) else 0.0


@pytest.fixture(scope="module")
def lens(write_study: Write) -> xr.Dataset:
    # Topic and sentiment lie along one direction, each at a site of its own.
    along = {"sentiment": "topic"}
    data = write_study(Planted(at_two_depths, tasks=FOUR, squares=60, axis=lambda task: (along.get(task, task), 1.0)))
    fits = fit_probes(data, general=False, controls=False)
    found = mapped(data, fits)
    found.attrs["shared"] = float(
        transfer(data, fits)["auroc"].sel(kind="contrast", source="topic", target="sentiment")
    )
    return found


def test_best_sites_are_those_where_tasks_were_planted(lens: xr.Dataset) -> None:
    sites = dict(zip(lens["task"].values, lens["best_site"].sel(kind="contrast").values, strict=True))
    assert sites == {task: "block.0.out" if task in EARLY else "block.1.out" for task in FOUR}


def test_one_direction_at_two_depths_transfers_between_best_sites(lens: xr.Dataset) -> None:
    here = lens.sel(kind="contrast")
    assert lens.attrs["shared"] < 0.7
    for pair in (("topic", "sentiment"), ("sentiment", "topic")):
        values = here["auroc"].sel(source=pair[0], target=pair[1])
        assert float(values.sel(mapping="none")) > 0.85
        assert float(here["q_value"].sel(mapping="none", source=pair[0], target=pair[1])) < 0.05


def test_without_one_there_is_nothing_to_find_by_any_map(lens: xr.Dataset) -> None:
    here = lens.sel(kind="contrast")["auroc"]
    for a in FOUR:
        for b in FOUR:
            if a != b and {a, b} != {"topic", "sentiment"}:
                assert (abs(here.sel(source=a, target=b) - 0.5) < 0.3).all(), (a, b)


def test_the_diagonal_is_the_specialist_whatever_the_map(lens: xr.Dataset) -> None:
    here = lens.sel(kind="contrast")["auroc"]
    for task in FOUR:
        own = here.sel(source=task, target=task).values
        assert len(set(own)) == 1
        assert own[0] > 0.85
    assert float(lens["pwcca"].sel(kind="contrast", source="topic", target="topic")) == 1.0


def test_intervals_hold_their_estimates_and_maps_are_named(lens: xr.Dataset) -> None:
    here = lens.sel(kind="contrast")
    assert tuple(lens["mapping"].values) == MAPPINGS
    assert bool((here["auroc_low"] <= here["auroc"]).all())
    assert bool((here["auroc"] <= here["auroc_high"]).all())
    assert int(lens["n_tasks"].sel(kind="natural")) == 0
    assert np.isnan(lens["auroc"].sel(kind="natural")).all()


def test_a_map_carries_what_both_cells_hold(write_study: Write) -> None:
    """Sentiment is read best at the later site, and leaves a weaker trace where topic's probe stands, the right way round."""

    def trace(task: str, site: int, position: int) -> float:
        if task == "sentiment":
            return (0.0, 0.9, 1.8)[site]
        return 1.5 if site == 1 else 0.0

    along = {"sentiment": "topic"}
    data = write_study(Planted(trace, tasks=FOUR, squares=60, axis=lambda task: (along.get(task, task), 1.0)))
    here = mapped(data, fit_probes(data, general=False, controls=False)).sel(
        kind="contrast", source="topic", target="sentiment"
    )
    assert float(here["auroc"].sel(mapping="ridge")) > 0.8
    assert float(here["q_value"].sel(mapping="ridge")) < 0.05
