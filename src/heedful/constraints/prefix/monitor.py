"""What can be said of a text that is still being written: violated, satisfied, or open.

Three-valued runtime verification (LTL3, Bauer, Leucker & Schallhart 2011): a prefix is *violated* if no completion of it
can pass, *satisfied* if every completion passes (the empty one too), and *open* otherwise. Monitors are sound and not
complete: they never claim what a completion could undo, and may stay open where a cleverer one would not.

Knows no particular constraint. Each has its monitor in a file beside this one, which takes plain values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from heedful.constraints.verdict import Verdict
from heedful.errors import InputError

if TYPE_CHECKING:
    from heedful.constraints.base import Constraint

State = Literal["violated", "satisfied", "open"]


class Left(NamedTuple):
    """What may still be written before the constraint is violated.

    Attributes:
        number: how many, never below 0.
        unit: of what, in the plural: 'words', 'characters'.
    """

    number: int
    unit: str


class PrefixVerdict(NamedTuple):
    """What can be said of a prefix.

    Attributes:
        constraint: the id of the constraint, 'family/name'.
        state: 'violated' (no completion passes), 'satisfied' (every completion passes) or 'open'.
        reason: one sentence that says why, with the numbers in it.
        left: the budget that remains; None where the constraint has no upper bound.
    """

    constraint: str
    state: State
    reason: str
    left: Left | None = None

    @property
    def decided(self) -> bool:
        """True if whatever is still written changes nothing."""
        return self.state != "open"


class PrefixMonitor:
    """Watches one text while it is written. This one never decides before the end; subclasses implement `step`.

    Deltas may split the text anywhere: inside a word, an escape, a character and its accents. How it is split makes no
    difference to the verdict after any given prefix. A verdict that is not open is final.
    """

    def __init__(self, constraint: Constraint) -> None:
        self.constraint = constraint
        self._pieces: list[str] = []
        self._now: PrefixVerdict | None = None
        self._closed: Verdict | None = None

    def step(self, delta: str) -> PrefixVerdict:
        """Take in `delta` and judge the whole prefix; called while the verdict is open, and first with an empty delta.

        A sound one says `violated` or `satisfied` only of what no completion can undo: the last word may go on growing,
        white space at the end may turn out to stand inside, an accent may follow. `watched` is the prefix so far.
        """
        return self.open(f"decided at the end of the text: {self.constraint.describe()}")

    def feed(self, delta: str) -> PrefixVerdict:
        """The verdict on everything fed so far, after `delta`; time proportional to the delta, not to the text.

        Raises:
            InputError: the text was closed, or the delta is not a string.
        """
        if self._closed is not None:
            raise InputError(
                f"the text watched for {self.constraint.id} is closed", "take a new monitor for a new text"
            )
        if not isinstance(delta, str):
            raise InputError(
                f"a delta is of type {type(delta).__name__}, not text", "decode a byte stream with Utf8Decoder first"
            )
        now = self.verdict
        if delta:
            self._pieces.append(delta)
            if now.state == "open":
                now = self._now = self.step(delta)
        return now

    def close(self) -> Verdict:
        """The verdict on the complete text: that of `constraint.check`, in every field. Closing twice is closing once."""
        if self._closed is None:
            self._closed = self.constraint.check(self.watched)
        return self._closed

    @property
    def verdict(self) -> PrefixVerdict:
        """The verdict on what was fed so far."""
        if self._now is None:
            self._now = self.step("")
        return self._now

    @property
    def watched(self) -> str:
        """The text so far."""
        if len(self._pieces) > 1:
            self._pieces = ["".join(self._pieces)]
        return self._pieces[0] if self._pieces else ""

    def open(self, reason: str, left: Left | None = None) -> PrefixVerdict:
        """A completion may pass, and another may not."""
        return PrefixVerdict(self.constraint.id, "open", reason, left)

    def violated(self, reason: str, left: Left | None = None) -> PrefixVerdict:
        """No completion passes."""
        return PrefixVerdict(self.constraint.id, "violated", reason, left)

    def satisfied(self, reason: str, left: Left | None = None) -> PrefixVerdict:
        """Every completion passes."""
        return PrefixVerdict(self.constraint.id, "satisfied", reason, left)
