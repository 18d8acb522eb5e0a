"""Curves and squares of time agree with each other, and a probe that only reads the prompt is not taken for a plan."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from tests.lenses.conftest import FEW_CELLS

from heedful.lenses import fit_probes, temporal
from heedful.planted import MECHANISMS, Size, World

SMALL = Size(hidden=40, squares=60, natural=200, n_bases=40, strength=3.0)


def seen(name: str, *, square: bool = False) -> xr.Dataset:
    data = World(MECHANISMS[name], SMALL, 2).draw("time", 2)
    return temporal(data, fit_probes(data, general=False, controls=False), square=square)


@pytest.fixture(scope="module")
def planned() -> xr.Dataset:
    return seen("planning", square=True)


def test_the_probe_of_the_end_is_the_last_row_of_the_square(planned: xr.Dataset) -> None:
    matrix = planned["matrix"].sel(train="eos").rename(test="position").transpose(*planned["from_end"].dims)
    np.testing.assert_array_equal(matrix.values, planned["from_end"].values)
    end = planned["auroc"].sel(position="eos")
    own = planned["matrix"].sel(train="eos", test="eos")
    # The study of one site leaves nothing to choose, so the probes are the same, but for what they converge to.
    np.testing.assert_allclose(own.values, end.values, atol=0.02)


def test_contrast_labels_rise_with_the_text_and_are_chance_before_it(planned: xr.Dataset) -> None:
    contrast = planned.sel(kind="contrast")
    np.testing.assert_allclose(contrast["auroc"].sel(position="prompt[-1]").values, 0.5, atol=1e-9)
    mean = contrast["auroc"].mean("task").values
    assert (np.diff(mean[1:]) > 0).all()
    assert float(contrast["rise_low"]) > 0.2
    assert np.isnan(contrast["planning"])
    assert np.isnan(contrast["prefix"]).all()


def test_a_plan_is_beyond_the_words_and_a_wording_is_not(planned: xr.Dataset) -> None:
    assert float(planned["planning_low"].sel(kind="natural")) > 0.2
    read = seen("prompt-reading").sel(kind="natural")
    assert float(read["auroc"].sel(position="prompt[-1]").mean()) > 0.6  # the prompt is read indeed
    assert float(read["planning_high"]) < 0.1
    assert float(read["prefix"].sel(position="prompt[-1]").mean()) > 0.7


def test_a_plan_is_found_where_the_words_tell_much() -> None:
    both = seen("planning-and-reading").sel(kind="natural")
    assert float(both["prefix"].sel(position="prompt[-1]").mean()) > 0.65
    assert float(both["planning_low"]) > 0.1
    assert int(both["n_planning"]) == 9


def test_tasks_whose_outcome_cannot_be_told_even_at_the_end_say_nothing_of_planning() -> None:
    data = World(MECHANISMS["nothing"], SMALL, 3).draw("time", 3)
    found = temporal(data, fit_probes(data, general=False, controls=False), square=False).sel(kind="natural")
    assert int(found["n_planning"]) <= 2
    assert int(found["with_words"].notnull().sum()) == 9  # it was asked of all


def test_bounds_hold_their_estimates(planned: xr.Dataset) -> None:
    for name in ("auroc", "from_end", "matrix", "prefix", "beyond_prefix", "planning", "monitoring", "rise", "peak"):
        known = planned[name].notnull()
        assert bool(((planned[f"{name}_low"] <= planned[name]) | ~known).all())
        assert bool(((planned[name] <= planned[f"{name}_high"]) | ~known).all())


@pytest.mark.parametrize(
    "asked",
    [
        [{"id": "lexical/include", "terms": ["I"]}, {"id": "lexical/exclude", "terms": ["I"]}],
        [{"id": "house/ends", "mark": "!"}, {"id": "house/ends", "mark": "?"}],
    ],
)
def test_what_is_asked_is_among_the_words_whatever_tells_its_constraints_apart(
    study: Any, planted: Any, asked: list[dict[str, Any]]
) -> None:
    def edit(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
        for one in rows:
            one["constraint"] = json.dumps(asked[one["label"] == 1])

    own = study(planted(natural=200, squares=30, tasks=("word_count", "json"), **FEW_CELLS, edit=edit), controls=False)
    prefix = temporal(own.data, own.fits, square=False)["prefix"].sel(kind="natural", position="prompt[-1]")
    assert (prefix > 0.99).all()
