"""The claims table: what the paper found, what this model shows, how sure.

Reads the verdict; places each part's interval beside its margin on a small axis of its own. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import xarray as xr

from heedful.report.findings import estimate
from heedful.report.lacking import no_squares
from heedful.report.run import Run
from heedful.report.wording import PART_NAMES, Estimate, listed, number, with_interval

_WIDTH, _PAD = 150.0, 8.0


class Axis(NamedTuple):
    """Where a part's interval, estimate and margin stand, in SVG units, and the side on which the claim does."""

    low: float
    at: float
    high: float
    margin: float
    claim_from: float
    claim_to: float
    width: float = _WIDTH


class Part(NamedTuple):
    """One estimand of a claim."""

    name: str
    estimand: str
    estimate: Estimate
    margin: float
    above: bool
    is_gate: bool
    labels: str
    n_tasks: int
    outcome: str
    beside: Estimate
    """By the `other` labels, which never decide."""
    beside_tasks: int
    beside_outcome: str
    other: str
    few: bool
    """Whether fewer tasks can be read than a decision takes."""
    needs: str
    """What there is no estimate without."""
    no_squares: bool
    """Whether it is by contrast squares, and the study has none."""
    axis: Axis | None
    """None where there is no estimate."""

    @property
    def shown(self) -> str:
        """'0.04 [0.01, 0.07]'; to three places where two would put a bound on the margin that it is not on."""
        bounds = (self.estimate.low, self.estimate.high)
        hidden = self.estimate.bounded and any(round(b, 2) == self.margin and b != self.margin for b in bounds)
        return with_interval(self.estimate, 3 if hidden else 2)

    @property
    def short(self) -> str:
        """'specialist − general', where there is no room for the estimand."""
        return PART_NAMES[self.name]

    @property
    def wanted(self) -> str:
        """'above 0.02'."""
        return f"{'above' if self.above else 'below'} {number(self.margin)}"


@dataclass(frozen=True)
class Claim:
    """One claim and its parts."""

    name: str
    statement: str
    outcome: str
    parts: list[Part]

    @property
    def why(self) -> str:
        """What decided, in a sentence."""
        if not self.parts:
            return "It compares models: study several and compare them."
        few = self.outcome == "undecided" and all(not part.estimate.known for part in self.parts)
        if few:
            return "Too few tasks can be read, or too few positions were, to decide it."
        told = [
            f"{part.estimand}: {part.shown}, {part.outcome} ({part.wanted} supports it)"
            for part in self.parts
            if part.estimate.known
        ]
        text = "; ".join(told)
        return f"{text[0].upper()}{text[1:]}."


def claims(run: Run) -> list[Claim]:
    """C1 … C6, in order."""
    verdict, without = run.verdict, no_squares(run)
    parts = [_part(run, verdict.isel(part=i), without) for i in range(verdict.sizes["part"])]
    of = [str(claim) for claim in verdict["part_claim"].values]
    return [
        Claim(
            str(name),
            str(verdict["statement"].values[i]),
            str(verdict["outcome"].values[i]),
            [part for part, claim in zip(parts, of, strict=True) if claim == str(name)],
        )
        for i, name in enumerate(verdict["claim"].values)
    ]


def not_decidable(run: Run, found: Sequence[Claim]) -> str:
    """'C1, C2 and part of C5 take contrast squares, which …', so that they stay undecided; empty where there are squares."""
    lacking = {claim.name: [part.no_squares for part in claim.parts] for claim in found}
    names = [name if all(parts) else f"part of {name}" for name, parts in lacking.items() if any(parts)]
    return f"{listed(names)} cannot be decided: that takes {no_squares(run)}" if names else ""


def claims_sentence(found: Sequence[Claim]) -> str:
    """Which claims hold of this model, and which do not."""
    said = []
    for outcome, words in (("supported", "bears out"), ("contradicted", "contradicts"), ("undecided", "leaves open")):
        names = [claim.name for claim in found if claim.parts and claim.outcome == outcome]
        if names:
            said.append(f"{words} {listed(names)}")
    others = [claim.name for claim in found if not claim.parts]
    return f"Of the paper’s six claims, this model {listed(said)}; {listed(others)} compares models."


def _part(run: Run, row: xr.Dataset, without: str) -> Part:
    """
    Args:
        without: the contrast squares that the study has none of; empty where it has some.
    """
    found, n_tasks, labels = estimate(row, "estimate"), int(row["n_tasks"]), str(row["labels"].item())
    margin, above = float(row["margin"]), bool(row["above"])
    lacks = bool(without) and labels == "contrast"
    return Part(
        name=str(row["part"].item()),
        estimand=str(row["estimand"].item()),
        estimate=found,
        margin=margin,
        above=above,
        is_gate=bool(row["is_gate"]),
        labels=run.kind_names[labels],
        n_tasks=n_tasks,
        outcome=str(row["part_outcome"].item()),
        beside=estimate(row, "beside_estimate"),
        beside_tasks=int(row["beside_n_tasks"]),
        beside_outcome=str(row["beside"].item()),
        other=next(name for kind, name in run.kind_names.items() if kind != labels),
        few=found.known and n_tasks < int(run.verdict.attrs["min_tasks"]),
        needs=without if lacks else str(row["needs"].item()),
        no_squares=lacks,
        axis=_axis(found, margin, above) if found.bounded else None,
    )


def _axis(estimate: Estimate, margin: float, above: bool) -> Axis:
    """From a little below the lowest of interval, margin and 0 to a little above the highest."""
    low, high = min(estimate.low, margin, 0.0), max(estimate.high, margin, 0.0)
    span = max(high - low, 1e-6)

    def place(value: float) -> float:
        return round(_PAD + (value - low) / span * (_WIDTH - 2 * _PAD), 1)

    at = place(margin)
    side = (at, _WIDTH) if above else (0.0, at)
    return Axis(place(estimate.low), place(estimate.value), place(estimate.high), at, *side)
