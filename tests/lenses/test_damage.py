"""Shares that are lost: sums over the pairs that count, and no ratio over what is not beyond 0."""

from __future__ import annotations

import torch

from heedful.lenses.damage import damage_to
from heedful.probes import Jackknife


def jackknife(values: torch.Tensor, se: float = 0.0) -> Jackknife:
    """20 groups, whose replicates give this standard error."""
    sides = torch.tensor([1.0, -1.0]).repeat(10) * se / (19 / 20 * 20) ** 0.5
    return Jackknife(values, values.unsqueeze(-1) + sides, 20)


def test_only_pairs_that_count_are_summed() -> None:
    drop = torch.tensor([[0.1, 0.2], [float("nan"), 0.3]])[None, None]
    found = damage_to(
        torch.tensor([[False, True], [False, True]]), jackknife(drop), jackknife(torch.tensor([[0.9, 0.8]]))
    )
    torch.testing.assert_close(found.each.estimate[0, 0], torch.tensor([0.2 / 0.3, 0.3 / 0.3]))
    torch.testing.assert_close(found.overall.estimate[0, 0], torch.tensor(0.5 / 0.6))


def test_over_what_is_lost_beyond_its_interval_alone() -> None:
    pairs = torch.ones(2, 2, dtype=torch.bool)
    auroc = jackknife(torch.full((1, 2), 1.0))
    found = damage_to(pairs, jackknife(torch.full((1, 1, 2, 2), 0.1)), auroc)
    torch.testing.assert_close(found.overall.estimate, torch.tensor([[0.2]]))
    for se, right in ((0.01, 0.5), (0.3, float("nan"))):
        over = found.over(jackknife(torch.tensor([[0.4]]), se))
        torch.testing.assert_close(over.overall.estimate, torch.tensor([[right]]), equal_nan=True)
        torch.testing.assert_close(over.each.estimate, torch.full((1, 1, 2), right), equal_nan=True)
    assert found.over(jackknife(torch.tensor([[-0.4]]), 0.01)).overall.estimate.isnan().all()
