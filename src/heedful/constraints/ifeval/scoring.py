"""A model's score on IFEval or IFBench: every response judged strictly and loosely, and the shares that pass.

By prompt (all instructions hold), by instruction, by type and by group of types. What could not be judged, and what was not
answered, is in no share. Knows neither files nor terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from heedful.constraints.base import Constraint
from heedful.constraints.ifeval.accuracy import Accuracy, accuracy
from heedful.constraints.ifeval.loose import check_loose
from heedful.constraints.ifeval.rows import Answered
from heedful.constraints.verdict import Verdict

Mode = Literal["strict", "loose"]
MODES: tuple[Mode, Mode] = ("strict", "loose")


class Judged(NamedTuple):
    """A response with the verdicts on each of its prompt's instructions, in their order; no verdicts if it is missing."""

    item: Answered
    strict: tuple[Verdict, ...]
    loose: tuple[Verdict, ...]

    def passed(self, mode: Mode) -> list[bool | None]:
        """Whether each instruction is followed; None where it could not be judged."""
        verdicts = self.strict if mode == "strict" else self.loose
        if not verdicts:
            return [None] * len(self.item.prompt.instructions)
        return [verdict.passed if verdict.score is not None else None for verdict in verdicts]

    def whole(self, mode: Mode) -> bool | None:
        """Whether all are followed; None if none is violated and one could not be judged."""
        passed = self.passed(mode)
        return False if False in passed else None if None in passed else True


@dataclass(frozen=True)
class Scores:
    """The shares of one mode. Types and groups are named as the rows name them, in the order of the alphabet."""

    prompt: Accuracy
    instruction: Accuracy
    by_type: dict[str, Accuracy]
    by_family: dict[str, Accuracy]


def judge(
    items: Sequence[Answered],
    replacements: Callable[[Answered], Sequence[Constraint]] | None = None,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Judged]:
    """The verdicts on every response.

    Args:
        replacements: the constraints to judge by instead of the prompt's own, one for each.
        progress: called with the number of responses judged so far.
    """
    found = []
    for done, item in enumerate(items, start=1):
        asked = item.prompt.instructions if replacements is None else replacements(item)
        if item.response is None:
            found.append(Judged(item, (), ()))
        else:
            strict = tuple(constraint.check(item.response) for constraint in asked)
            loose = tuple(
                check_loose(constraint, item.response, first) for constraint, first in zip(asked, strict, strict=True)
            )
            found.append(Judged(item, strict, loose))
        progress(done)
    return found


def scores(judged: Sequence[Judged], mode: Mode) -> Scores:
    """The shares that pass in one mode, over the prompts that were answered."""
    rows = [each for each in judged if each.item.response is not None]
    flat = [
        (constraint.ifeval_id, place, passed)
        for place, each in enumerate(rows)
        for constraint, passed in zip(each.item.prompt.instructions, each.passed(mode), strict=True)
    ]
    return Scores(
        prompt=accuracy([each.whole(mode)] for each in rows),
        instruction=accuracy(each.passed(mode) for each in rows),
        by_type=_grouped((name, place, passed) for name, place, passed in flat),
        by_family=_grouped((name.split(":")[0], place, passed) for name, place, passed in flat),
    )


def _grouped(items: Iterable[tuple[str, int, bool | None]]) -> dict[str, Accuracy]:
    clusters: dict[str, dict[int, list[bool | None]]] = {}
    for name, place, passed in items:
        clusters.setdefault(name, {}).setdefault(place, []).append(passed)
    return {name: accuracy(found.values()) for name, found in sorted(clusters.items())}


def row_of(judged: Judged) -> dict[str, Any]:
    """One row as JSON: the key, whether each instruction holds (null: not judged), and what each strict verdict says."""
    prompt = judged.item.prompt
    return {
        "key": prompt.key,
        "instructions": [constraint.ifeval_id for constraint in prompt.instructions],
        "strict": judged.passed("strict"),
        "loose": judged.passed("loose"),
        "reasons": [verdict.reason for verdict in judged.strict] or ["no response"] * len(prompt.instructions),
    }
