"""What the probes read without the instruction: all of it where nothing changed, nothing where the states are others'."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.lenses.conftest import Planted
from torch import Tensor

from heedful.lenses import StudyData, fit_probes, specificity
from heedful.lenses.specificity import excess_over, readable_tasks
from heedful.probes import combine
from heedful.store import read_results, write_results

Write = Callable[..., StudyData]
THREE = ("word_count", "include", "topic")


def strong(task: str, site: int, position: int) -> float:
    return 0.0 if site == 0 else 1.2


def same(rows: list[dict[str, Any]], index: Tensor) -> None:
    for row in rows:
        row["bare_id"] = row["row_id"] if row["kind"] in ("contrast", "natural") else None


def others(rows: list[dict[str, Any]], index: Tensor) -> None:
    neutral = [row["row_id"] for row in rows if row["kind"] == "reference"]
    for i, row in enumerate(rows):
        row["bare_id"] = neutral[i % len(neutral)] if row["kind"] in ("contrast", "natural") else None


def test_nothing_is_lost_where_nothing_changed(write_study: Write) -> None:
    data = write_study(Planted(strong, tasks=THREE, natural=160, edit=same))
    found = specificity(data, fit_probes(data, general=False, controls=False))
    np.testing.assert_allclose(found["auroc_with"], found["auroc_without"])
    assert float(found["auroc_with"].min()) > 0.8
    assert abs(float(found["specificity"].sel(kind="natural"))) < 1e-9
    np.testing.assert_allclose(found["energy_ratio"], 1.0)
    assert np.isnan(found["specificity"].sel(kind="contrast"))


def test_all_is_lost_where_the_trace_is_gone(write_study: Write) -> None:
    data = write_study(Planted(strong, tasks=THREE, natural=160, edit=others))
    found = specificity(data, fit_probes(data, general=False, controls=False)).sel(kind="natural")
    assert float(found["specificity"]) > 0.8
    assert float(found["specificity_low"]) < float(found["specificity"]) < float(found["specificity_high"])
    assert (found["energy_with"] > found["energy_without"]).all()
    np.testing.assert_allclose(found["energy_random"], 3 / 24)


def test_rows_without_a_bare_twin_leave_it_open(write_study: Write) -> None:
    data = write_study(Planted(strong, tasks=THREE, natural=160))
    found = specificity(data, fit_probes(data, general=False, controls=False))
    assert np.isnan(found["auroc_with"]).all()
    assert (found["n_rows"] == 0).all()


def test_a_task_with_too_few_such_rows_is_left_out_alone(write_study: Write) -> None:
    def but_topic(rows: list[dict[str, Any]], index: Tensor) -> None:
        same([row for row in rows if row["task"] != "topic"], index)

    data = write_study(Planted(strong, tasks=THREE, natural=160, edit=but_topic))
    found = specificity(data, fit_probes(data, general=False, controls=False))
    assert np.isnan(found["auroc_with"].sel(task="topic")).all()
    assert (found["n_rows"].sel(task="topic") == 0).all()
    assert float(found["auroc_with"].sel(task=["word_count", "include"]).min()) > 0.8
    assert abs(float(found["specificity"].sel(kind="natural"))) < 1e-9
    np.testing.assert_allclose(found["energy_random"], 2 / 24)


def test_what_is_kept_gives_the_share_over_any_of_the_tasks(write_study: Write, tmp_path: Path) -> None:
    data = write_study(Planted(strong, tasks=THREE, natural=160, edit=others))
    found = read_results(
        write_results(tmp_path / "s.nc", specificity(data, fit_probes(data, general=False, controls=False)))
    )
    here = found.sel(kind="natural")
    assert readable_tasks(found) == [*THREE]
    again = combine(lambda excess: 1 - excess[1].sum(0) / excess[0].sum(0), excess_over(found, THREE)).interval()
    assert [float(again.low), float(again.estimate), float(again.high)] == pytest.approx(
        [float(here[f"specificity{end}"]) for end in ("_low", "", "_high")]
    )
    two = excess_over(found, ["topic", "include"])
    expected = [here[f"auroc_{name}"].sel(task=["topic", "include"]).values - 0.5 for name in ("with", "without")]
    np.testing.assert_allclose(two.estimate, expected)
