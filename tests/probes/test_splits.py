"""Folds never split a group, and are the same for every task."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from heedful.errors import InputError
from heedful.probes import draw_units, grouped_folds, index_groups


@given(
    groups=st.lists(st.integers(0, 30), min_size=10, max_size=80).filter(lambda g: len(set(g)) >= 5),
    n_folds=st.integers(2, 5),
    seed=st.integers(0, 100),
)
def test_folds_keep_groups_whole_and_differ_by_one_group_at_most(groups, n_folds, seed):
    fold = grouped_folds(groups, n_folds, seed)
    fold_of_group = dict(zip(groups, fold.tolist(), strict=True))
    assert [fold_of_group[g] for g in groups] == fold.tolist()
    sizes = np.bincount(list(fold_of_group.values()), minlength=n_folds)
    assert sizes.min() >= 1
    assert sizes.max() - sizes.min() <= 1


@given(seed=st.integers(0, 100))
def test_folds_depend_on_the_set_of_groups_and_the_seed_only(seed):
    groups = torch.arange(40) % 13
    fold = grouped_folds(groups, 4, seed)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(seed))
    assert grouped_folds(groups[order].tolist() * 2, 4, seed).tolist() == fold[order].tolist() * 2
    # A task that lacks some groups agrees on all of its own.
    some = groups[groups < 7]
    assert grouped_folds(some, 4, seed, universe=groups).tolist() == fold[groups < 7].tolist()


def test_another_seed_gives_other_folds():
    assert grouped_folds(range(60), 5, 0).tolist() != grouped_folds(range(60), 5, 1).tolist()


def test_names_of_any_kind_are_numbered_in_sorted_order():
    assert index_groups(["b", "a", "b"]).number.tolist() == [1, 0, 1]
    assert index_groups(np.array([7, 3])).names == (3, 7)
    assert index_groups(torch.tensor([5]), universe=[4, 5, 6]).number.tolist() == [1]


@pytest.mark.parametrize(
    ("call", "cause", "cure"),
    [
        (lambda: grouped_folds([1, 1, 2], 3), "2 groups cannot fill 3 folds", "fewer folds"),
        (lambda: grouped_folds([1, 2], 1), "1 folds cannot separate", "at least 2"),
        (lambda: grouped_folds([1, 9], 2, universe=[1, 2]), "not in the universe of groups: 9", "all tasks"),
        (lambda: draw_units([1, 2], 3, 0), "cannot draw 3 of 2 rows", "fewer rows"),
    ],
)
def test_bad_input_names_cause_and_cure(call, cause, cure):
    with pytest.raises(InputError) as error:
        call()
    assert cause in error.value.cause
    assert cure in error.value.cure


@given(n=st.integers(4, 240), seed=st.integers(0, 1000))
def test_drawn_units_are_whole_even_over_strata_and_nearly_as_many_as_asked(n, seed):
    unit, task = torch.arange(240) // 4, torch.arange(240) // 80
    mask = draw_units(unit, n, seed, strata=task)
    assert all(mask[unit == u].sum() in (0, 4) for u in range(60))
    assert n - 4 < mask.sum() <= n
    per_task = [int(mask[task == t].sum()) for t in range(3)]
    assert max(per_task) - min(per_task) <= 4


def test_drawn_units_differ_by_seed_and_not_by_call():
    unit = torch.arange(50)
    assert torch.equal(draw_units(unit, 20, 1), draw_units(unit, 20, 1))
    assert not torch.equal(draw_units(unit, 20, 1), draw_units(unit, 20, 2))
