"""Mechanisms whose truth is known, and the verdict that each deserves.

A mechanism says along which latent directions each task's label lies, how strong its trace is by depth and by time, and
what else moves the states: the model's surprise, length, wording. Knows no row and no state: `draw` makes those.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import exp
from typing import Literal

from heedful.lenses.verdict import Outcome
from heedful.prompts.tasks import TASKS

Bench = Literal["structure", "depth", "time"]
"""What is drawn, and which claims can be put to it: C1–C3 at one site and position; C4 over sites; C5 over positions."""

CLAIMS: Mapping[Bench, tuple[str, ...]] = {"structure": ("C1", "C2", "C3"), "depth": ("C4",), "time": ("C5",)}

FAMILIES = {name: task.family for name, task in TASKS.items()}
_ONSET = {"structural": 0.25, "lexical": 0.5, "semantic": 0.75, "stylistic": 0.75}


def _own(task: str) -> dict[str, float]:
    return {task: 1.0}


def _one(task: str) -> dict[str, float]:
    return {"compliance": 1.0}


def _either_way(task: str) -> dict[str, float]:
    """One direction for all, which four tasks read upside down."""
    return {"compliance": -1.0 if task in ("word_count", "json", "exclude", "toxicity") else 1.0}


def _one_pair(task: str) -> dict[str, float]:
    return _clustered(task) if task in ("topic", "sentiment") else {task: 1.0}


_CLUSTER = {"topic": "content", "sentiment": "content", "exclude": "avoidance", "toxicity": "avoidance"}


def _even(task: str) -> float:
    return 1.0


def _clustered(task: str) -> dict[str, float]:
    """Four fifths of a named pair's trace lie along a direction that the pair shares."""
    return {_CLUSTER[task]: 0.9, task: 0.44} if task in _CLUSTER else {task: 1.0}


ONE_WAY = {"char_count": "word_count", "toxicity": "topic", "exclude": "include", "sentiment": "register"}
"""Task → the task whose module it uses."""


def _leaning(task: str) -> dict[str, float]:
    return {ONE_WAY[task]: 0.75, task: 0.66} if task in ONE_WAY else {task: 1.0}


def _firm(task: str) -> float:
    """A d′ at which even a general probe of nine separate tasks has an AUROC near 1."""
    return 5.0


def _firm_modules(task: str) -> float:
    """The modules that others lean on are read so well that losing what they share costs them nothing.

    Erasure is symmetric in d': of two tasks whose directions are at an angle, each takes the same share of the other's.
    So a dependency is one-way where one of the two has more than it needs.
    """
    return 2.5 if task in ONE_WAY.values() else 1.0


def _sigmoid(x: float) -> float:
    return 1 / (1 + exp(-x))


def _always(task: str, depth: float) -> float:
    return 1.0


def _early_late(task: str, depth: float) -> float:
    return _sigmoid((depth - _ONSET[FAMILIES[task]]) / 0.05)


def _late_early(task: str, depth: float) -> float:
    return _sigmoid((depth - (1 - _ONSET[FAMILIES[task]])) / 0.05)


def _together(task: str, depth: float) -> float:
    return _sigmoid((depth - 0.5) / 0.05)


def _lexical_first(task: str, depth: float) -> float:
    onset = {"lexical": 0.25, "structural": 0.45}.get(FAMILIES[task], 0.75)
    return _sigmoid((depth - onset) / 0.05)


def _slowly(task: str, depth: float) -> float:
    return _sigmoid((depth - 0.5) / 0.12)


def _unequal(task: str) -> float:
    """d′ from 4 to 1 by family, so that strength goes with the order that depth is asked for."""
    return {"structural": 1.6, "lexical": 0.8}.get(FAMILIES[task], 0.4)


def _throughout(when: float) -> float:
    return 1.0


def _never(when: float) -> float:
    return 0.0


def _rising(when: float) -> float:
    """Nothing at the first token, all of it at the end."""
    return when


@dataclass(frozen=True)
class Mechanism:
    """One way in which a model might follow instructions.

    Attributes:
        name: for the command line.
        says: in a sentence.
        directions: of a task's label: latent → weight; weights square to 1.
        by_depth: strength of the label's trace at a task and relative depth, in [0, 1].
        by_time: the same at a time: 0 for the first token of the response, 1 for its end.
        planned: strength, before the response and after, of what the model expects of its own answer.
        firmness: of a task's trace, times the strength that all share.
        wording: how much the prompt's wording decides whether the model complies, in the states and in the words alike.
        surprise: strength of the trace of log p.
        truth: bench → claim → the verdict that is right.
    """

    name: str
    says: str
    directions: Callable[[str], Mapping[str, float]] = _own
    by_depth: Callable[[str, float], float] = _always
    by_time: Callable[[float], float] = _throughout
    planned: float = 0.0
    firmness: Callable[[str], float] = _even
    wording: float = 0.0
    surprise: float = 0.0
    truth: Mapping[Bench, Mapping[str, Outcome]] = field(default_factory=dict)

    def edges(self) -> set[tuple[str, str]]:
        """(erased, target): what is planted of the target goes with the erased task's trace."""
        if self.by_time is _never:
            return set()
        latent = {task: set(self.directions(task)) for task in FAMILIES}
        return {
            (a, b)
            for a in latent
            for b in latent
            if a != b and latent[a] & latent[b] and self.firmness(a) >= self.firmness(b)
        }


