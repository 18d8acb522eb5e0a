"""Shares and their intervals: by hand, in the limits, and in coverage under clusters."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heedful.constraints.ifeval.accuracy import accuracy, wilson

clusters = st.lists(st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=4), max_size=30)


@given(clusters)
def test_counts_and_bounds(rows: list[list[bool | None]]) -> None:
    found = accuracy(rows)
    flat = [item for row in rows for item in row]
    assert (found.passed, found.scored, found.unscored) == (
        flat.count(True),
        len(flat) - flat.count(None),
        flat.count(None),
    )
    assert 0 <= found.low <= (0.5 if found.value is None else found.value) <= found.high <= 1
    assert found.low < found.high
    flipped = accuracy([[None if item is None else not item for item in row] for row in rows])
    assert (flipped.low, flipped.high) == pytest.approx((1 - found.high, 1 - found.low))


def test_one_a_cluster_is_wilsons() -> None:
    found = accuracy([[True]] * 8 + [[False]] * 2)
    assert (found.low, found.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # as published for 8 of 10


def test_instructions_that_stand_and_fall_together_count_once() -> None:
    alone = accuracy([[True]] * 30 + [[False]] * 10)
    thrice = accuracy([[True] * 3] * 30 + [[False] * 3] * 10)
    assert (thrice.low, thrice.high) == pytest.approx((alone.low, alone.high), abs=0.003)
    assert thrice.high - thrice.low > 1.5 * (wilson(0.75, 120)[1] - wilson(0.75, 120)[0])


def test_nothing_scored_is_no_share() -> None:
    found = accuracy([[None]])
    assert (found.value, found.low, found.high, found.unscored) == (None, 0.0, 1.0, 1)


def test_coverage_under_clusters() -> None:
    draw = random.Random(0)
    covered = 0
    for _ in range(1000):
        rows: list[list[bool | None]] = []
        for _ in range(80):
            p = draw.betavariate(4, 1)  # a prompt's own rate: mean 0.8
            rows.append([draw.random() < p for _ in range(draw.choice([1, 1, 2, 3]))])
        found = accuracy(rows)
        covered += found.low <= 0.8 <= found.high
    assert 0.93 <= covered / 1000 <= 0.97
