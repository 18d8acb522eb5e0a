"""Which rows train the general probes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from heedful.lenses import StudyData
from heedful.lenses.fits import _draws, _weight_within

Write = Callable[..., StudyData]


def test_a_matched_total_is_even_over_tasks_keeps_squares_whole_and_leaves_held_out_rows_out(
    write_study: Write, planted: Any
) -> None:
    data = write_study(planted(squares={"word_count": 60, "include": 30, "topic": 60, "register": 60}))
    union = data.examples("contrast")
    tasks = list(range(4))
    draws = _draws(union, tasks, seed=0)
    assert len(draws.rows) < 4  # sizes within a tenth share a draw
    for task, draw in zip(tasks, draws.of_task, strict=True):
        chosen = draws.rows[draw]
        own = int(((union.task == task) & ~union.held_out).sum())
        assert 0.9 * own - 4 <= int(chosen.sum()) <= own
        assert not bool((chosen & union.held_out).any())
        assert set(torch.bincount(union.unit[chosen]).tolist()) <= {0, 4}
        per_task = torch.bincount(union.task[chosen], minlength=4)
        assert int(per_task.max() - per_task.min()) <= 4


def test_smaller_draws_lie_within_larger_ones(write_study: Write, planted: Any) -> None:
    """So that few rows have to be fitted in all."""
    squares = {"word_count": 100, "include": 30, "topic": 50, "register": 70}
    union = write_study(planted(squares=squares)).examples("contrast")
    rows = _draws(union, [0, 1, 2, 3], seed=0).rows
    sizes = rows.sum(-1).tolist()
    assert sizes == sorted(sizes)
    assert int(rows.any(0).sum()) <= 1.1 * sizes[-1]


def test_drawn_rows_are_balanced_among_themselves(write_study: Write, planted: Any) -> None:
    rows = write_study(planted(squares=0, natural=120)).examples("natural")
    chosen = torch.arange(len(rows)) % 3 == 0
    weight = _weight_within(rows, chosen)
    assert bool((weight[~chosen] == 0).all())
    for task in range(4):
        mine = chosen & (rows.task == task)
        sides = [weight[mine & (rows.label == value)].sum() for value in (0, 1)]
        assert torch.allclose(sides[0], sides[1])
