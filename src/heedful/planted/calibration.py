"""What a calibration's records add up to: are verdicts right, are false positives as rare as stated, do intervals cover, are
planted transfer and dependencies found again? Draws nothing and runs no lens: `records` does.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from heedful.lenses.verdict import Outcome
from heedful.planted.mechanisms import CLAIMS, MECHANISMS, Bench

Record = dict[str, Any]


class Share(NamedTuple):
    """k of n, with the 95 % interval of Clopper and Pearson."""

    k: int
    n: int

    @property
    def value(self) -> float:
        """k / n; NaN for none of none."""
        return self.k / self.n if self.n else float("nan")

    def interval(self) -> tuple[float, float]:
        """Exact binomial bounds."""
        from scipy.stats import binomtest

        if not self.n:
            return float("nan"), float("nan")
        bounds = binomtest(self.k, self.n).proportion_ci(0.95, "exact")
        return float(bounds.low), float(bounds.high)


@dataclass(frozen=True)
class Calibration:
    """The records of a calibration, and what they add up to."""

    records: Sequence[Record]

    def _of(self, mechanism: str, bench: Bench) -> Iterator[Record]:
        return (r for r in self.records if r["mechanism"] == mechanism and r["bench"] == bench)

    def confusion(self) -> dict[tuple[str, str], tuple[Outcome, Counter[str]]]:
        """(mechanism, claim) → the right verdict, and how often each was given."""
        return {
            (name, claim): (right, Counter(r["verdicts"][claim] for r in self._of(name, bench)))
            for name, mechanism in MECHANISMS.items()
            for bench, truth in mechanism.truth.items()
            for claim, right in truth.items()
            if any(self._of(name, bench))
        }

    def false_positives(self) -> dict[str, Share]:
        """Where nothing is planted to be found: decided verdicts by claim, and dependencies and transfers at an FDR of 5 %,
        counted by draw."""
        null = [name for name, each in MECHANISMS.items() if each.edges() == set() and len(each.truth) == len(CLAIMS)]
        found: dict[str, Share] = {}
        for bench, claims in CLAIMS.items():
            records = [r for name in null for r in self._of(name, bench)]
            for claim in claims:
                found[claim] = Share(sum(r["verdicts"][claim] != "undecided" for r in records), len(records))
        structure = [r for name in null for r in self._of(name, "structure")]
        found["a dependency"] = Share(sum(r["edges_found"] > 0 for r in structure), len(structure))
        found["a transfer"] = Share(sum(r["told"] > 0 for r in structure), len(structure))
        return found

    def sure_and_wrong(self) -> Share:
        """Verdicts that are decided otherwise than is right, over all mechanisms and claims."""
        given = self.confusion().values()
        wrong = sum(n[outcome] for right, n in given for outcome in _OUTCOMES if outcome not in (right, "undecided"))
        return Share(wrong, sum(n.total() for _, n in given))

    def coverage(self) -> dict[str, Share]:
        """Nominal 95 % intervals that hold their truth, over all cells of all draws."""
        names = ("AUROC", "transfer", "shares of d′", "dependency")
        tallies = [r["covered"] for r in self.records if r.get("covered")]
        return {name: Share(*(sum(t[name][i] for t in tallies if name in t) for i in (0, 1))) for name in names}

    def edges(self) -> dict[str, tuple[Share, Share]]:
        """Precision and recall of planted dependencies, by mechanism that has any."""
        found = {}
        for name, mechanism in MECHANISMS.items():
            records = list(self._of(name, "structure"))
            if records and mechanism.edges():
                hit, made, planted = (sum(r[f"edges_{what}"] for r in records) for what in ("hit", "found", "planted"))
                found[name] = Share(hit, made), Share(hit, planted)
        return found

    def transfer_correlation(self) -> dict[str, list[float]]:
        """Correlation of the planted transfer matrix with the one found, a draw each."""
        found: dict[str, list[float]] = {}
        for record in self.records:
            if record.get("transfer_correlation") is not None:
                found.setdefault(record["mechanism"], []).append(record["transfer_correlation"])
        return found

    def seconds(self) -> dict[str, float]:
        """Median seconds of a draw, by bench; the truth of intervals is not in them."""
        by_bench: dict[str, list[float]] = {}
        for record in self.records:
            by_bench.setdefault(record["bench"], []).append(record["seconds"])
        return {bench: float(np.median(values)) for bench, values in by_bench.items()}

    def to_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "draws": len(self.records),
            "verdicts": [
                {"mechanism": name, "claim": claim, "right": right, **{o: n[o] for o in _OUTCOMES}}
                for (name, claim), (right, n) in self.confusion().items()
            ],
            "sure_and_wrong": _shares([("verdicts", self.sure_and_wrong())]),
            "false_positives": _shares(self.false_positives().items()),
            "coverage": _shares(self.coverage().items()),
            "edges": {
                name: {"precision": precision.value, "recall": recall.value}
                for name, (precision, recall) in self.edges().items()
            },
            "transfer_correlation": {
                name: {"median": float(np.median(values)), "least": min(values)}
                for name, values in self.transfer_correlation().items()
            },
            "seconds": self.seconds(),
        }


_OUTCOMES: tuple[Outcome, ...] = ("supported", "contradicted", "undecided")


def _shares(shares: Iterable[tuple[str, Share]]) -> dict[str, Any]:
    return {name: {"k": share.k, "n": share.n, "interval": share.interval()} for name, share in shares if share.n}
