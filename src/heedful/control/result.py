"""What came of a guarded request: every attempt, why each ended, and the text that was best. Plain, frozen records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any, Literal, NamedTuple

from heedful.constraints import Verdict
from heedful.control.budget import Judged
from heedful.control.upstream import Request, Usage

Ended = Literal["finished", "length", "proved", "forecast", "budget", "cancelled", "error"]
"""Why an attempt ended: the model ended it; it was cut off at its limit of tokens; a prefix monitor proved a violation; a
probe monitor forecast one; the budget was spent; the request was cancelled; the upstream failed, or its answer was none."""

Stopped = Literal["passed", "exhausted", "proved", "forecast", "budget", "cancelled", "error", "unguarded"]
"""Why a request ended: everything passed; the policy had no more to try; the mode 'stop' stopped it; the budget was spent; it
was cancelled; something failed; nothing was to be enforced ('shadow' and 'warn')."""


_SHOWN = 60  # characters of a text


class Rank(NamedTuple):
    """How drafts are compared; the larger one is better.

    Attributes:
        whole: 1 for a text that came to its end; 0 for one that was stopped, of which verdicts say little.
        passed: constraints that pass.
        score: mean score; what has none counts 0, so that silence is never an advantage.
    """

    whole: int
    passed: int
    score: float


def rank(verdicts: Sequence[Verdict], *, whole: bool = True) -> Rank:
    """Of a text with these verdicts."""
    passed, score = sum(v.passed for v in verdicts), sum(v.score or 0.0 for v in verdicts)
    return Rank(int(whole), passed, score / max(len(verdicts), 1))


class Alert(NamedTuple):
    """A reason to stop an answer before its end.

    Attributes:
        kind: 'proved' (by a prefix monitor: no completion can comply) or 'forecast' (a probe monitor's guess).
        by: the constraint's id, or the probe monitor's name.
        reason: in one sentence.
        at: characters of the answer when it was raised.
    """

    kind: Literal["proved", "forecast"]
    by: str
    reason: str
    at: int


@dataclass(frozen=True)
class Attempt:
    """One answer that was drawn, perhaps in part.

    Attributes:
        request: what was asked for.
        text: the answer, with the prefix that it went on from.
        verdicts: of each constraint on this text; empty where none was taken.
        usage: tokens it cost.
        seconds: from its start to its verdicts.
        ended: why it ended.
        why: the same in words, with who proved or forecast what; empty for one that just finished.
        alerts: all that monitors raised, whether or not it was stopped for it.
        what: what the policy meant by it: 'draft', 'revision', …
        would_have_passed: of a stopped one that was let run on, for measuring only; None for all others.
    """

    request: Request
    text: str
    verdicts: tuple[Verdict, ...] = ()
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    ended: Ended = "finished"
    why: str = ""
    alerts: tuple[Alert, ...] = ()
    what: str = "draft"
    would_have_passed: bool | None = None

    @property
    def whole(self) -> bool:
        """It came to its end, or to the limit of tokens that it was asked to keep."""
        return self.ended in ("finished", "length")

    @property
    def passed(self) -> bool:
        """Every constraint passes, and the text is whole. What could not be checked has not passed."""
        return self.whole and bool(self.verdicts) and all(v.passed for v in self.verdicts)

    @property
    def rank(self) -> Rank:
        """See `Rank`."""
        return rank(self.verdicts, whole=self.whole)


@dataclass(frozen=True)
class Guarded:
    """The answer to a guarded request.

    Attributes:
        text: of the best attempt, whatever happened.
        verdicts: on that text, in the order of the constraints.
        passed: all of them pass, and the text is whole.
        attempts: in the order in which they ended.
        best: which of them the text is of; None where no text was had.
        usage: tokens of all attempts, and of the judges that were asked about them.
        seconds: in all.
        stopped: why it ended.
        why: the same in words.
        released: what a stream of this answer gave out: the text where it passed, else what had gone out before that was known.
        would: under 'shadow' and 'warn': what the guard would have done; empty if nothing.
        judged: what judges were asked, and their part of `usage`; no attempt's own usage has it.
    """

    text: str
    verdicts: tuple[Verdict, ...]
    passed: bool
    attempts: tuple[Attempt, ...]
    best: int | None
    usage: Usage
    seconds: float
    stopped: Stopped
    why: str = ""
    released: str = ""
    would: str = ""
    judged: Judged = field(default_factory=Judged)

    def __repr__(self) -> str:
        """On one line: how it ended, what holds, what it took, and how the text begins."""
        whole = sum(verdict.passed for verdict in self.verdicts)
        drafts = f"{len(self.attempts)} draft{'' if len(self.attempts) == 1 else 's'}"
        begins = shorten(self.text, _SHOWN, placeholder=" …") or self.text[:_SHOWN]
        return (
            f"<{type(self).__name__} {self.stopped}: {whole} of {len(self.verdicts)} pass, {drafts}, "
            f"{self.usage.total} tokens, {begins!r}>"
        )

    def to_dict(self, *, texts: bool = True) -> dict[str, Any]:
        """As JSON values: what `heedful guard --json` prints and a log keeps of it.

        Args:
            texts: with prompts, answers and what verdicts quote of them.
        """
        from heedful.control.log import result_fields  # which knows results

        return result_fields(self, texts=texts)


def best_of(attempts: Sequence[Attempt], beginning: str = "") -> int | None:
    """The index of the best attempt, the earliest of equals; None if none has any text.

    Args:
        beginning: what has gone out already, and so must begin the text.
    """
    able = [i for i, attempt in enumerate(attempts) if attempt.text.strip() and attempt.text.startswith(beginning)]
    return max(able, key=lambda i: attempts[i].rank, default=None)
