"""By a study's dependencies: what disturbs the others most is mended first, and what was not measured comes last."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from heedful.constraints import Include, WordCount
from heedful.control.guard import Guard
from heedful.control.policies.order import order_from_study
from heedful.errors import InputError
from heedful.store import write_results

from .conftest import Scripted

TASKS = ("word_count", "include", "register", "toxicity")


def study(folder: Path, change: np.ndarray, how: tuple[str, ...] = ("leace",)) -> str:
    """A study's compliance under erasure, [erased, target]; the controls beside it say the contrary."""
    both = np.stack([change, -change])[None, None][: len(how)]
    dims = ("how", "where", "variant", "erased", "target")
    coords = {
        "how": list(how),
        "where": ["chosen"],
        "variant": ["erased", "permuted"],
        "erased": [*TASKS],
        "target": [*TASKS],
    }
    (folder / "results").mkdir(parents=True, exist_ok=True)
    write_results(folder / "results" / "behaviour.nc", xr.Dataset({"change": (dims, both)}, coords))
    return str(folder)


@settings(max_examples=30)
@given(st.permutations(range(len(TASKS))), st.floats(-1, 1))
def test_first_is_what_costs_the_others_most_whatever_it_costs_itself(
    tmp_path_factory: pytest.TempPathFactory, places: list[int], itself: float
) -> None:
    change = np.array([[itself if a == b else -0.1 * places[a] for b in range(len(TASKS))] for a in range(len(TASKS))])
    expected = sorted(TASKS, key=lambda task: -places[TASKS.index(task)])
    assert order_from_study(study(tmp_path_factory.mktemp("study"), change)) == tuple(expected)


def test_what_was_not_measured_is_left_out(tmp_path: Path) -> None:
    change = np.full((4, 4), -0.1)
    change[1], change[0, 2] = np.nan, np.nan
    change[2], change[3] = -0.3, -0.05
    assert order_from_study(study(tmp_path, change)) == ("register", "word_count", "toxicity")


def test_revisions_are_asked_for_in_that_order(tmp_path: Path) -> None:
    for first, second in (("word_count", "include"), ("include", "word_count")):
        change = np.zeros((4, 4))
        change[TASKS.index(first)], change[TASKS.index(second)] = -0.5, -0.2
        folder = study(tmp_path / first, change)
        constraints = [WordCount(at_most=2), Include(terms="night")]
        result = Guard(Scripted("What a fine day"), constraints, f"decompose:study={folder},rounds=2").generate(
            "Say it."
        )
        asked = [attempt.what.rpartition("/")[2] for attempt in result.attempts[1:]]
        assert asked == [first, second]


def test_a_study_that_measured_none_of_it_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has no results/behaviour\.nc"):
        order_from_study(tmp_path)
    with pytest.raises(InputError, match="erased nothing while the model wrote"):
        order_from_study(study(tmp_path, np.zeros((4, 4)), how=()))
