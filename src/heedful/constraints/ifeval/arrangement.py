"""IFEval's `combination`, `startend` and `punctuation` groups: how a text begins, ends and is put together.

Knows nothing of what the text says.
"""

from __future__ import annotations

import re

from pydantic import Field

from heedful.constraints.ifeval.base import IFEvalConstraint, Text, ifeval_type
from heedful.constraints.ifeval.parts import between, comma_spans, gaps_within, visible
from heedful.constraints.verdict import Span, Verdict

_SIX_STARS = re.compile(r"\*{6}")


@ifeval_type("combination:two_responses")
class TwoResponses(IFEvalConstraint):
    """Two different responses, divided by six asterisks."""

    def describe(self) -> str:
        return "two different responses divided by ******"

    def _parts(self, text: str) -> list[Span]:
        return between(_SIX_STARS, text)

    def _verify(self, text: str) -> Verdict:
        parts = self._parts(text)
        if gap := gaps_within(text, parts):
            return self._held(False, "an empty response between two ******", measured=0, spans=gap, hint="fill it")
        found = visible(text, parts)
        texts = [text[start:end].strip() for start, end in found]
        if len(found) != 2:
            many = f"{len(found)} response{'' if len(found) == 1 else 's'}"
            hint = "write two responses with ****** between them"
            return self._held(False, f"{many} divided by ******", measured=len(found), spans=found, hint=hint)
        differ = texts[0] != texts[1]
        reason = f"two responses, {'different' if differ else 'the same twice'}"
        return self._held(differ, reason, measured=2, spans=found, hint="make the second differ from the first")


@ifeval_type("combination:repeat_prompt")
class RepeatPrompt(IFEvalConstraint):
    """Begin with the prompt, word for word; letter case and white space around it make no difference."""

    prompt_to_repeat: Text = Field(description="what the text must begin with")

    def describe(self) -> str:
        return f"begin with the request, word for word: “{_shortened(self.prompt_to_repeat)}”"

    def _begins(self, text: str) -> tuple[str, str]:
        """The text and what it must begin with, in the form in which they are compared."""
        return text.strip().lower(), self.prompt_to_repeat.strip().lower()

    def _verify(self, text: str) -> Verdict:
        given, asked = self._begins(text)
        same = next(
            (i for i, (a, b) in enumerate(zip(given, asked, strict=False)) if a != b), min(len(given), len(asked))
        )
        passed = same == len(asked)
        reason = f"the first {same} of {len(asked)} characters of the request are repeated"
        hint = f"go on after them with “{_shortened(asked[same:])}”"
        return self._verdict(passed, score=same / len(asked) if asked else 1.0, measured=same, reason=reason, hint=hint)


@ifeval_type("startend:end_checker")
class EndChecker(IFEvalConstraint):
    """End with a phrase, in any case; nothing but double quotes may stand behind it."""

    end_phrase: Text = Field(description="the last words, punctuation included")

    def describe(self) -> str:
        return f"end with “{self.end_phrase.strip()}”"

    def _ends(self, text: str) -> tuple[str, str]:
        """The text and what it must end with, in the form in which they are compared."""
        return text.strip().strip('"').lower(), self.end_phrase.strip().lower()

    def _verify(self, text: str) -> Verdict:
        given, asked = self._ends(text)
        passed = given.endswith(asked)
        end = len(text.rstrip())
        last = text[:end][-len(asked) :]
        reason = "ends with the phrase" if passed else f"ends with “{_shortened(last)}”"
        return self._held(passed, reason, measured=last, spans=[(end - len(last), end)], hint=self.describe())


@ifeval_type("startend:quotation")
class Quotation(IFEvalConstraint):
    """The whole text between double quotation marks."""

    def describe(self) -> str:
        return "the whole text between double quotation marks"

    def _quoted(self, text: str) -> bool:
        return len(text) > 1 and text[0] == text[-1] == '"'

    def _verify(self, text: str) -> Verdict:
        inner = text.strip()
        start = text.find(inner)
        ends = [(start, start + 1), (start + len(inner) - 1, start + len(inner))]
        reason = f"begins with {inner[0]} and ends with {inner[-1]}"
        return self._held(self._quoted(inner), reason, spans=ends, hint='put " before and behind the whole text')


@ifeval_type("punctuation:no_comma")
class NoComma(IFEvalConstraint):
    """No comma."""

    def describe(self) -> str:
        return "no comma"

    def _found(self, text: str) -> list[Span]:
        return comma_spans(text)

    def _verify(self, text: str) -> Verdict:
        found = self._found(text)
        reason = f"{len(found)} comma{'' if len(found) == 1 else 's'}"
        return self._verdict(
            not found,
            score=1 / (1 + len(found)),
            measured=len(found),
            reason=reason,
            spans=found,
            hint=f"{reason}: take {'it' if len(found) == 1 else 'them'} out",
        )


def _shortened(text: str, limit: int = 80) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
