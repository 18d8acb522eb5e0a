"""How much goes with an erased task: of the others, and of itself.

A share is Σ drop / Σ (AUROC − 0.5), over targets. Knows jackknives, and neither erasers nor probes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from heedful.lenses.result import LEVEL
from heedful.probes import Jackknife, combine


class Damage(NamedTuple):
    """Shares that are lost."""

    overall: Jackknife
    """[eraser, reading], to all erased tasks together."""
    each: Jackknife
    """[eraser, reading, erased]."""

    def over(self, own: Jackknife) -> Damage:
        """Divided by what erased tasks lose themselves, [eraser, reading]; NaN where that is not beyond 0."""
        lost = own.interval(LEVEL).low > 0
        whole = combine(lambda share: torch.where(spread(lost, share), share, torch.nan), own)
        return Damage(
            combine(torch.div, self.overall, whole),
            combine(lambda each, share: each / share.unsqueeze(2), self.each, whole),
        )

    def cross_fitted(self) -> Damage:
        """See `Jackknife.cross_fitted`."""
        return Damage(self.overall.cross_fitted(), self.each.cross_fitted())


def spread(over: Bool[Tensor, "*axes"], like: Tensor, before: int = 0) -> Tensor:
    """Broadcastable against a tensor that has so many axes before these, and others behind them."""
    broad: Tensor = over.reshape(*over.shape, *[1] * (like.ndim - before - over.ndim))
    return broad


def damage_to(pairs: Bool[Tensor, "erased target"], drop: Jackknife, auroc: Jackknife) -> Damage:
    """What erased tasks take of the targets that they are paired with.

    Args:
        pairs: which count; what the others are is not looked at.
        drop: [eraser, reading, erased, target].
        auroc: [reading, target], what there was to lose.
    """

    def counted(values: Float[Tensor, "*over erased target *group"], over: int) -> Tensor:
        return torch.where(spread(pairs, values, over), values, 0).sum(over + 1)

    lost = combine(lambda d: counted(d, 2), drop)  # [eraser, reading, erased]
    there = combine(lambda a: counted((a - 0.5).unsqueeze(1).expand(-1, len(pairs), *a.shape[1:]), 1), auroc)
    return Damage(combine(lambda some, all_: some.sum(2) / all_.sum(1), lost, there), combine(torch.div, lost, there))
