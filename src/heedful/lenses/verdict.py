"""The verdict: what the lenses together say of each claim of Rocchetti & Ferrara (2026), C1 to C6.

A claim is one part or several. A part is an estimand, a margin, and the side of the margin on which the claim stands: its
interval wholly on that side supports the part, wholly on the other contradicts it, and anything else leaves it undecided.
A claim is supported by all its parts and contradicted by any. Reads results and no hidden state; where fewer than five
tasks can be read, nothing is decided.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import xarray as xr

from heedful.lenses.data import MIN_NATURAL, Kind
from heedful.lenses.depth import STEPS, headline_position
from heedful.lenses.transfer import NAMED_PAIRS

Outcome = Literal["supported", "contradicted", "undecided"]
Results = Mapping[str, xr.Dataset]

MIN_TASKS = 5
CLAIMS = {
    "C1": "A general probe does worse than the skill's own: little is shared.",
    "C2": "Transfer between skills is weak, and clusters: topic with sentiment, exclusion with toxicity.",
    "C3": "Erasing one skill hurts few others: dependencies are sparse, and no module is central.",
    "C4": "Skills stand at different depths: structural, then lexical, then semantic and stylistic.",
    "C5": "Compliance is monitored while writing, not planned before.",
    "C6": "Models differ in how far the signal is specific to the constraint.",
}


class Estimate(NamedTuple):
    """An estimand's value with its interval, and the tasks that it speaks of."""

    value: float
    low: float
    high: float
    n_tasks: int


class Part(NamedTuple):
    """One estimand of a claim.

    Attributes:
        claim: C1 … C6.
        name: of the part.
        estimand: what is estimated, in words.
        margin: δ, in the estimand's units.
        above: whether the claim stands above the margin, or below it.
        kind: labels that decide.
        read: the estimate from the lenses' results, for a kind.
        needs: what there is no estimate without.
        is_gate: a condition under which the claim can be decided at all: if it is not supported, the claim is undecided.
    """

    claim: str
    name: str
    estimand: str
    margin: float
    above: bool
    kind: Kind
    read: Callable[[Results, str], Estimate]
    needs: str
    is_gate: bool = False

    def judge(self, found: Estimate) -> Outcome:
        """Which side of the margin the interval lies on."""
        if any(math.isnan(value) for value in found[:3]) or found.n_tasks < MIN_TASKS:
            return "undecided"
        below, beyond = found.high < self.margin, found.low > self.margin
        if below or beyond:
            return "supported" if beyond == self.above else "contradicted"
        return "undecided"


def _specialists(name: str) -> Callable[[Results, str], Estimate]:
    def read(results: Results, kind: str) -> Estimate:
        here = results["specialists"].sel(kind=kind)
        return _estimate(here, name, int(here["n_readable"]))

    return read


def _transfer(name: str, **at: str) -> Callable[[Results, str], Estimate]:
    def read(results: Results, kind: str) -> Estimate:
        here = results["transfer"].sel({"kind": kind, **at})
        own = [float(here["auroc_low"].sel(source=task, target=task)) for task in here["task"].values]
        return _estimate(here, name, sum(low > 0.5 for low in own))

    return read


def _headline(results: Results, kind: str) -> xr.Dataset:
    found = results["ablation"]
    return found.sel(kind=kind, eraser=found.attrs["headline_eraser"], reading=found.attrs["headline_reading"])


def _ablation(name: str) -> Callable[[Results, str], Estimate]:
    def read(results: Results, kind: str) -> Estimate:
        here = _headline(results, kind)
        return _estimate(here, name, int((here["before_low"] > 0.5).sum()))

    return read


def _at_headline(depth: xr.Dataset, kind: str) -> xr.Dataset:
    return depth.sel(kind=kind, position=headline_position(depth))


