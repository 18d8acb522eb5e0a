"""IFEval's `language` group: the language that a text is written in. Which one it is, the detector says."""

from __future__ import annotations

from difflib import get_close_matches

from pydantic import Field, StrictStr, field_validator

from heedful.constraints.ifeval.base import IFEvalConstraint, ifeval_type
from heedful.constraints.language import LANGUAGES, detect_language
from heedful.constraints.verdict import Verdict
from heedful.errors import InputError


@ifeval_type("language:response_language")
class ResponseLanguage(IFEvalConstraint):
    """The whole text is in one language, as langdetect says; a text of which it can make nothing passes."""

    language: StrictStr = Field(description="its ISO 639-1 code: 'de'")

    @field_validator("language")
    @classmethod
    def _is_known(cls, language: str) -> str:
        if language not in LANGUAGES:
            near = get_close_matches(language, LANGUAGES, n=1)
            raise InputError(
                f"the language {language!r} is none that can be detected",
                (f"did you mean {near[0]!r}? " if near else "") + f"known: {', '.join(LANGUAGES)}",
            )
        return language

    def describe(self) -> str:
        return f"written in the language {self.language}"

    def _verify(self, text: str) -> Verdict:
        detected = detect_language(text)
        if detected.missing:
            return self._undecided(detected.reason)
        passed = detected.language in (None, self.language)
        hint = f"write all of it in the language {self.language}"
        return self._held(passed, f"language: {detected.reason}", measured=detected.language or "unknown", hint=hint)
