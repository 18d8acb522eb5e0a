"""Control labels, permutations and p-values obey their designs."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from heedful.errors import InputError
from heedful.probes import (
    benjamini_hochberg,
    control_labels,
    permutation_p,
    permute_within_groups,
    swap_squares,
    type_recurrence,
)


@given(
    types=st.lists(st.integers(0, 9), min_size=2, max_size=80).filter(lambda t: len(set(t)) > 1),
    seed=st.integers(0, 99),
)
def test_control_labels_are_a_balanced_function_of_the_type(types, seed):
    labels = control_labels(types, 3, seed)
    largest = max(types.count(t) for t in types)
    for one in labels.tolist():
        assert len({*zip(types, one, strict=True)}) == len({*types})
        assert set(one) == {0, 1}
        assert abs(2 * sum(one) - len(types)) <= largest
    assert torch.equal(labels, control_labels(types, 3, seed))


def test_control_label_sets_differ():
    labels = control_labels(torch.arange(200) % 40, 8, 0)
    assert len({tuple(one) for one in labels.tolist()}) == 8


def test_type_recurrence_counts_rows_whose_type_is_in_another_fold():
    fold = torch.tensor([0, 1, 0, 1])
    assert type_recurrence(["a", "a", "b", "c"], fold) == 0.5
    assert type_recurrence(["a", "a", "a", "a"], fold) == 1.0


@given(groups=st.lists(st.integers(0, 6), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_permutation_keeps_the_positives_of_each_group(groups, seed):
    labels = torch.randint(0, 2, (len(groups),), generator=torch.Generator().manual_seed(seed))
    index = torch.tensor(groups)
    for one in permute_within_groups(labels, groups, 4, seed):
        for g in {*groups}:
            assert one[index == g].sum() == labels[index == g].sum()


def test_permutation_moves_labels_evenly():
    """Each of the 3 places of a group holds its one positive a third of the time."""
    sets = permute_within_groups(torch.tensor([1, 0, 0, 1, 1, 1]), [0, 0, 0, 1, 1, 1], 6000, 0)
    assert sets.double().mean(0).tolist() == pytest.approx([1 / 3] * 3 + [1] * 3, abs=0.03)


def test_swapped_squares_flip_whole_and_half_of_the_time():
    labels = torch.tensor([1, 0, 0, 1] * 5)
    squares = torch.arange(20) // 4
    sets = swap_squares(labels, squares, 2000, 0)
    flipped = (sets != labels).reshape(2000, 5, 4)
    assert torch.equal(flipped.all(-1), flipped.any(-1))
    assert flipped.double().mean().item() == pytest.approx(0.5, abs=0.02)


def test_permutation_p_counts_ties_and_is_never_zero():
    null = torch.arange(1, 100) / 100
    assert permutation_p(torch.tensor(2.0), null).item() == pytest.approx(1 / 100)
    assert permutation_p(torch.tensor(0.0), null).item() == 1
    assert permutation_p(torch.tensor(0.99), null).item() == pytest.approx(2 / 100)
    assert permutation_p(torch.tensor(0.01), null, alternative="two-sided").item() == pytest.approx(3 / 100)
    assert permutation_p(torch.tensor(float("nan")), null).isnan()


def test_benjamini_hochberg_is_scipys_and_leaves_nan_out():
    p = torch.tensor([[0.01, 0.04, float("nan")], [0.03, 0.5, 0.2]])
    adjusted = benjamini_hochberg(p)
    assert adjusted[0, 2].isnan()
    expected = false_discovery_control([0.01, 0.04, 0.03, 0.5, 0.2])
    assert adjusted[~p.isnan()].tolist() == pytest.approx(expected.tolist(), rel=1e-6)


@pytest.mark.parametrize(
    ("call", "cause", "cure"),
    [
        (lambda: control_labels(["a", "a"], 1, 0), "1 type(s) cannot carry", "length bucket"),
        (
            lambda: swap_squares(torch.tensor([1, 1]), ["s", "s"], 1, 0),
            "square 's' is not half 0 and half 1",
            "together",
        ),
        (lambda: swap_squares(torch.tensor([1, 0]), ["s", None], 1, 0), "a row belongs to no square", "within groups"),
        (lambda: permutation_p(torch.tensor(0.5), torch.zeros(0)), "needs draws", "199"),
        (lambda: permutation_p(torch.tensor(0.5), torch.tensor([float("nan")])), "null holds NaN", "within groups"),
    ],
)
def test_bad_input_names_cause_and_cure(call, cause, cure):
    with pytest.raises(InputError) as error:
        call()
    assert cause in error.value.cause
    assert cure in error.value.cure
