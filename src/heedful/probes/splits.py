"""Folds by group: all rows of a group share a fold, and the same groups and seed give the same folds to every analysis.

There are no separate inner folds. Nested selection inside the training folds of outer fold i validates on each *other*
outer fold j, with a probe trained on neither: that probe serves (outer i, inner j) and (outer j, inner i), which halves
the work and keeps every split on group boundaries (see `crossval`).
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from heedful.errors import InputError

Names = Sequence[Hashable] | NDArray[Any] | Tensor
"""One name a row: anything that hashes and sorts (ints, strings, tuples)."""


class GroupIndex(NamedTuple):
    """Groups as numbers: `names[number[i]]` is the group of row i."""

    number: Int[Tensor, " sample"]
    names: tuple[Hashable, ...]
    """Sorted; the universe, of which a row set may hold only a part."""


def index_groups(groups: Names, universe: Names | None = None) -> GroupIndex:
    """Number the groups of rows, by the sorted order of the universe (by default the groups that occur).

    Raises:
        InputError: a row's group is not in the universe.
    """
    values = _as_list(groups)
    names = tuple(sorted(set(values if universe is None else _as_list(universe))))  # type: ignore[type-var]
    number = {name: i for i, name in enumerate(names)}
    strangers = sorted({repr(g) for g in values if g not in number})
    if strangers:
        raise InputError(
            f"{len(strangers)} groups of the rows are not in the universe of groups: {', '.join(strangers[:3])}",
            "build the universe from the groups of all tasks",
        )
    return GroupIndex(torch.tensor([number[g] for g in values], dtype=torch.long), names)


def grouped_folds(
    groups: Names,
    n_folds: int = 5,
    seed: int = 0,
    *,
    universe: Names | None = None,
) -> Int[Tensor, " sample"]:
    """The fold of each row, 0 … n_folds − 1.

    Depends on the *set* of groups and the seed only, not on their order or number of rows; fold sizes differ by one
    group at most. Give `universe` (the groups of all tasks) where a task lacks some groups: then tasks agree on every
    group.

    Raises:
        InputError: n_folds < 2, or fewer groups than folds.
    """
    number, names = index_groups(groups, universe)
    if n_folds < 2:
        raise InputError(
            f"{n_folds} folds cannot separate training from test", "ask for at least 2 folds (3 to choose C)"
        )
    if len(names) < n_folds:
        raise InputError(
            f"{len(names)} groups cannot fill {n_folds} folds", "use fewer folds, or more base prompts in the study"
        )
    order = np.random.default_rng(seed).permutation(len(names))
    fold_of_group = np.empty(len(names), dtype=np.int64)
    fold_of_group[order] = np.arange(len(names)) % n_folds
    return torch.from_numpy(fold_of_group)[number]


def draw_units(units: Names, n_rows: int, seed: int, *, strata: Names | None = None) -> Bool[Tensor, " sample"]:
    """A random mask of about n_rows rows that keeps units (squares, pairs, rows) whole, evenly over strata (tasks).

    Units are taken in random order, the stratum with the fewest rows so far first, while they fit: at most one unit of
    rows fewer than asked.

    Raises:
        InputError: n_rows is not between 1 and the number of rows.
    """
    unit_of_row = index_groups(units).number.tolist()
    if not 1 <= n_rows <= len(unit_of_row):
        raise InputError(f"cannot draw {n_rows} of {len(unit_of_row)} rows", "ask for fewer rows")
    stratum_of_row = [0] * len(unit_of_row) if strata is None else index_groups(strata).number.tolist()
    members: dict[tuple[int, int], list[int]] = {}
    for row, key in enumerate(zip(stratum_of_row, unit_of_row, strict=True)):
        members.setdefault(key, []).append(row)
    keys = sorted(members)
    queues: dict[int, list[list[int]]] = {stratum: [] for stratum, _ in keys}
    for i in np.random.default_rng(seed).permutation(len(keys)):
        queues[keys[i][0]].append(members[keys[i]])
    taken = dict.fromkeys(queues, 0)
    mask = torch.zeros(len(unit_of_row), dtype=torch.bool)
    left = n_rows
    while taken:
        stratum = min(taken, key=lambda s: taken[s])
        if not queues[stratum] or len(queues[stratum][-1]) > left:
            del taken[stratum]
            continue
        rows = queues[stratum].pop()
        mask[rows] = True
        taken[stratum] += len(rows)
        left -= len(rows)
    return mask


def _as_list(values: Names) -> list[Hashable]:
    """Plain Python values: numpy and torch scalars hash by identity or type, and would split a group in two."""
    return list(values.tolist()) if hasattr(values, "tolist") else list(values)
