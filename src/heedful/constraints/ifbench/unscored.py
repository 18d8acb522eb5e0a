"""IFBench's types that cannot be judged without data that heedful does not carry. They are known, and never scored."""

from __future__ import annotations

from typing import ClassVar

from heedful.constraints.ifbench.base import IFBenchConstraint, ifbench_type
from heedful.constraints.verdict import Verdict
from heedful.errors import InputError


class _Unscored(IFBenchConstraint):
    needs: ClassVar[str]

    def check_scorable(self) -> None:
        raise InputError(f"{self.id} needs {self.needs}, which heedful does not carry", "leave it out")

    def _verify(self, text: str) -> Verdict:
        return self._undecided(f"it needs {self.needs}, which heedful does not carry")


@ifbench_type("words:start_verb")
class StartVerb(_Unscored):
    """The text begins with a verb: never scored, for a verb is told by a part-of-speech tagger."""

    needs = "a part-of-speech tagger"

    def describe(self) -> str:
        return "begin with a verb"


@ifbench_type("words:odd_even_syllables")
class OddEvenSyllables(_Unscored):
    """Words with odd and even numbers of syllables in turn: never scored, for syllables are counted by a dictionary."""

    needs = "a dictionary of syllables"

    def describe(self) -> str:
        return "words with odd and even numbers of syllables in turn"
