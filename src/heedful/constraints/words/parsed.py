"""What is made of a text that asks for something: the constraints, the words each was read from, and what was not understood.

Knows no rule: whatever reads a text, rules or a model, is a `Parser` and answers with a `Parsed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from heedful.constraints.base import Constraint
from heedful.constraints.verdict import Span


class Reading(NamedTuple):
    """One constraint and where the text asks for it.

    Attributes:
        constraint: what is asked.
        spans: the words that say so, in the order of the text; several if it is said in pieces.
    """

    constraint: Constraint
    spans: tuple[Span, ...]


class Unread(NamedTuple):
    """A stretch of the text that sounds like a requirement and was not understood.

    Attributes:
        span: where it stands.
        why: what is missing, for a person.
    """

    span: Span
    why: str


class Contradiction(NamedTuple):
    """Two readings that no text can meet together, and why."""

    first: Reading
    second: Reading
    why: str


@dataclass(frozen=True)
class Parsed:
    """What a text asks for, as far as it was understood.

    Attributes:
        text: the text as given; all spans count its characters.
        readings: the constraints with the words they were read from, in the order of the text.
        unread: what sounds like a requirement and was not understood. A text is understood only if this is empty.
        contradictions: readings that exclude each other.
    """

    text: str
    readings: tuple[Reading, ...]
    unread: tuple[Unread, ...]
    contradictions: tuple[Contradiction, ...]

    def __repr__(self) -> str:
        """On one line: what is asked, what is unread, and what contradicts what."""
        parts = [
            "; ".join(constraint.describe() for constraint in self.constraints) or "no constraint",
            *(f"unread: “{self.words(each.span)}”" for each in self.unread),
            *(f"contradiction: {each.why}" for each in self.contradictions),
        ]
        return f"<{type(self).__name__} {' | '.join(parts)}>"

    @property
    def constraints(self) -> tuple[Constraint, ...]:
        """The constraints alone, each once, in the order of the text."""
        return tuple(dict.fromkeys(reading.constraint for reading in self.readings))

    @property
    def understood(self) -> bool:
        """Nothing was left unread, and no two constraints exclude each other."""
        return not self.unread and not self.contradictions

    def words(self, *spans: Span) -> str:
        """The words at these places, on one line, '…' between places."""
        return " … ".join(" ".join(self.text[start:end].split()) for start, end in spans)


class Parser(Protocol):
    """Reads a text. `by_rules` is one; a model that answers with a `Parsed` is another."""

    def __call__(self, text: str) -> Parsed: ...
