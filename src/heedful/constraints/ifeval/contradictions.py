"""Instructions of one prompt that no text can follow together. Judges no text.

Some instructions say that a stretch of text must stand in the response (the prompt repeated, a last phrase); others are
violated by any text that holds a certain thing (a comma, a forbidden word, too many letters). Where the stretch itself holds
it, the two contradict each other, whatever the response. Only what can be proved so is told; other prompts are merely odd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from heedful.constraints.base import Constraint
from heedful.constraints.ifeval.arrangement import EndChecker, NoComma, Quotation, RepeatPrompt
from heedful.constraints.ifeval.base import IFEvalConstraint
from heedful.constraints.ifeval.formats import JsonText
from heedful.constraints.ifeval.keywords import ForbiddenWords, KeywordsFrequency, LetterFrequency
from heedful.constraints.ifeval.length import NumberWords
from heedful.constraints.verdict import Verdict


class Contradiction(NamedTuple):
    """Two instructions, by their place in the prompt's list, and why no text follows both."""

    first: int
    second: int
    why: str


class Unmeetable(Constraint):
    """Stands for an instruction that another one rules out: no text is judged by it."""

    id = "ifeval-corrected/unmeetable"
    why: str

    def describe(self) -> str:
        return "nothing: the instructions contradict each other"

    def _verify(self, text: str) -> Verdict:
        return self._undecided(self.why)


def contradictions(instructions: Sequence[IFEvalConstraint]) -> list[Contradiction]:
    """The pairs of instructions that no text can follow together."""
    found = []
    for i, needs in enumerate(instructions):
        for j, forbids in enumerate(instructions):
            if i != j and (why := _why(needs, forbids)):
                found.append(Contradiction(i, j, why))
    return found


def without_contradictions(instructions: Sequence[IFEvalConstraint]) -> list[Constraint]:
    """The instructions, with `Unmeetable` in the place of those that contradict each other."""
    whys = {place: each.why for each in contradictions(instructions) for place in (each.first, each.second)}
    return [Unmeetable(why=whys[i]) if i in whys else each for i, each in enumerate(instructions)]


def _why(needs: IFEvalConstraint, forbids: IFEvalConstraint) -> str:
    match needs:
        case RepeatPrompt():
            stretch, name = needs.prompt_to_repeat.strip(), "the request that must be repeated"
            if isinstance(forbids, Quotation) and stretch[0] not in '"“„':
                return f"{name} must come first, and so must a quotation mark"
            if isinstance(forbids, JsonText) and stretch[0] not in "{[`":
                return f"{name} must come first, and the whole must be JSON"
        case EndChecker():
            stretch, name = needs.end_phrase.strip(), "the phrase that must come last"
        case _:
            return ""
    if _rules_out(forbids, stretch):
        return f"{name} violates “{forbids.describe()}”"
    return ""


def _rules_out(forbids: IFEvalConstraint, stretch: str) -> bool:
    """Whether every text that holds the stretch violates the instruction."""
    match forbids:
        case NoComma():
            return not forbids.passes(stretch)
        case ForbiddenWords():
            # A word at the stretch's edge may be part of a longer one in the response.
            inner = (start > 0 and end < len(stretch) for start, end in forbids.check(stretch).spans)
            return any(inner)
        case KeywordsFrequency(relation="less than") | LetterFrequency(let_relation="less than"):
            return not forbids.passes(stretch)
        case NumberWords(relation="less than"):
            return not forbids.passes(stretch)
    return False
