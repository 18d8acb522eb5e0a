"""Whether a study and its answers are enough for a task's monitor; where not, what is lacking, and what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from heedful.control.monitors import fewest_units
from heedful.errors import InputError
from heedful.workbench.monitors.answers import Answers

LEAST_OF_A_CLASS = 25
"""Training responses of either class."""


class Lack(NamedTuple):
    """Why a task has no monitor: how many of something there are, what of it there must be, and whether of the study's own."""

    found: str
    needed: str
    of_study: bool = False

    def __str__(self) -> str:
        return f"{self.found} {self.needed}"


def none_possible(lacks: Mapping[str, Lack]) -> InputError:
    tasks: dict[str, list[str]] = {}  # by what they lack, so that it is said once
    for task, lack in lacks.items():
        tasks.setdefault(lack.needed, []).append(f"{task} {lack.found}")
    own = {lack.of_study for lack in lacks.values()}
    cures = ["study again with more --samples (a default study has 400)"] if True in own else []
    if False in own:
        cures.append(
            "raise --responses, allow more --false-alarms, or give --calibration-prompts N (fewer than 100 hold the rate less "
            "closely)"
        )
    told = "; ".join(f"{', '.join(those)} {needed}" for needed, those in tasks.items())
    return InputError(f"no monitor can be made: {told}", "; ".join(cures))


def too_few_of_a_class(samples: Sequence[Mapping[str, Any]], wanted: Sequence[str]) -> dict[str, Lack]:
    """Tasks of which the study itself has too few answers of a class to learn from, whatever else is asked."""
    reasons = {}
    for task in wanted:
        judged = [each["outcome"] for each in samples if each["kind"] == "natural" and each["task"] == task]
        failed, passed = judged.count("fail"), judged.count("pass")
        if min(failed, passed) < LEAST_OF_A_CLASS:
            reasons[task] = _taught(failed, failed + passed)
    return reasons


def _taught(violate: int, of: int) -> Lack:
    needed = f"training responses violate; it takes {LEAST_OF_A_CLASS} of either class"
    return Lack(f"{violate} of {of}", needed, of_study=True)


def usable(
    answers: Answers, wanted: Sequence[str], least: int, false_alarms: float
) -> tuple[tuple[str, ...], dict[str, Lack]]:
    """Tasks that a monitor can be made for, and why it cannot for the others."""
    reasons, needed = {}, max(least, fewest_units(false_alarms))
    for task in wanted:
        taught = [answer.violates for answer in answers.training if answer.task == task]
        calibration = [answer for answer in answers.calibration if answer.task == task]
        compliant = len({answer.base for answer in calibration if not answer.violates})
        violations = sum(answer.violates for answer in calibration)
        if min(sum(taught), len(taught) - sum(taught)) < LEAST_OF_A_CLASS:
            reasons[task] = _taught(sum(taught), len(taught))
        elif compliant < needed:
            rule = f"calibration base prompts have a compliant response; it takes {needed}"
            reasons[task] = Lack(str(compliant), rule)
        elif violations == 0:
            reasons[task] = Lack("0", "calibration responses violate, so the risk has no scale")
    return tuple(task for task in wanted if task not in reasons), reasons
