"""C6 where two models lose the same of every task: which tasks each can be read on must not make them differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
import xarray as xr

from heedful.lenses.models_differ import models_differ
from heedful.probes import jackknife_auroc

LOST = {
    "word_count": 0.2, "char_count": 0.2, "json": 0.2, "include": 0.5, "exclude": 0.5, "topic": 0.8, "sentiment": 0.8,
    "register": 0.8, "toxicity": 0.8,
}  # fmt: skip
"""About the share that every model loses of a task."""
TASKS = [*LOST]


def result(
    tasks: Sequence[str],
    seed: int,
    n_bases: int = 60,
    n: int = 300,
    strength: Callable[[str], float] = lambda task: 1.2,
) -> xr.Dataset:
    """The lens's result of a model whose answers to these tasks, and no others, could be read."""
    rng = np.random.default_rng(seed)
    base = torch.arange(n) % n_bases
    auroc, low, replicates = (np.full((2, 9, *more), np.nan) for more in ((), (), (n_bases,)))
    for t in map(TASKS.index, tasks):
        label, common = rng.integers(0, 2, n), 0.6 * rng.normal(size=n)
        signal = strength(TASKS[t]) * np.array([[1], [1 - LOST[TASKS[t]]]])
        scores = torch.tensor(common + 0.8 * rng.normal(size=(2, n)) + signal * label)
        found = jackknife_auroc(scores, torch.tensor(label), base, base % 5, n_groups=n_bases).cross_fitted(0.3)
        auroc[:, t], replicates[:, t], low[:, t] = found.estimate, found.replicates, found.interval(0.95, "logit").low
    return xr.Dataset(
        {
            "auroc_with": (("kind", "task"), auroc[:1]),
            "auroc_with_low": (("kind", "task"), low[:1]),
            "auroc_without": (("kind", "task"), auroc[1:]),
            "auroc_with_replicates": (("task", "base"), replicates[0]),
            "auroc_without_replicates": (("task", "base"), replicates[1]),
            "n_bases": ("task", [n_bases] * 9),
        },
        {"kind": ["natural"], "task": TASKS},
    )


@pytest.mark.parametrize(("first", "second", "n_common"), [(TASKS[:5], TASKS[3:], 2), (TASKS[:7], TASKS[2:], 5)])
def test_tasks_that_one_alone_can_be_read_on_do_not_make_two_models_differ(
    first: list[str], second: list[str], n_common: int
) -> None:
    found = [models_differ({"a": result(first, 2 * i), "b": result(second, 2 * i + 1)}) for i in range(12)]
    assert Counter(one.outcome for one in found)["supported"] == 0
    for one in found:
        (pair,) = one.pairs
        assert len(pair.tasks) == n_common
        assert {*pair.left_out} == {*first} ^ {*second}
        assert pair.lacking == ("2 readable in both, at least 5 tasks are needed" if n_common < 5 else "")
        assert n_common < 5 or pair.low < 0.1


def test_strong_on_what_loses_much_or_on_what_loses_little_is_no_difference_in_what_is_lost() -> None:
    def up(task: str) -> float:
        return 0.6 + 1.2 * (LOST[task] - 0.2) / 0.6

    found = [
        models_differ(
            {"a": result(TASKS, 2 * i, strength=up), "b": result(TASKS, 2 * i + 1, strength=lambda t: 2.4 - up(t))}
        )
        for i in range(12)
    ]
    assert Counter(one.outcome for one in found)["supported"] == 0
    assert abs(np.mean([one.pairs[0].value for one in found])) < 0.06


def test_two_that_cannot_be_compared_leave_it_open_beside_two_that_are_alike() -> None:
    def many(tasks: Sequence[str], seed: int) -> xr.Dataset:
        return result(tasks, seed, n=3000)

    alike = {"a": many(TASKS, 0), "b": many(TASKS, 1)}
    assert models_differ(alike).outcome == "contradicted"
    found = models_differ(alike | {"c": many(TASKS[:5], 2), "d": many(TASKS[4:], 3)})
    assert [pair.outcome for pair in found.pairs if pair.lacking] == ["undecided"]
    assert found.outcome == "undecided"
    assert found.pairs[0].high - found.pairs[0].low > 0
