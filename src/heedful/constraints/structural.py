"""How long a text may be, in words or in characters. Knows nothing of what the text says."""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, ClassVar

from pydantic import Field, model_validator

from heedful.constraints.base import Constraint, monitor_for, register_constraint
from heedful.constraints.prefix.lengths import CharCounter, CountMonitor, WordCounter
from heedful.constraints.text import count_words, words_from
from heedful.constraints.verdict import Span, Verdict
from heedful.errors import InputError

# Strict, because YAML's `yes` and JSON's `true` would otherwise count as 1; from 1, because an empty text never
# complies.
Count = Annotated[int, Field(strict=True, ge=1)]


class _Length(Constraint):
    """A count of units within bounds.

    The score is min(n, b) / max(n, b), with n the count and b the bound that is missed: 1 exactly if the text complies.
    """

    unit: ClassVar[str]

    exactly: Count | None = Field(default=None, description="exactly this many; stands alone")
    at_least: Count | None = Field(default=None, description="this many or more")
    at_most: Count | None = Field(default=None, description="this many or fewer; with at_least: between")

    @model_validator(mode="after")
    def _bounds_make_sense(self) -> _Length:
        if self.exactly is None and self.at_least is None and self.at_most is None:
            raise InputError(
                f"{self.id}: no bound is given", "give exactly, at_least, at_most, or the last two together"
            )
        if self.exactly is not None and (self.at_least is not None or self.at_most is not None):
            raise InputError(
                f"{self.id}: exactly={self.exactly} stands beside another bound",
                "give exactly alone, or at_least and at_most together",
            )
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise InputError(
                f"{self.id}: the bounds are reversed: at_least={self.at_least} is more than at_most={self.at_most}",
                f"swap them: at_least={self.at_most}, at_most={self.at_least}",
            )
        return self

    @property
    def _low(self) -> int | None:
        return self.at_least if self.exactly is None else self.exactly

    @property
    def _high(self) -> int | None:
        return self.at_most if self.exactly is None else self.exactly

    def describe(self) -> str:
        last = self._low if self._high is None else self._high
        return f"{self._bounds()} {self._named(last or 0)}"

    def _bounds(self) -> str:
        if self.exactly is not None:
            return f"exactly {self.exactly}"
        if self.at_least is not None and self.at_most is not None:
            return f"between {self.at_least} and {self.at_most}"
        return f"at most {self.at_most}" if self.at_least is None else f"at least {self.at_least}"

    def _verify(self, text: str) -> Verdict:
        count = self._count(text)
        found = f"{count} {self._named(count)}, {self._bounds()}"
        if self._low is not None and count < self._low:
            hint = f"{found}: add {self._low - count}"
            return self._verdict(False, score=count / self._low, measured=count, reason=found, hint=hint)
        if self._high is not None and count > self._high:
            hint = f"{found}: cut {count - self._high}"
            spans = [self._surplus(text, self._high)]
            return self._verdict(False, score=self._high / count, measured=count, reason=found, spans=spans, hint=hint)
        return self._verdict(True, score=1.0, measured=count, reason=found)

    def _passes(self, text: str) -> bool:
        count = self._count(text)
        return (self._low is None or count >= self._low) and (self._high is None or count <= self._high)

    def _named(self, number: int) -> str:
        return self.unit if number == 1 else f"{self.unit}s"

    @abstractmethod
    def _count(self, text: str) -> int: ...

    @abstractmethod
    def _surplus(self, text: str, limit: int) -> Span:
        """From the first unit beyond the limit to the end of the last."""


@register_constraint
class WordCount(_Length):
    """A number of words: exactly, at least, at most, or between.

    A word is a run of letters, digits and underscores, as IFEval counts: "don't" and "well-known" are two words each,
    punctuation is none. See `heedful.constraints.text` for the whole rule.
    """

    id = "structural/word_count"
    unit = "word"

    def _count(self, text: str) -> int:
        return count_words(text)

    def _surplus(self, text: str, limit: int) -> Span:
        surplus = words_from(text, limit)
        assert surplus is not None, "there are more words than the limit"
        return surplus


@register_constraint
class CharCount(_Length):
    """A number of characters: exactly, at least, at most, or between.

    Characters are Unicode code points of the text without the white space around it: spaces and line breaks inside
    count, and an accent written as a character of its own counts as one.
    """

    id = "structural/char_count"
    unit = "character"

    def _count(self, text: str) -> int:
        return len(text.strip())

    def _surplus(self, text: str, limit: int) -> Span:
        return len(text) - len(text.lstrip()) + limit, len(text.rstrip())


@monitor_for(WordCount)
def _watch_words(asked: WordCount) -> CountMonitor:
    return CountMonitor(asked, WordCounter(), "words", asked._low, asked._high)


@monitor_for(CharCount)
def _watch_characters(asked: CharCount) -> CountMonitor:
    return CountMonitor(asked, CharCounter(), "characters", asked._low, asked._high)