def _step(step: str) -> Callable[[Results, str], Estimate]:
    def read(results: Results, kind: str) -> Estimate:
        here = _at_headline(results["depth"], kind)
        return _estimate(here.sel(step=step), "gain", int(here["rank_tasks"]))

    return read


def _order(results: Results, kind: str) -> Estimate:
    """A p tells against chance, and never for it: its interval begins at 0."""
    here = _at_headline(results["depth"], kind)
    p = float(here["order_p"])
    return Estimate(p, 0.0, p, int(here["rank_tasks"]))


def _temporal(name: str) -> Callable[[Results, str], Estimate]:
    def read(results: Results, kind: str) -> Estimate:
        here = results["temporal"].sel(kind=kind)
        return _estimate(here, name, int(here["n_planning" if name == "planning" else "n_tasks"]))

    return read


def _estimate(here: xr.Dataset, name: str, n_tasks: int) -> Estimate:
    value, low, high = (float(here[f"{name}{end}"]) for end in ("", "_low", "_high"))
    return Estimate(value, low, high, n_tasks)


_TWO = "two tasks that can be read"
PARTS = (
    Part(
        "C1", "lost", "share of the specialists’ d′ that one probe for all tasks loses", 0.1, True, "contrast",
        _specialists("lost"), "a task that can be read",
    ),
    *(
        Part(
            "C2", f"{a} with {b}", f"share of own probes’ d′ that {a} and {b} reach in each other − that of other pairs", 0.2,
            True, "contrast", _transfer("planned", pair=f"{a} and {b}"), f"{a} and {b} that can be read, and another pair",
        )
        for a, b in NAMED_PAIRS
    ),
    Part(
        "C2", "weak", "share of own probes’ d′ that other tasks’ probes reach, either way round", 0.5, False, "contrast",
        _transfer("mean_share"), "two tasks that can be read, of no named pair",
    ),
    Part(
        "C3", "sparse", "share of AUROC − 0.5 that other tasks’ new probes lose, over what erased tasks lose themselves", 0.25,
        False, "contrast", _ablation("damage_of_own"), _TWO,
    ),
    Part(
        "C3", "no hub", "the same, where the most damaging task is erased", 0.5, False, "contrast",
        _ablation("hub_of_own"), _TWO,
    ),
    Part(
        "C3", "erased", "share of AUROC − 0.5 that erased tasks lose themselves", 0.02, True, "contrast",
        _ablation("own"), _TWO, is_gate=True,
    ),
    *(
        Part(
            "C4", f"{lower} to {upper}", f"mean depth of {upper} tasks − of {lower} ones", 0.05, True, "contrast",
            _step(f"{lower} to {upper}"), f"several sites, and {lower} and {upper} tasks that can be read",
        )
        for lower, upper in (step.split(" to ") for step in STEPS)
    ),
    Part(
        "C4", "order", "share of ways to give these ranks to the tasks that climb as much", 0.05, False, "contrast", _order,
        "several sites, and three tasks that can be read, not all of one rank",
    ),
    Part(
        "C5", "no plan", "share of what the prompt's words leave open that the state tells, before the first token", 0.15,
        False, "natural", _temporal("planning"),
        f"{MIN_NATURAL} answers that comply and {MIN_NATURAL} that do not, told apart at their end",
    ),
    Part(
        "C5", "monitoring", "AUROC − 0.5 while writing", 0.05, True, "contrast", _temporal("monitoring"),
        "tokens while writing that every readable task has enough squares at",
    ),
    Part(
        "C5", "rise", "AUROC at the end − AUROC at the first token", 0.05, True, "contrast", _temporal("rise"),
        "tokens while writing that every readable task has enough squares at",
    ),
)  # fmt: skip
"""What decides each claim. C6 compares models: a study of one has no part of it."""


def _found(part: Part, results: Results, kind: str) -> Estimate:
    """A part's estimate; none where its lens was not put to the states."""
    try:
        return part.read(results, kind)
    except KeyError as error:
        if error.args[0] in results:
            raise
        return Estimate(math.nan, math.nan, math.nan, 0)


