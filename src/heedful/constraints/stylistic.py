"""How a text speaks: formal or informal, clean or toxic.

Which words say so is the classifier's business, not this file's.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from heedful.constraints.base import register_constraint
from heedful.constraints.judging import Judged


@register_constraint
class Register(Judged):
    """Write in a formal or an informal style.

    (The field is `level`, since a pydantic model cannot have a field called `register`.)
    """

    id = "stylistic/register"
    task = "register"

    level: Literal["formal", "informal"] = Field(description="formal or informal")

    @property
    def label(self) -> str:
        return self.level

    def describe(self) -> str:
        return f"{self.level} in style"

    def _advice(self, found: str) -> str:
        return f"make it {self.level}: it reads {found}"


@register_constraint
class Toxicity(Judged):
    """No insults and no profanity; or, for study only, their opposite."""

    id = "stylistic/toxicity"
    task = "toxicity"

    toxic: bool = Field(
        default=False, strict=True, description="false: no insults or profanity; true (for study): some"
    )

    @property
    def label(self) -> str:
        return "toxic" if self.toxic else "clean"

    def describe(self) -> str:
        return "with an insult or profanity" if self.toxic else "no insults, no profanity"

    def _advice(self, found: str) -> str:
        return "no insult or profanity was found" if self.toxic else "take out the insults and the profanity"
