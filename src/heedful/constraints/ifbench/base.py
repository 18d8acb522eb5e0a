"""What the instruction types of IFBench have in common.

IFBench (Pyatkin et al. 2025, arXiv:2507.02833) writes its rows as IFEval does: an id 'group:name' and kwargs. Each type is a
constraint with the id `ifbench/group_name` that decides as the published reference does, its quirks included; `corrected`
decides as the prompts ask. This file knows no particular type.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, TypeVar

from pydantic import Field

from heedful.constraints.ifbench.parts import Piece, bare_words, sentences
from heedful.constraints.ifeval.base import IFEvalConstraint, instruction_type, known_types
from heedful.constraints.verdict import Span, Verdict

BENCHMARK = "ifbench"

Place = Annotated[int, Field(strict=True, ge=1)]
"""A place that is counted from 1: the third sentence."""

Percentage = Annotated[float, Field(strict=True, ge=0, le=100)]


class IFBenchConstraint(IFEvalConstraint):
    """One of IFBench's instruction types, decided as the reference decides."""

    def _words(self, text: str) -> list[Piece]:
        return bare_words(text)

    def _sentences(self, text: str) -> list[Piece]:
        return sentences(text)

    def _none_wrong(self, wrong: Sequence[Span], total: int, things: str, hint: str) -> Verdict:
        """The verdict on `total` things of which none may be wrong; the score is the share that is right."""
        right = total - len(wrong)
        return self._verdict(
            not wrong,
            score=right / total if wrong else 1.0,
            measured=right,
            reason=f"{right} of {total} {things}",
            spans=wrong,
            hint=hint,
        )


T = TypeVar("T", bound=type[IFBenchConstraint])


def ifbench_type(ifbench_id: str) -> Callable[[T], T]:
    """Class decorator: the constraint that stands for this type of IFBench; registered as `ifbench/group_name`."""
    return instruction_type(ifbench_id, BENCHMARK)


def known_ifbench_types() -> dict[str, type[IFEvalConstraint]]:
    """Every type, by IFBench's id; those that are never scored included."""
    return known_types(BENCHMARK)
