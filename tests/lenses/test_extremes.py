"""The rows at both ends of the scores are those that brute force finds, and are placed as AUROC places them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from heedful.lenses import extremes, specialists
from heedful.lenses.extremes import _placement
from heedful.probes import auroc

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def made(study: Make, planted: Any) -> Any:
    return study(
        planted(
            strength=lambda task, s, p: 0.6 * (s > 0),
            natural={"word_count": 160, "include": 40},
            tasks=("word_count", "include"),
        ),
        controls=False,
    )


@pytest.fixture(scope="module")
def found(made: Any) -> xr.Dataset:
    return extremes(made.data, made.fits)


def test_the_mean_placement_of_complying_rows_is_the_auroc_of_their_fold(made: Any) -> None:
    f = made.fits.tasks["contrast", "word_count"]
    scores, label = f.scores[0, -1, -1], f.examples.label
    for fold in range(made.data.n_folds):
        here = f.examples.fold == fold
        placed = [_placement(f, scores, i) for i in (here & (label == 1)).nonzero().squeeze(-1).tolist()]
        assert float(torch.stack(placed).mean()) == pytest.approx(float(auroc(scores[here].double(), label[here])))


def test_rows_are_of_their_class_and_of_different_base_prompts(made: Any, found: xr.Dataset) -> None:
    rows = {row["row_id"]: row for row in made.data.rows.rows()}
    for kind, task in (("contrast", "word_count"), ("contrast", "include"), ("natural", "word_count")):
        for label, number in (("violates", 0), ("complies", 1)):
            for end in ("highest", "lowest"):
                shown = [rows[str(i)] for i in found["row_id"].sel(kind=kind, task=task, label=label, end=end).values]
                assert {(row["kind"], row["task"], row["label"]) for row in shown} == {(kind, task, number)}
                assert len({row["base_id"] for row in shown}) == 2


def test_no_row_of_the_class_stands_beyond_those_shown(made: Any, found: xr.Dataset) -> None:
    f = made.fits.tasks["contrast", "word_count"]
    ids = [made.data.rows["row_id"][i] for i in f.examples.row.tolist()]
    here = found.sel(kind="contrast", task="word_count")
    cell_of = {}  # fold → its cell, as the shown rows tell it
    for row, site, position in zip(
        *(here[name].values.ravel() for name in ("row_id", "of_site", "of_position")), strict=True
    ):
        fold = int(f.examples.fold[ids.index(str(row))])
        cell_of[fold] = (made.data.sites.index(str(site)), made.data.positions.index(str(position)))
    for label, name in ((0, "violates"), (1, "complies")):
        mine = [i for i in range(len(ids)) if int(f.examples.label[i]) == label and int(f.examples.fold[i]) in cell_of]
        placed = [float(_placement(f, f.scores[(0, *cell_of[int(f.examples.fold[i])])], i)) for i in mine]
        shown = here["placement"].sel(label=name)
        assert float(shown.sel(end="highest", rank=0)) == pytest.approx(max(placed))
        assert float(shown.sel(end="lowest", rank=0)) == pytest.approx(min(placed))
        assert float(shown.sel(end="highest", rank=0)) >= float(shown.sel(end="highest", rank=1))


def test_places_at_the_chosen_cell_agree_along_both_axes(found: xr.Dataset) -> None:
    for at in np.argwhere(found["row_id"].values != ""):
        one = found.isel(dict(zip(found["row_id"].dims, at.tolist(), strict=True)))
        here = float(one["placement"])
        assert float(one["by_site"].sel(site=str(one["of_site"].item()))) == here
        assert float(one["by_position"].sel(position=str(one["of_position"].item()))) == here


def test_a_task_with_too_few_rows_shows_none(made: Any, found: xr.Dataset) -> None:
    few = found.sel(kind="natural", task="include")
    assert bool(specialists(made.data, made.fits, n_permutations=0)["too_few"].sel(kind="natural", task="include"))
    assert (few["row_id"] == "").all()
    assert few["placement"].isnull().all()


def test_a_trace_that_is_strong_sets_the_classes_apart(study: Make, planted: Any) -> None:
    strong = study(planted(strength=lambda task, s, p: 4.0, tasks=("topic",)), controls=False)
    here = extremes(strong.data, strong.fits).sel(kind="contrast", task="topic")["placement"]
    assert (here.sel(label="complies", end="highest") == 1).all()
    assert (here.sel(label="violates", end="lowest") == 0).all()
    assert (here.sel(label="complies", end="lowest") > 0.5).all()
