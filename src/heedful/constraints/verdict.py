"""What a verifier says of a complete text.

Knows nothing of constraints: a verdict is a plain, frozen record that can be stored, sent and shown.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

Outcome = Literal["pass", "fail", "unscored", "error"]

Span = tuple[int, int]
"""(start, end) in characters of the text as given, end exclusive."""


class Verdict(BaseModel):
    """The outcome of one constraint on one text.

    Attributes:
        constraint: the id of the constraint, 'family/name'.
        outcome: 'pass' or 'fail'; 'unscored' if the verifier cannot tell; 'error' if it could not run. Only 'pass'
            ever counts as compliance.
        score: closeness to compliance in [0, 1]; None exactly if the outcome is 'unscored' or 'error'. A counted
            constraint scores 1 exactly if it passes; a classified one gives its classifier's score of the asked label.
        measured: what was found in the text, for example the number of words.
        expected: what was asked, in plain words.
        reason: one sentence that says why, with the numbers in it.
        spans: the places in the text that decided, in the order of the text.
        hint: what to change to comply, measured; empty if the text passes.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    constraint: str = ""
    outcome: Outcome
    score: float | None = Field(default=None, ge=0, le=1)
    measured: JsonValue = None
    expected: str = ""
    reason: str
    spans: tuple[Span, ...] = ()
    hint: str = ""

    @model_validator(mode="after")
    def _silence_is_not_a_score(self) -> Verdict:
        decided = self.outcome in ("pass", "fail")
        if decided != (self.score is not None):
            raise ValueError(f"the outcome {self.outcome!r} {'needs a score' if decided else 'has no score'}")
        return self

    @property
    def passed(self) -> bool:
        """True only for the outcome 'pass': what could not be checked has not passed."""
        return self.outcome == "pass"