def decide(parts: Mapping[str, Outcome], gates: Mapping[str, Outcome]) -> Outcome:
    """A claim's outcome from those of its parts and gates, by name."""
    if not parts or any(outcome != "supported" for outcome in gates.values()):
        return "undecided"
    if "contradicted" in parts.values():
        return "contradicted"
    return "supported" if all(outcome == "supported" for outcome in parts.values()) else "undecided"


def verdict(results: Results) -> xr.Dataset:
    """Lens 7: every claim with its outcome, and every part with its estimate, interval and margin.

    Variables by `part` speak of the labels that decide it; `beside` is the outcome on the other labels, and
    `beside_estimate` what it is of, which never decide. By `claim`: `outcome`, and the parts that made it.
    """
    found = [_found(part, results, part.kind) for part in PARTS]
    outcomes = [part.judge(estimate) for part, estimate in zip(PARTS, found, strict=True)]
    other: dict[Kind, Kind] = {"contrast": "natural", "natural": "contrast"}
    beside = [_found(part, results, other[part.kind]) for part in PARTS]
    by_claim: dict[str, tuple[dict[str, Outcome], dict[str, Outcome]]] = {claim: ({}, {}) for claim in CLAIMS}
    for part, outcome in zip(PARTS, outcomes, strict=True):
        by_claim[part.claim][part.is_gate][part.name] = outcome
    variables = {
        "outcome": (("claim",), [decide(*each) for each in by_claim.values()], {"long_name": "verdict on the claim"}),
        "statement": (("claim",), list(CLAIMS.values()), {"long_name": "what the paper found"}),
        "part_claim": (("part",), [part.claim for part in PARTS], {"long_name": "claim that the part belongs to"}),
        "estimand": (("part",), [part.estimand for part in PARTS], {"long_name": "what is estimated"}),
        "needs": (("part",), [part.needs for part in PARTS], {"long_name": "what there is no estimate without"}),
        "labels": (("part",), [part.kind for part in PARTS], {"long_name": "labels that decide"}),
        "estimate": (("part",), [each.value for each in found], {"long_name": "estimate"}),
        "estimate_low": (("part",), [each.low for each in found], {"long_name": "lower bound of the estimate"}),
        "estimate_high": (("part",), [each.high for each in found], {"long_name": "upper bound of the estimate"}),
        "n_tasks": (("part",), [each.n_tasks for each in found], {"long_name": "readable tasks", "units": "tasks"}),
        "margin": (("part",), [part.margin for part in PARTS], {"long_name": "margin δ"}),
        "above": (("part",), [part.above for part in PARTS], {"long_name": "whether the claim is above the margin"}),
        "is_gate": (
            ("part",),
            [part.is_gate for part in PARTS],
            {"long_name": "whether the claim is undecided unless this holds"},
        ),
        "part_outcome": (("part",), outcomes, {"long_name": "verdict on the part"}),
        "beside": (
            ("part",),
            [part.judge(estimate) for part, estimate in zip(PARTS, beside, strict=True)],
            {"long_name": "verdict on the other labels, beside"},
        ),
        "beside_estimate": (("part",), [each.value for each in beside], {"long_name": "estimate on the other labels"}),
        "beside_estimate_low": (("part",), [each.low for each in beside], {"long_name": "lower bound of that"}),
        "beside_estimate_high": (("part",), [each.high for each in beside], {"long_name": "upper bound of that"}),
        "beside_n_tasks": (
            ("part",),
            [each.n_tasks for each in beside],
            {"long_name": "tasks readable on the other labels", "units": "tasks"},
        ),
    }
    attrs = {"min_tasks": MIN_TASKS, "level": 0.95, "source": "Rocchetti & Ferrara 2026, arXiv:2604.06015"}
    return xr.Dataset(variables, {"claim": list(CLAIMS), "part": [part.name for part in PARTS]}, attrs)
