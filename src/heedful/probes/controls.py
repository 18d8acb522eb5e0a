"""What a probe would score if there were nothing to find: control tasks, permuted labels, p-values.

Hewitt & Liang (2019) train the same probe on labels that are a fixed random function of a row's *type*: what it scores
there, it owes to memory of types that recur in train and test. Selectivity is the difference.
Every function returns label sets [set, sample], which run beside the task's own through the same folds.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from heedful.errors import InputError
from heedful.probes.checks import check_lengths
from heedful.probes.splits import Names, index_groups


def control_labels(types: Names, n_sets: int, seed: int) -> Int[Tensor, "set sample"]:
    """Random labels that are a function of the row's type (constraint value × length bucket, say), balanced by rows.

    Types come in random order, and each goes to the class that has fewer rows so far (ties at random).

    Raises:
        InputError: fewer than two types: every label set would have one class.
    """
    index, names = index_groups(types)
    if len(names) < 2:
        raise InputError(
            f"{len(names)} type(s) cannot carry a control task", "make finer types, e.g. add a length bucket"
        )
    rng = np.random.default_rng(seed)
    size = torch.bincount(index, minlength=len(names)).tolist()
    label_of_type = torch.empty(n_sets, len(names), dtype=torch.long)
    for labels in label_of_type:
        rows = [0, 0]
        for t in rng.permutation(len(names)):
            side = int(rng.integers(2)) if rows[0] == rows[1] else int(rows[1] < rows[0])
            labels[t] = side
            rows[side] += size[t]
    return label_of_type[:, index]


def type_recurrence(types: Names, fold: Int[Tensor, " sample"]) -> float:
    """Share of rows whose type also occurs in another fold. A control task needs it near 1: a type that never recurs
    cannot be memorised, and its selectivity says nothing."""
    index, _ = index_groups(types)
    spans = Counter(t for t, _ in {*zip(index.tolist(), fold.tolist(), strict=True)})
    return sum(spans[t] > 1 for t in index.tolist()) / max(len(index), 1)


def permute_within_groups(
    labels: Int[Tensor, " sample"], groups: Names, n_sets: int, seed: int
) -> Int[Tensor, "set sample"]:
    """Labels shuffled among the rows of each group: each group keeps its number of positives, and with it each fold.

    Raises:
        InputError: labels are no tensor, or not one a row.
    """
    index, _ = index_groups(groups)
    check_lengths(len(index), labels=labels)
    # One argsort shuffles all groups: by group, and within it at random.
    noise = torch.from_numpy(np.random.default_rng(seed).random((n_sets, len(index))))
    shuffled = (index + noise).argsort(-1)
    home = index.argsort(stable=True).expand_as(shuffled)
    return torch.empty(n_sets, len(index), dtype=labels.dtype).scatter(-1, home, labels[shuffled])


def swap_squares(labels: Int[Tensor, " sample"], squares: Names, n_sets: int, seed: int) -> Int[Tensor, "set sample"]:
    """Labels with whole 2 × 2 squares flipped at random: the null that respects the contrast design.

    A flip exchanges complying and violating cells, and keeps each instruction and each response once in each class.

    Raises:
        InputError: a square is not half 0 and half 1, or a row has no square; or labels are no tensor, or not one a row.
    """
    if any(square is None for square in squares):
        raise InputError("a row belongs to no square", "permute natural rows within groups instead")
    index, names = index_groups(squares)
    check_lengths(len(index), labels=labels)
    balance = torch.zeros(len(names), dtype=torch.long).index_add(0, index, 2 * labels.long() - 1)
    if bool((balance != 0).any()):
        broken = names[int(balance.abs().argmax())]
        raise InputError(f"square {broken!r} is not half 0 and half 1", "keep the cells of a square together")
    flips = torch.from_numpy(np.random.default_rng(seed).integers(0, 2, (n_sets, len(names))))
    return (labels ^ flips[:, index].to(labels.dtype)).to(labels.dtype)


def permutation_p(
    observed: Float[Tensor, "*cell"],
    null: Float[Tensor, "*cell draw"],
    *,
    alternative: Literal["greater", "two-sided"] = "greater",
    center: float = 0.5,
) -> Float[Tensor, "*cell"]:
    """(1 + #{null ≥ observed}) / (1 + draws), Phipson & Smyth 2010: never 0. NaN where the observed value is NaN.

    'two-sided' compares distances from `center`.

    Raises:
        InputError: no draws, or a null with NaN under an observed value.
    """
    if null.shape[-1] == 0:
        raise InputError("a permutation test needs draws", "ask for at least 199 permutations")
    if alternative == "two-sided":
        observed, null = (observed - center).abs(), (null - center).abs()
    undefined = observed.isnan()
    if bool((null.isnan() & ~undefined.unsqueeze(-1)).any()):
        raise InputError(
            "the permutation null holds NaN", "permute within groups or squares, so that folds keep both classes"
        )
    # A hair of tolerance: a draw that ties with the observed value must count, whatever the order of summation.
    reached = (null >= observed.unsqueeze(-1) - 1e-12).sum(-1)
    return ((1 + reached) / (1 + null.shape[-1])).double().masked_fill(undefined, float("nan"))


def benjamini_hochberg(p: Float[Tensor, "*cell"]) -> Float[Tensor, "*cell"]:
    """P-values adjusted for the false discovery rate over all cells (scipy); NaN cells are left out of the family."""
    from scipy.stats import false_discovery_control  # 0.6 s to import: not for who only talks to a model

    values = p.double().cpu().numpy()
    adjusted = np.full_like(values, np.nan)
    kept = ~np.isnan(values)
    if kept.any():
        adjusted[kept] = false_discovery_control(values[kept], method="bh")
    return torch.from_numpy(adjusted).to(p.device)
