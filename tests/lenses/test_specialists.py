"""The lens finds what was planted, and nothing where nothing was."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from tests.lenses.conftest import FEW_CELLS

from heedful.lenses import PROBES, StudyData, specialists
from heedful.lenses.cells import candidates, nested_cells
from heedful.lenses.fits import fit_probes
from heedful.probes import auroc, combine
from heedful.store import read_results, write_results

Make = Callable[..., Any]


@pytest.fixture(scope="module")
def independent(study: Make, planted: Any) -> xr.Dataset:
    """A direction of its own for each task, at the last two sites and after the prompt."""
    made = study(planted(strength=lambda task, s, p: 1.5 * (s > 0), natural=160))
    return specialists(made.data, made.fits)


@pytest.fixture(scope="module")
def made_of_nothing(study: Make, planted: Any) -> Any:
    return study(planted(natural=160, seed=3))


@pytest.fixture(scope="module")
def nothing(made_of_nothing: Any) -> xr.Dataset:
    return specialists(made_of_nothing.data, made_of_nothing.fits)


def test_independent_directions_are_the_specialists_own(independent: xr.Dataset) -> None:
    at = independent.sel(kind="contrast", site="block.1.out", position="eos")
    assert (at.auroc.sel(probe="specialist") > 0.9).all()
    assert (at.auroc.sel(probe="held_out") < 0.75).all()
    assert (at.gap_low > 0).all()
    assert (at.gap_held_out_low > at.gap_low).all()
    np.testing.assert_allclose(
        at.gap, at.auroc.sel(probe="specialist") - at.auroc.sel(probe="general_each"), atol=1e-12
    )


def test_a_shared_direction_leaves_no_gap(study: Make, planted: Any) -> None:
    made = study(planted(strength=lambda task, s, p: 1.5, shared=True, **FEW_CELLS))
    result = specialists(made.data, made.fits)
    at = result.sel(kind="contrast", site="block.0.out", position="eos")
    assert (at.auroc > 0.85).all()
    assert (abs(at.gap) < 0.04).all()
    assert (abs(at.gap_held_out) < 0.04).all()
    assert (at.gap_low < 0.01).all()


def test_nothing_planted_is_nothing_found(nothing: xr.Dataset) -> None:
    best = nothing.sel(probe="specialist")
    covered = (best.best_low < 0.5) & (best.best_high > 0.5)
    assert covered.mean() >= 7 / 8
    assert (nothing.p_value > 0.01).all()
    assert (nothing.p_value > 0.2).any()
    assert abs(float(nothing.null_mean.mean()) - 0.5) < 0.02
    cells = nothing.auroc.where(~nothing.leak_check)
    assert abs(float(cells.mean()) - 0.5) < 0.02


def test_a_planted_signal_has_the_smallest_p_value(independent: xr.Dataset) -> None:
    np.testing.assert_allclose(independent.p_value.sel(kind="contrast"), 1 / 200)
    assert (independent.null_high < independent.best_auroc.sel(probe="specialist")).all()


def test_the_best_cell_is_where_the_signal_is(independent: xr.Dataset) -> None:
    best = independent.sel(kind="contrast")
    assert np.isin(best.best_site, ["block.0.out", "block.1.out"]).all()
    assert np.isin(best.best_position, ["response[7]", "eos"]).all()
    assert (best.best_auroc.sel(probe="specialist") > 0.9).all()
    assert (best.best_balanced_accuracy.sel(probe="specialist") > 0.8).all()


def test_before_the_response_a_square_tells_nothing(independent: xr.Dataset) -> None:
    assert independent.leak_check.sel(kind="contrast").values.tolist() == [True, False, False]
    assert not independent.leak_check.sel(kind="natural").any()
    before = independent.sel(kind="contrast", position="prompt[-1]")
    assert (abs(before.auroc - 0.5) < 0.12).all()


def test_natural_labels_may_be_read_before_the_response(independent: xr.Dataset) -> None:
    before = independent.sel(kind="natural", position="prompt[-1]", site="block.1.out", probe="specialist")
    assert (before.auroc_low > 0.5).all()


def test_control_tasks_stand_beside_and_say_what_they_are(independent: xr.Dataset) -> None:
    at = independent.sel(kind="contrast", site="block.1.out", position="eos")
    np.testing.assert_allclose(at.selectivity, at.auroc.sel(probe="specialist") - at.control)
    assert (at.selectivity > 0.2).all()
    assert (independent.control_recurrence > 0.9).all()
    assert set(independent.control_types.values.flat) == {"constraint × length quartile"}


def test_what_stands_beside_the_best_auroc_is_of_the_same_nested_cells(
    made_of_nothing: Any, nothing: xr.Dataset
) -> None:
    made, found = made_of_nothing, nothing
    best = found.best_auroc
    np.testing.assert_allclose(found.best_gap, best.sel(probe="specialist") - best.sel(probe="general_each"))
    np.testing.assert_allclose(found.best_selectivity, best.sel(probe="specialist") - found.best_control)
    assert (found.best_gap_low < found.best_gap).all()
    assert (found.best_selectivity_low < found.best_selectivity).all()
    for t, task in enumerate(made.data.tasks):
        f = made.fits.tasks["contrast", task]
        able = candidates(made.data, f, "contrast")
        rows, labels = f.examples.take(able.rows), f.controls.labels[:, able.rows]
        known = ~rows.held_out
        by_fold = []
        for fold, (site, position) in enumerate(nested_cells(f, able).cells):
            here = known & (rows.fold == fold)
            scores = f.control_scores[:, site, position, able.rows][:, here]
            by_fold.append(auroc(scores, labels[:, here]).mean())
        assert float(found.best_control[0, t]) == pytest.approx(float(torch.stack(by_fold).mean()))
        nested = nested_cells(f, able)
        noise, parts = f.noise_at(nested.cells), [made.data.auroc(scores, rows) for scores in nested.scores[:2]]
        gap = combine(torch.sub, parts[0].cross_fitted(noise[0]), parts[1].cross_fitted(noise[1] / 4)).interval()
        assert float(found.best_gap_low[0, t]) == pytest.approx(float(gap.low))


def test_what_no_row_of_a_task_taught_is_not_widened_for_it(made_of_nothing: Any, nothing: xr.Dataset) -> None:
    data, f = made_of_nothing.data, made_of_nothing.fits.tasks["contrast", "topic"]
    found = nothing.sel(kind="contrast", task="topic", position="eos")
    p = data.positions.index("eos")
    for probe, own in (("specialist", 1.0), ("general_each", 1 / 4), ("held_out", 0.0)):
        i = PROBES.index(probe)
        plain = data.auroc(f.scores[i, :, p, f.valid[p]], f.examples.take(f.valid[p]))
        wide = plain.cross_fitted(own * f.noise[i, :, p]).interval(0.95, "logit")
        np.testing.assert_allclose(found.auroc_low.sel(probe=probe), wide.low)
        assert bool((f.noise[i, :, p] > 0.3).all())  # so that it matters


def unique_constraints(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
    for i, row in enumerate(rows):
        row["constraint"] = f'{{"id": "lexical/include", "terms": ["w{i}"]}}'


def test_constraints_that_never_recur_make_coarser_control_types(study: Make, planted: Any) -> None:
    made = study(planted(tasks=("topic",), edit=unique_constraints))
    result = specialists(made.data, made.fits).sel(kind="contrast", task="topic")
    assert result.control_types == "form × template × length quartile"
    assert result.control_recurrence > 0.9


def test_coarser_control_types_tell_sorts_of_constraints_apart(study: Make, planted: Any) -> None:
    def edit(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
        for i, row in enumerate(rows):
            row["constraint"] = f'{{"id": "lexical/{("include", "exclude")[row["label"] == 1]}", "terms": ["w{i}"]}}'
            row["template_id"], row["n_words"] = "one", 9

    f = study(planted(tasks=("topic",), edit=edit, **FEW_CELLS)).fits.tasks["contrast", "topic"]
    for labels in f.controls.labels:  # two types only, and each has a label of its own
        assert bool((labels == f.examples.label).all()) or bool((labels != f.examples.label).all())


def test_rows_of_one_type_have_no_control_task_and_are_read_all_the_same(study: Make, planted: Any) -> None:
    def edit(rows: list[dict[str, Any]], index: torch.Tensor) -> None:  # as answers of one word each
        for row in rows:
            row["constraint"], row["n_words"] = '{"id": "house/yes"}', 1

    of_both = planted(tasks=("topic", "json"), strength=lambda *_: 2.0, edit=edit, natural=120, **FEW_CELLS)
    made = study(of_both)
    for kind in ("contrast", "natural"):
        result = specialists(made.data, made.fits).sel(kind=kind, task="topic")
        assert result.control_types == "none: all rows are of one type"
        assert float(result.best_low.sel(probe="specialist")) > 0.8
        assert np.isnan(result.best_selectivity)


def test_a_task_with_too_few_rows_is_listed_and_nothing_else(study: Make, planted: Any) -> None:
    squares = {"word_count": 48, "include": 24, "topic": 48, "register": 48}
    made = study(planted(strength=lambda task, s, p: 1.5, squares=squares, natural=60, **FEW_CELLS))
    result = specialists(made.data, made.fits)
    contrast = result.sel(kind="contrast")
    assert contrast.too_few.values.tolist() == [False, True, False, False]
    assert contrast.n_rows.values.tolist() == [192, 96, 192, 192]
    assert contrast.n_positive.values.tolist() == [96, 48, 96, 96]
    for name in ("auroc", "gap", "best_auroc", "p_value", "selectivity"):
        missing = contrast[name].isnull()
        assert missing.sel(task="include").all(), name
        assert not missing.drop_sel(task="include").any(), name
    assert result.sel(kind="natural").too_few.all()  # 60 rows cannot hold 50 of each class
    assert result.sel(kind="natural").n_rows.values.tolist() == [60] * 4


def short_responses(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
    index[1, [i for i, row in enumerate(rows) if row["task"] == "topic"][: 4 * 24]] = -1


def test_positions_that_some_rows_lack_have_fewer_rows_and_are_never_best(study: Make, planted: Any) -> None:
    made = study(
        planted(strength=lambda task, s, p: 3.0 if p == 1 else 0.5, edit=short_responses, sites=FEW_CELLS["sites"])
    )
    result = specialists(made.data, made.fits).sel(kind="contrast", probe="specialist")
    assert result.auroc.sel(position="response[7]", task="topic").isnull().all()  # 24 squares are left
    assert result.best_position.sel(task="topic") == "eos"
    assert (result.best_position.drop_sel(task="topic") == "response[7]").all()


def test_quantiles_of_the_response_are_described_and_never_chosen(study: Make, planted: Any) -> None:
    made = study(
        planted(
            strength=lambda task, s, p: 3.0 if p == 1 else 0.5,
            sites=FEW_CELLS["sites"],
            positions=("prompt[-1]", "response[50%]", "eos"),
        )
    )
    result = specialists(made.data, made.fits).sel(kind="contrast", probe="specialist")
    assert (result.auroc.sel(position="response[50%]") > 0.95).all()
    assert (result.best_position == "eos").all()


def test_one_task_alone_has_no_general_probe(study: Make, planted: Any) -> None:
    made = study(planted(tasks=("topic",), strength=lambda task, s, p: 1.5))
    result = specialists(made.data, made.fits).sel(kind="contrast")
    assert result.auroc.sel(probe="specialist").notnull().all()
    assert result.auroc.sel(probe=list(PROBES[1:])).isnull().all()
    assert result.best_auroc.sel(probe=list(PROBES[1:])).isnull().all()
    assert result.gap.isnull().all()


def test_held_out_templates_are_scored_and_never_trained_on(write_study: Make, planted: Any) -> None:
    """Labels of held-out rows decide nothing: turning them round leaves all scores as they are."""

    def turn(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
        for row in rows:
            if row["held_out"] and row["label"] in (0, 1):
                row["label"] = 1 - row["label"]

    plain: dict[str, Any] = {"strength": lambda task, s, p: 1.0, "tasks": ("word_count", "topic"), **FEW_CELLS}
    straight, turned = (
        fit_probes(write_study(planted(**plain, **more)), controls=False) for more in ({}, {"edit": turn})
    )
    for key, f in straight.tasks.items():
        assert f.examples.held_out.any()
        assert torch.equal(f.scores.nan_to_num(-9), turned.tasks[key].scores.nan_to_num(-9))


def test_the_held_out_general_probe_never_sees_the_task(
    write_study: Make, planted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a fixed C, turning the labels of one task round changes every probe but the one without it."""
    monkeypatch.setattr("heedful.lenses.fits.GRID", (0.01,))

    def turn(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
        for row in rows:
            if row["task"] == "topic":
                row["label"] = 1 - row["label"]

    plain: dict[str, Any] = {
        "strength": lambda task, s, p: 1.0,
        "tasks": ("word_count", "include", "topic"),
        **FEW_CELLS,
    }
    data = [write_study(planted(**plain, **more)) for more in ({}, {"edit": turn})]
    a, b = (fit_probes(one, controls=False).tasks["contrast", "topic"].scores for one in data)
    moved = (a - b).abs().amax((1, 2, 3))
    assert bool((moved[:3] > 0.05).all())
    assert float(moved[3]) < 1e-4


def test_the_result_survives_the_disk_and_names_its_variables(independent: xr.Dataset, tmp_path: Path) -> None:
    write_results(tmp_path / "specialists.nc", independent)
    back = read_results(tmp_path / "specialists.nc")
    xr.testing.assert_identical(back, independent)
    for name, values in back.data_vars.items():
        assert values.attrs["long_name"], name
    assert back.family.values.tolist() == ["structural", "lexical", "semantic", "stylistic"]
    assert back.relative_depth.values.tolist() == [0, 0.5, 1]
    assert back.attrs["not_converged"] == 0


def test_progress_counts_to_its_end(write_study: Callable[..., StudyData], planted: Any) -> None:
    told: list[tuple[str, int, int]] = []
    fit_probes(write_study(planted(tasks=("topic",), squares=25)), lambda *step: told.append(step))
    assert [done for _, done, _ in told] == list(range(1, 7))
    assert {total for *_, total in told} == {6}
    assert told[-1][0] == "natural labels, eos"
