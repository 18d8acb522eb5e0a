"""The claims table: what the paper found, what this model shows, how sure.

Reads the verdict; places each part's interval beside its margin on a small axis of its own. Decides nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import xarray as xr

from heedful.report.wording import KIND_NAMES, PART_NAMES, Estimate, listed, number, with_interval

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
    beside: str
    other: str
    """The labels beside, that `beside` is by."""
    few: bool
    """Whether fewer tasks can be read than a decision takes."""
    needs: str
    """What there is no estimate without."""
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


def claims(verdict: xr.Dataset, kind_names: Mapping[str, str] = KIND_NAMES) -> list[Claim]:
    """C1 … C6, in order.

    Args:
        kind_names: what the kinds of labels are called.
    """
    least = int(verdict.attrs["min_tasks"])
    parts = [_part(verdict.isel(part=i), kind_names, least) for i in range(verdict.sizes["part"])]
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


def claims_sentence(found: list[Claim]) -> str:
    """Which claims hold of this model, and which do not."""
    said = []
    for outcome, words in (("supported", "bears out"), ("contradicted", "contradicts"), ("undecided", "leaves open")):
        names = [claim.name for claim in found if claim.outcome == outcome]
        if names:
            said.append(f"{words} {listed(names)}")
    return f"Of the paper’s six claims, this model {listed(said)}."


def _part(row: xr.Dataset, kind_names: Mapping[str, str], least: int) -> Part:
    estimate = Estimate(*(float(row[name]) for name in ("estimate", "estimate_low", "estimate_high")))
    margin, above = float(row["margin"]), bool(row["above"])
    return Part(
        name=str(row["part"].item()),
        estimand=str(row["estimand"].item()),
        estimate=estimate,
        margin=margin,
        above=above,
        is_gate=bool(row["is_gate"]),
        labels=kind_names[str(row["labels"].item())],
        n_tasks=int(row["n_tasks"]),
        outcome=str(row["part_outcome"].item()),
        beside=str(row["beside"].item()),
        other=next(name for kind, name in kind_names.items() if kind != row["labels"].item()),
        few=estimate.known and int(row["n_tasks"]) < least,
        needs=str(row["needs"].item()),
        axis=_axis(estimate, margin, above) if estimate.bounded else None,
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
