"""Beside the specialists: a signal that length made is gone without length, one that it did not make stays; random states tell
nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr

from heedful.errors import InputError
from heedful.lenses import StudyData, extras, fit_probes, specialists
from heedful.lenses.extras import READINGS

TASKS = ("topic", "include")


def by_length(rows: list[dict[str, Any]], index: torch.Tensor) -> None:
    """Of 'topic', what complies is short: its label's trace is one of length. Of 'include', length says nothing."""
    for row in rows:
        if row["kind"] == "natural" and row["task"] == "topic":
            n = 8 if row["label"] else 30
            row["response_text"], row["response_ids"], row["n_words"] = "word " * n, [2] * n, n


def sure_of_success(rows: list[dict[str, Any]]) -> torch.Tensor:
    """Of 'include', the model is sure where it complies."""
    noise = torch.rand(len(rows), generator=torch.Generator().manual_seed(1)) / 100
    sure = torch.tensor([0.5 + 0.4 * (row["label"] == 1) * (row["task"] == "include") for row in rows])
    return sure + noise


class Found:
    def __init__(self, data: StudyData, twin: StudyData) -> None:
        self.data = data
        fits = fit_probes(data, general=False)
        self.specialists = specialists(data, fits, n_permutations=0)
        self.fits = fits
        self.extras = extras(data, twin, fits)

    def best(self, reading: str, task: str, kind: str = "natural") -> float:
        return float(self.extras.best_auroc.sel(reading=reading, task=task, kind=kind))


@pytest.fixture(scope="module")
def found(write_study: Callable[..., StudyData], planted: Any) -> Found:
    """Both tasks leave a trace of their label at the last two sites and the end; the twin's states are noise."""
    plan = {"tasks": TASKS, "natural": 200, "squares": 48, "edit": by_length, "sureness": sure_of_success}
    trained = planted(strength=lambda task, s, p: 1.5 * (s > 0) * (p == 2), **plan)
    return Found(write_study(trained), write_study(planted(**plan)))


def test_what_length_made_falls_to_chance_and_what_it_did_not_stays(found: Found) -> None:
    assert found.best("specialist", "topic") > 0.9
    assert abs(found.best("without length and format", "topic") - 0.5) < 0.1
    assert found.best("length and format", "topic") > 0.99
    assert found.best("without length and format", "include") > 0.9
    lead = found.extras.sel(reading="without length and format", kind="natural")
    assert float(lead.lead_low.sel(task="topic")) > 0.2
    assert abs(float(lead.lead.sel(task="include"))) < 0.05


def test_what_sureness_made_falls_to_chance(found: Found) -> None:
    assert found.best("max-softmax, mean", "include") > 0.99
    assert abs(found.best("without max-softmax and norm", "include") - 0.5) < 0.12
    assert found.best("without max-softmax and norm", "topic") > 0.9
    assert abs(found.best("max-softmax, mean", "topic") - 0.5) < 0.12


def test_random_states_tell_nothing(found: Found) -> None:
    at_random = found.extras.auroc.sel(reading="random weights")
    assert at_random.notnull().all()
    assert abs(float(at_random.mean()) - 0.5) < 0.03
    assert (abs(at_random - 0.5) < 0.15).all()
    assert (found.extras.lead_low.sel(reading="random weights") > 0.2).all()


def test_in_squares_neither_length_nor_format_can_tell(found: Found) -> None:
    squares = found.extras.sel(kind="contrast")
    assert (abs(squares.best_auroc.sel(reading="length and format") - 0.5) < 0.01).all()
    assert (squares.best_auroc.sel(reading="without length and format") > 0.9).all()


def test_the_specialist_is_the_specialist(found: Found) -> None:
    for kind in ("contrast", "natural"):
        for task in TASKS:
            here = {"kind": kind, "task": task}
            position = str(found.extras.position.sel(here).item())
            assert position == str(found.specialists.best_position.sel(here).item())
            theirs = found.specialists.sel(here | {"probe": "specialist", "position": position})
            ours = found.extras.sel(here | {"reading": "specialist"})
            for name in ("auroc", "auroc_low", "auroc_high"):
                np.testing.assert_allclose(ours[name], theirs[name], atol=2e-3)
    assert (found.extras.lead.sel(reading="specialist") == 0).all()
    intervals = found.extras.dropna("site", how="all")
    assert (intervals.best_auroc_low <= intervals.best_auroc).all()
    assert (intervals.best_auroc <= intervals.best_auroc_high).all()


def test_no_row_has_a_say_in_the_position_that_it_is_scored_at(
    write_study: Callable[..., StudyData], planted: Any
) -> None:
    """Of noise, folds choose this and that; what most of them chose would be better than chance."""
    data = write_study(planted(tasks=TASKS, natural=200, squares=48, seed=2))
    fits = fit_probes(data, general=False)
    nested, result = specialists(data, fits, n_permutations=0), extras(data, data, fits)
    folds = {tuple(one) for kind in result.fold_position.values for one in kind}
    assert any(len({*positions}) > 1 for positions in folds)
    np.testing.assert_array_equal(result.position, nested.best_position)
    for ours, theirs in (
        ("best_auroc", "best_auroc"),
        ("best_auroc_low", "best_low"),
        ("best_auroc_high", "best_high"),
    ):
        expected = nested[theirs].sel(probe="specialist")
        np.testing.assert_allclose(result[ours].sel(reading="specialist"), expected)
        # The same states in place of random weights' are read at the same positions.
        np.testing.assert_allclose(result[ours].sel(reading="random weights"), expected, atol=2e-3)


def test_a_lead_over_a_probe_of_other_states_is_no_surer_than_that_probe(found: Found) -> None:
    at_random = found.extras.sel(reading="random weights")
    assert (
        (at_random.lead_high - at_random.lead_low) > 0.9 * (at_random.best_auroc_high - at_random.best_auroc_low)
    ).all()


def test_only_readings_of_states_have_sites(found: Found) -> None:
    known = found.extras.auroc.notnull().all(("kind", "task", "site"))
    assert [str(r) for r in READINGS if bool(known.sel(reading=r))] == list(READINGS[:5])
    assert found.extras.best_auroc.notnull().all()


def test_what_was_not_read_is_nan(write_study: Callable[..., StudyData], planted: Any, found: Found) -> None:
    plan = {"tasks": TASKS, "natural": {"topic": 200, "include": 20}, "squares": 0}
    data = write_study(planted(strength=lambda task, s, p: 1.0, **plan))
    result: xr.Dataset = extras(data, None, fit_probes(data, general=False, controls=False)).sel(kind="natural")
    for reading in ("random weights", "max-softmax, mean", "without max-softmax and norm"):
        assert result.best_auroc.sel(reading=reading).isnull().all()
    assert float(result.best_auroc.sel(reading="without length and format", task="topic")) > 0.8
    assert result.best_auroc.sel(task="include").isnull().all()
    assert result.position.sel(task="include") == ""


def test_states_of_other_rows_are_refused(write_study: Callable[..., StudyData], planted: Any, found: Found) -> None:
    other = write_study(planted(tasks=TASKS, natural=150, squares=48))
    with pytest.raises(InputError, match=r"random weights are of other rows of include\n  → read them again"):
        extras(found.data, other, found.fits)
