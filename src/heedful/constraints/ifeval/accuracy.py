"""Shares with intervals, the prompt being the unit: instructions of one prompt stand or fall together.

Plain arithmetic; knows nothing of constraints, and needs no array library.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Accuracy:
    """How many passed.

    Attributes:
        passed, scored: of `scored`, which passed.
        unscored: how many could not be judged; they are in neither number.
        clusters: the prompts that the scored come from.
        low, high: the 95 % interval; (0, 1) if nothing is scored.
    """

    passed: int
    scored: int
    unscored: int
    clusters: int
    low: float
    high: float

    @property
    def value(self) -> float | None:
        """The share; None if nothing is scored."""
        return self.passed / self.scored if self.scored else None


def accuracy(clusters: Iterable[Sequence[bool | None]]) -> Accuracy:
    """The share that passed over all clusters, None being unscored, with a 95 % interval.

    Wilson's interval for the effective sample size n_e = p (1 − p) / v (Korn & Graubard 1998, Dean & Pagano 2015), v being
    the linearised variance of the ratio of passed to scored over clusters, G / (G − 1) Σ (passed_g − p · scored_g)² / n².
    n_e is at most n, so with one item a cluster this is Wilson's interval itself; where p is 0 or 1 and v says nothing, n_e is
    the number of clusters.
    """
    rows = [list(cluster) for cluster in clusters]
    counts = [(sum(item is True for item in row), sum(item is not None for item in row)) for row in rows]
    counts = [(passed, scored) for passed, scored in counts if scored]
    passed, scored, groups = sum(p for p, _ in counts), sum(n for _, n in counts), len(counts)
    unscored = sum(item is None for row in rows for item in row)
    if not scored:
        return Accuracy(0, 0, unscored, 0, 0.0, 1.0)
    share = passed / scored
    size: float = groups
    if 0 < passed < scored:
        squares = sum((p - share * n) ** 2 for p, n in counts)
        variance = squares * groups / (groups - 1) / scored**2 if groups > 1 else 0.0
        size = scored if max(n for _, n in counts) == 1 else groups if not variance else share * (1 - share) / variance
        size = min(size, scored)
    low, high = wilson(share, size)
    return Accuracy(passed, scored, unscored, groups, low, high)


def wilson(share: float, size: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval (1927) of a share of `size` independent trials."""
    z = NormalDist().inv_cdf(0.5 + level / 2)
    centre = (share + z * z / (2 * size)) / (1 + z * z / size)
    reach = z / (1 + z * z / size) * (share * (1 - share) / size + z * z / (4 * size * size)) ** 0.5
    return max(0.0, min(share, centre - reach)), min(1.0, max(share, centre + reach))
