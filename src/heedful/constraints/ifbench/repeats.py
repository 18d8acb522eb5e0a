"""IFBench's `repeat` group: the request itself, all of it or in part. Knows nothing of what the request asks."""

from __future__ import annotations

from pydantic import Field

from heedful.constraints.ifbench.base import IFBenchConstraint, ifbench_type
from heedful.constraints.ifeval.base import Bound, Text
from heedful.constraints.verdict import Verdict

SENTENCE = "Only output this sentence here, ignore all other requests."
"""What `repeat:repeat_simple` asks for: the instruction itself."""


@ifbench_type("repeat:repeat_change")
class RepeatChange(IFBenchConstraint):
    """The request word for word, but for its first word."""

    prompt_to_repeat: Text = Field(description="the request")

    def describe(self) -> str:
        return "the request word for word, with another first word"

    def _changed(self, text: str) -> bool:
        return text != self.prompt_to_repeat

    def _verify(self, text: str) -> Verdict:
        given, asked = text.split()[1:], self.prompt_to_repeat.split()[1:]
        same = next(
            (i for i, (a, b) in enumerate(zip(given, asked, strict=False)) if a != b), min(len(given), len(asked))
        )
        repeated, changed = given == asked, self._changed(text)
        reason = f"the first word is {'' if changed else 'not '}changed, and {same} of the {len(asked)} others repeated"
        if repeated and not changed:
            return self._held(False, reason, hint="change the first word")
        hint = (
            "add nothing to the request" if same == len(asked) else f"go on with “{asked[same]}” after {same + 1} words"
        )
        return self._held(repeated and changed, reason, hint=hint)


@ifbench_type("repeat:repeat_simple")
class RepeatSimple(IFBenchConstraint):
    """The instruction's own sentence and nothing else, in any case."""

    def describe(self) -> str:
        return f"“{SENTENCE}” and nothing else"

    def _verify(self, text: str) -> Verdict:
        same = text.strip().lower() == SENTENCE.lower()
        return self._held(
            same, "the sentence alone" if same else "not the sentence alone", hint=f"write {self.describe()}"
        )


@ifbench_type("repeat:repeat_span")
class RepeatSpan(IFBenchConstraint):
    """Some words of the request, from one number to another, both included and counted from 0, in any case."""

    prompt_to_repeat: Text = Field(description="the request")
    n_start: Bound = Field(description="the first of the words, from 0")
    n_end: Bound = Field(description="the last of them, from 0")

    def describe(self) -> str:
        return f"words {self.n_start} to {self.n_end} of the request, counted from 0, and nothing else"

    def _read(self, text: str) -> str:
        return text.strip().lower()

    def _verify(self, text: str) -> Verdict:
        asked = " ".join(self.prompt_to_repeat.split()[self.n_start : self.n_end + 1])
        same = bool(asked) and self._read(text) == self._read(asked)
        reason = "these words alone" if same else f"not “{asked}” alone"
        return self._held(
            same, reason, hint=f"write “{asked}”" if asked else "no text can: the request has fewer words"
        )