_UNDECIDED: dict[Bench, dict[str, Outcome]] = {
    bench: dict.fromkeys(claims, "undecided") for bench, claims in CLAIMS.items()
}

MECHANISMS: Mapping[str, Mechanism] = {
    each.name: each
    for each in (
        Mechanism(
            "universal",
            "one direction for every task",
            _one,
            truth={"structure": {"C1": "contradicted", "C2": "contradicted", "C3": "contradicted"}},
        ),
        Mechanism(
            "independent",
            "a direction of its own for each task",
            truth={"structure": {"C1": "supported", "C2": "contradicted", "C3": "supported"}},
        ),
        Mechanism(
            "firm-universal",
            "one direction for every task, read almost without error",
            _one,
            firmness=_firm,
            truth={"structure": {"C1": "contradicted", "C2": "contradicted", "C3": "contradicted"}},
        ),
        Mechanism(
            "firm",
            "a direction of its own for each task, read almost without error",
            firmness=_firm,
            truth={"structure": {"C1": "supported", "C2": "contradicted", "C3": "supported"}},
        ),
        Mechanism(
            "clustered",
            "topic and sentiment share most of a direction, exclusion and toxicity of another",
            _clustered,
            truth={"structure": {"C1": "supported", "C2": "supported", "C3": "supported"}},
        ),
        Mechanism(
            "one-pair",
            "topic and sentiment share most of a direction, and nothing else is shared",
            _one_pair,
            truth={"structure": {"C1": "supported", "C2": "contradicted", "C3": "supported"}},
        ),
        Mechanism(
            "either-way",
            "one direction for every task, which four of them use upside down",
            _either_way,
            truth={"structure": {"C2": "contradicted", "C3": "contradicted"}},
        ),
        Mechanism(
            "one-way",
            "four tasks lean on another's module, which does not lean on theirs",
            _leaning,
            firmness=_firm_modules,
            truth={"structure": {"C1": "supported", "C2": "contradicted", "C3": "supported"}},
        ),
        Mechanism(
            "early-late",
            "structural tasks emerge at a quarter of the depth, lexical at half, the others at three quarters",
            by_depth=_early_late,
            truth={"depth": {"C4": "supported"}},
        ),
        Mechanism("late-early", "the same, upside down", by_depth=_late_early, truth={"depth": {"C4": "contradicted"}}),
        Mechanism(
            "one-depth", "all tasks emerge half-way", by_depth=_together, truth={"depth": {"C4": "contradicted"}}
        ),
        Mechanism(
            "lexical-first",
            "lexical tasks emerge at a quarter of the depth, structural half-way, the others at three quarters",
            by_depth=_lexical_first,
            truth={"depth": {"C4": "contradicted"}},
        ),
        Mechanism(
            "unequal",
            "all tasks emerge slowly half-way, structural ones the strongest by far",
            by_depth=_slowly,
            firmness=_unequal,
            truth={"depth": {"C4": "contradicted"}},
        ),
        Mechanism(
            "monitoring",
            "nothing before the first token, then a rise to the end",
            by_time=_rising,
            truth={"time": {"C5": "supported"}},
        ),
        Mechanism(
            "planning",
            "the outcome is foreseen before the first token, and monitored",
            by_time=_rising,
            planned=1.5,
            truth={"time": {"C5": "contradicted"}},
        ),
        Mechanism(
            "planning-and-reading",
            "the wording decides, and what is foreseen beyond it; the states hold both",
            by_time=_rising,
            planned=1.5,
            wording=1.5,
            truth={"time": {"C5": "contradicted"}},
        ),
        Mechanism(
            "prompt-reading",
            "the wording of the prompt decides the outcome, and the states hold the wording; then monitoring",
            by_time=_rising,
            wording=1.0,
            truth={"time": {"C5": "supported"}},
        ),
        Mechanism("nothing", "no trace of compliance at all", by_time=_never, truth=_UNDECIDED),
        Mechanism("surprise", "only how probable the response is", by_time=_never, surprise=3.0, truth=_UNDECIDED),
        Mechanism(
            "confounds",
            "only length, format, wording and the base prompt's topic",
            by_time=_never,
            wording=1.0,
            truth=_UNDECIDED,
        ),
    )
}
"""By name."""
