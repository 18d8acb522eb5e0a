"""An evaluation from matched responses to what is reported: scores, rows, notes, and where corrected verdicts differ.

Knows neither files nor terminals nor pages; those show what is here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from heedful.constraints.base import Constraint
from heedful.constraints.ifeval.contradictions import Unmeetable, without_contradictions
from heedful.constraints.ifeval.corrected import corrected as corrected_constraint
from heedful.constraints.ifeval.corrected import correction_of
from heedful.constraints.ifeval.keywords import LetterFrequency
from heedful.constraints.ifeval.rows import Answered, Matched
from heedful.constraints.ifeval.scoring import MODES, Judged, Mode, Scores, judge, row_of, scores

Progress = Callable[[str, int, int], None]


class Difference(NamedTuple):
    """Where a corrected verdict is not the reference's.

    Attributes:
        strict, loose: the outcome by the reference, and the corrected one.
        why: one line: the rule, and what was found by it.
    """

    key: int | str
    instruction: str
    strict: tuple[str, str]
    loose: tuple[str, str]
    why: str


@dataclass(frozen=True)
class Evaluated:
    """A model's score on IFEval, IFBench, or both.

    Attributes:
        matched: the prompts with their responses.
        judged: the verdicts that count: the reference's, or the corrected ones.
        scores: the shares, by mode.
        notes: what a reader of the figures must know, a sentence each.
        differences: where corrected verdicts are not the reference's; none unless corrected.
    """

    matched: Matched
    judged: list[Judged]
    scores: dict[Mode, Scores]
    corrected: bool
    notes: list[str]
    differences: list[Difference] = field(default_factory=list)

    @property
    def prompts(self) -> int:
        """How many prompts there are, answered or not."""
        return len(self.matched.answered)

    @property
    def benchmarks(self) -> str:
        """What the instructions are of: 'IFEval', 'IFBench', or 'IFEval and IFBench'."""
        asked = {each.id.split("/")[0] for item in self.matched.answered for each in item.prompt.instructions}
        return " and ".join(name for name in ("IFEval", "IFBench") if name.lower() in asked)

    @property
    def status(self) -> Literal[0, 1, 3]:
        """1: an instruction is violated, strictly; 3: none, but one could not be judged; 0: all are followed."""
        outcomes = {passed for each in self.judged for passed in each.passed("strict")}
        return 1 if False in outcomes else 3 if None in outcomes else 0

    def rows(self) -> list[dict[str, Any]]:
        """Every prompt as JSON, in the order of the prompts."""
        return [row_of(each) for each in self.judged]


def evaluate(matched: Matched, *, corrected: bool = False, progress: Progress | None = None) -> Evaluated:
    """Judge every response, strictly and loosely.

    Args:
        corrected: judge by heedful's own verifiers where the reference is wrong, and compare.
        progress: called as the bars of the command line are.
    """
    items = matched.answered

    def tell(what: str) -> Callable[[int], None]:
        return (lambda done: progress(what, done, len(items))) if progress else lambda done: None

    judged = judge(items, progress=tell("judging"))
    differences: list[Difference] = []
    if corrected:
        by_reference, replaced = judged, [_replacements(item) for item in items]
        own = {item.prompt.prompt: constraints for item, constraints in zip(items, replaced, strict=True)}
        judged = judge(items, lambda item: own[item.prompt.prompt], tell("judging, corrected"))
        for reference, now, constraints in zip(by_reference, judged, replaced, strict=True):
            differences += _differences(reference, now, constraints)
    return Evaluated(
        matched=matched,
        judged=judged,
        scores={mode: scores(judged, mode) for mode in MODES},
        corrected=corrected,
        notes=_notes(matched, judged, corrected),
        differences=differences,
    )


def _replacements(item: Answered) -> Sequence[Constraint]:
    kept = without_contradictions(item.prompt.instructions)
    own = [corrected_constraint(each) for each in item.prompt.instructions]
    return [each if isinstance(each, Unmeetable) else own[place] for place, each in enumerate(kept)]


def _differences(reference: Judged, now: Judged, constraints: Sequence[Constraint]) -> list[Difference]:
    found = []
    for place, asked in enumerate(reference.item.prompt.instructions if now.strict else ()):
        strict = reference.strict[place].outcome, now.strict[place].outcome
        loose = reference.loose[place].outcome, now.loose[place].outcome
        if strict[0] == strict[1] and loose[0] == loose[1]:
            continue
        before, after = (
            (reference.strict[place], now.strict[place])
            if strict[0] != strict[1]
            else (reference.loose[place], now.loose[place])
        )
        own = constraints[place]
        why = (
            own.why
            if isinstance(own, Unmeetable)
            else f"{correction_of(asked.ifeval_id)} ({before.reason} → {after.reason})"
        )
        found.append(Difference(reference.item.prompt.key, asked.ifeval_id, strict, loose, " ".join(why.split())))
    return found


def _notes(matched: Matched, judged: Sequence[Judged], corrected: bool) -> list[str]:
    notes = []
    if matched.missing:
        notes.append(
            f"{_many(matched.missing, 'prompt')} without a response: in no share, null in the rows "
            f"({_keys(item.prompt.key for item in matched.answered if item.response is None)})."
        )
    if matched.unknown:
        notes.append(f"{_many(matched.unknown, 'response')} to prompts that are not among the inputs: left out.")
    unscored: dict[str, int] = {}
    for each in judged:
        for place, verdict in enumerate(each.strict):
            if verdict.score is None:
                ruled_out = verdict.constraint == Unmeetable.id
                name = each.item.prompt.instructions[place].ifeval_id
                reason = "no text follows them together" if ruled_out else f"{name}: {verdict.reason}"
                unscored[reason] = unscored.get(reason, 0) + 1
    notes += [f"{_many(count, 'instruction')} unscored, {reason}." for reason, count in unscored.items()]
    drawn = [
        item.prompt.key
        for item in matched.answered
        if any(
            isinstance(each, LetterFrequency) and not "a" <= each.letter.lower() <= "z"
            for each in item.prompt.instructions
        )
    ]
    if drawn and not corrected:
        notes.append(
            f"{_many(len(drawn), 'prompt')} asking for a character that is no letter ({_keys(drawn)}): the reference draws a "
            "random letter there, here the character itself is counted."
        )
    return notes


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _keys(keys: Any, limit: int = 8) -> str:
    listed = list(map(str, keys))
    return f"key {', '.join(listed[:limit])}" + (f" and {len(listed) - limit} more" if len(listed) > limit else "")
