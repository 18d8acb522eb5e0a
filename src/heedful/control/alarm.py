"""What a probe monitor may say: that a response looks likely to violate. Never that it does.

An `Alarm` proposes to stop; whether a text violates its constraint is for a verifier to say, and the two share no type.
Knows no model and no tensor.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from heedful.constraints import Constraint
from heedful.control.studied import task_of

if TYPE_CHECKING:
    from heedful.prompts.skills import Skill


@dataclass(frozen=True)
class Alarm:
    """A monitor's score passed its threshold, for the first time in this response. A proposal, and no verdict.

    Attributes:
        name: the monitor's, which is its task's.
        score: in log-odds of its probe, smoothed over tokens; above `threshold`.
        threshold: what holds the stated rate of false alarms.
        risk: the calibrated probability, at this token, that the finished response violates.
        token: index, among the response's tokens, of the one that raised it.
        position: the same by name, `response[17]`.
        false_alarms: at most this share of the compliant responses raise an alarm.
        skill: of the user's own, whose monitor it is; None for one of the nine tasks.
    """

    name: str
    score: float
    threshold: float
    risk: float
    token: int
    false_alarms: float
    skill: Skill | None = None

    @property
    def position(self) -> str:
        """Which token, by name."""
        return f"response[{self.token}]"

    def concerns(self, constraints: Iterable[Constraint]) -> bool:
        """Whether one of these is what the monitor's task asks for."""
        skills = () if self.skill is None else (self.skill,)
        return any(task_of(constraint, skills) == self.name for constraint in constraints)

    def __str__(self) -> str:
        return (
            f"{self.name}: may end in a violation (risk {self.risk:.0%} at token {self.token + 1}; "
            f"alarms on at most {self.false_alarms:.0%} of compliant responses)"
        )
