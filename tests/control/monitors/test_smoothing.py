"""Whole responses and token by token give the same; a peak never falls; rows do not disturb each other."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.control.monitors import Rolling, Window, peaks

WINDOWS = (Window(1), Window(3), Window(8), Window(1, 1), Window(4, 3), Window(8, 2), Window(5, 5))


def scores(rows: int, tokens: int, seed: int) -> torch.Tensor:
    return torch.randn(rows, len(WINDOWS), tokens, generator=torch.Generator().manual_seed(seed))


@given(st.integers(0, 10**6), st.lists(st.integers(0, 30), min_size=1, max_size=5))
def test_token_by_token_equals_whole_responses(seed: int, lengths: list[int]) -> None:
    given_scores = scores(len(lengths), max(lengths), seed)
    for row, length in enumerate(lengths):
        given_scores[row, :, length:] = torch.nan
    whole = torch.stack([peaks(given_scores[:, m], *window) for m, window in enumerate(WINDOWS)], 1)
    live = Rolling(len(lengths), WINDOWS)
    for token in range(max(lengths)):
        going = [row for row, length in enumerate(lengths) if token < length]
        peak = live.add(going, given_scores[going, :, token].numpy())
        torch.testing.assert_close(torch.from_numpy(peak), whole[going, :, token], atol=1e-5, rtol=1e-5)


def test_a_peak_is_the_largest_mean_so_far_and_never_falls() -> None:
    values = torch.tensor([[0.0, 4.0, 0.0, 2.0, 2.0, -9.0]])
    torch.testing.assert_close(peaks(values, 2), torch.tensor([[-torch.inf, 2.0, 2.0, 2.0, 2.0, 2.0]]))
    torch.testing.assert_close(peaks(values, 1), torch.tensor([[0.0, 4.0, 4.0, 4.0, 4.0, 4.0]]))
    found = peaks(scores(4, 40, 0), 3)
    assert bool((found.diff(dim=-1).nan_to_num() >= 0).all())


@given(st.integers(0, 10**6), st.integers(1, 9), st.data(), st.floats(-1.5, 1.5))
def test_a_count_is_above_a_threshold_just_where_so_many_tokens_are(
    seed: int, width: int, data: st.DataObject, threshold: float
) -> None:
    agree = data.draw(st.integers(1, width))
    values = scores(2, 24, seed)[:, 0]
    above = peaks(values, width, agree) > threshold
    for row in range(2):
        tokens = (values[row] > threshold).tolist()
        counted = [end + 1 >= width and sum(tokens[end + 1 - width : end + 1]) >= agree for end in range(24)]
        assert above[row].tolist() == [any(counted[: end + 1]) for end in range(24)]


def test_a_response_shorter_than_the_window_has_no_score() -> None:
    assert bool((peaks(torch.ones(2, 3), 4) == -torch.inf).all())
    assert bool((peaks(torch.ones(2, 3), 4, 1) == -torch.inf).all())


@pytest.mark.parametrize("more", [1, 5])
def test_growing_keeps_what_rows_have_and_restarting_forgets_one(more: int) -> None:
    live, given_scores = Rolling(2, WINDOWS), scores(2, 12, 1)
    for token in range(10):
        live.add([0, 1], given_scores[..., token].numpy())
    before = live.peak.copy()
    live.grow(more)
    assert len(live) == 2 + more
    np.testing.assert_array_equal(live.peak[:2], before)
    live.restart(0)
    assert live.read.tolist()[:2] == [0, 10]
    assert bool((live.peak[0] == -np.inf).all())
    np.testing.assert_array_equal(live.peak[1], before[1])
