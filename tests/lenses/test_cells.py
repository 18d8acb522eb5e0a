"""The cell that all tasks share is chosen where it may be, whatever a task lacks."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from tests.lenses.conftest import Planted

from heedful.lenses import StudyData, fit_probes, temporal
from heedful.lenses.cells import shared_cells, shared_folds
from heedful.lenses.mapped import mapped
from heedful.store import Table


def late(task: str, site: int, position: int) -> float:
    return 1.5 if site == 2 else 0.0


@pytest.fixture(scope="module", params=[0, 3])
def gap(request: pytest.FixtureRequest, write_study: Callable[..., StudyData]) -> StudyData:
    """A study in one of whose folds, the first or the last, a task has no rows."""
    whole = write_study(Planted(late, tasks=("word_count", "include", "topic"), squares=60))
    missing = {
        int(base) for base, fold in zip(whole.bases, whole.fold_of(whole.bases), strict=True) if fold == request.param
    }
    kept = [row for row in whole.rows.rows() if not (row["task"] == "topic" and int(row["base_id"]) in missing)]
    table = Table({name: [row[name] for row in kept] for name in whole.rows.columns}, whole.rows.metadata)
    return StudyData(table, whole.activations, n_folds=4)


def test_a_task_without_rows_in_a_fold_does_not_send_all_to_the_first_cell(gap: StudyData) -> None:
    fits = fit_probes(gap, general=False, controls=False)
    shared = shared_cells(gap, fits, "contrast")
    assert shared is not None
    assert {site for site, _ in shared.cells} == {2}
    assert all(torch.tensor([*fold.C.values()]).isfinite().all() for fold in shared_folds(gap, shared))
    elsewhere = shared_cells(gap, fits, "contrast", sites=("block.0.out",))
    assert elsewhere is not None
    assert {site for site, _ in elsewhere.cells} == {1}
    own = mapped(gap, fits)["auroc"].sel(kind="contrast", mapping="none").values.diagonal()
    assert (own > 0.8).all()
    assert temporal(gap, fits)["from_end"].sel(kind="contrast", position="eos").notnull().all()
    fits.tasks["contrast", "topic"].inner_auroc[..., 1] = torch.nan  # a fold of which its inner folds tell nothing
    again = shared_cells(gap, fits, "contrast")
    assert again is not None
    assert {site for site, _ in again.cells} == {2}
