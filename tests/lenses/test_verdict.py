"""Verdicts follow from intervals and margins alone, and are never given for want of tasks."""

from __future__ import annotations

import math

import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from heedful.lenses.verdict import CLAIMS, MIN_TASKS, PARTS, Estimate, decide, verdict


@given(st.floats(-1, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_a_part_is_decided_only_where_its_interval_clears_the_margin(value, below, above):
    for part in PARTS:
        found = Estimate(value, value - below, value + above, MIN_TASKS)
        outcome = part.judge(found)
        if outcome == "supported":
            assert (found.low > part.margin) if part.above else (found.high < part.margin)
        elif outcome == "contradicted":
            assert (found.high < part.margin) if part.above else (found.low > part.margin)
        else:
            assert found.low <= part.margin <= found.high
        assert part.judge(found._replace(n_tasks=MIN_TASKS - 1)) == "undecided"
        assert part.judge(found._replace(low=math.nan)) == "undecided"


@pytest.mark.parametrize(
    ("parts", "gates", "right"),
    [
        (["supported", "supported"], [], "supported"),
        (["supported", "undecided"], [], "undecided"),
        (["contradicted", "supported"], [], "contradicted"),
        (["contradicted", "undecided"], [], "contradicted"),
        (["supported"], ["undecided"], "undecided"),
        (["contradicted"], ["contradicted"], "undecided"),
        ([], [], "undecided"),
    ],
)
def test_a_claim_needs_all_its_parts(parts, gates, right):
    assert decide(*({str(i): one for i, one in enumerate(each)} for each in (parts, gates))) == right


@pytest.mark.parametrize(("p", "right"), [(0.01, "supported"), *((p, "undecided") for p in (0.06, 1, math.nan))])
def test_an_order_that_many_would_give_contradicts_nothing(p, right):
    depth = xr.Dataset(
        {"order_p": (("kind", "position"), [[p]]), "rank_tasks": (("kind", "position"), [[9]])},
        {"kind": ["contrast"], "position": ["eos"]},
        {"headline_position": "eos"},
    )
    part = next(part for part in PARTS if part.name == "order")
    assert part.judge(part.read({"depth": depth}, "contrast")) == right


def test_without_results_everything_is_undecided_and_nothing_fails():
    found = verdict({})
    assert list(found["claim"].values) == list(CLAIMS)
    assert set(found["outcome"].values) == {"undecided"}
    assert set(found["part_outcome"].values) == {"undecided"}
    assert found["beside_estimate"].isnull().all()


def test_what_stands_beside_is_the_estimate_on_the_other_labels():
    values = {"planning": [0.3, 0.1], "monitoring": [0.2, 0.4], "rise": [0.1, 0.01]}
    shifts = {"": 0.0, "_low": -0.02, "_high": 0.02}
    temporal = xr.Dataset(
        {
            f"{name}{end}": ("kind", [v + shift for v in each])
            for name, each in values.items()
            for end, shift in shifts.items()
        }
        | {"n_planning": ("kind", [8, 7]), "n_tasks": ("kind", [9, 6])},
        {"kind": ["contrast", "natural"]},
    )
    found = verdict({"temporal": temporal}).set_index(part="part")
    for part, decides, beside, n in (("no plan", 1, 0, 8), ("monitoring", 0, 1, 6), ("rise", 0, 1, 6)):
        here, name = found.sel(part=part), "planning" if part == "no plan" else part
        assert float(here["estimate"]) == values[name][decides]
        for end, shift in shifts.items():
            assert float(here[f"beside_estimate{end}"]) == values[name][beside] + shift
        assert int(here["beside_n_tasks"]) == n
    assert found["beside"].sel(part=["monitoring", "rise"]).values.tolist() == ["supported", "contradicted"]
