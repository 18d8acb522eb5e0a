"""What answers: a model behind one small interface, wherever it runs.

An upstream turns a `Request` into text, as a stream; whoever wants the whole of it collects the stream. Closing a stream
stops that answer and no other. Knows nothing of constraints, budgets or policies.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, Literal, NamedTuple, Protocol

from heedful.control.alarm import Alarm
from heedful.errors import InputError, UpstreamError

Message = Mapping[str, Any]
"""`role` (system, user, assistant) and `content`, a text; what else an endpoint takes (`tool_calls`) goes to it as it is."""


def check_number(name: str, value: object, *, whole: bool = False) -> None:
    """See that a setting is a number, and no text or truth value.

    Raises:
        InputError: it is not, or is none of the whole ones where it should be.
    """
    if isinstance(value, bool) or not isinstance(value, Integral if whole else Real):
        raise InputError(f"{name} is {value!r}", f"give a {'whole ' if whole else ''}number")


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn.

    Attributes:
        temperature: 0 takes the likeliest token.
        top_p: draw among the likeliest tokens that together have this probability.
        max_tokens: cut off after so many.
        seed: of this answer; None leaves it to the upstream.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    max_tokens: int = 256
    seed: int | None = None

    def __post_init__(self) -> None:
        check_number("temperature", self.temperature)
        check_number("top_p", self.top_p)
        check_number("max_tokens", self.max_tokens, whole=True)
        if self.seed is not None:
            check_number("seed", self.seed, whole=True)
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature is {self.temperature}", "give 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p is {self.top_p}", "give more than 0, and 1 at most")
        if self.max_tokens < 1:
            raise InputError(f"max_tokens is {self.max_tokens}", "give 1 or more")


@dataclass(frozen=True)
class Request:
    """One answer that is wanted.

    Attributes:
        messages: the conversation, up to where the model is to answer.
        sampling: how.
        prefix: what the answer begins with already; the stream gives what comes after it. For upstreams that `continues`.
        state: that of the delta with which `prefix` ended, where it was drawn by the same upstream from the same messages: the
            answer then goes on from the very tokens that were drawn, and with the same seed to the very same end. Without it
            the prefix is read as text, which may be other tokens.
        schema: a JSON Schema that decoding itself keeps to, for upstreams that `structures`; None leaves it free.
    """

    messages: Sequence[Message]
    sampling: Sampling = field(default_factory=Sampling)
    prefix: str = ""
    state: object = None
    schema: Mapping[str, Any] | None = None


class Usage(NamedTuple):
    """Tokens of one call, or of several.

    Attributes:
        prompt: read.
        completion: drawn, thinking included.
        estimated: whether any of it is an estimate, since the upstream did not say.
    """

    prompt: int = 0
    completion: int = 0
    estimated: bool = False

    @property
    def total(self) -> int:
        """Both."""
        return self.prompt + self.completion

    def plus(self, other: Usage) -> Usage:
        """Both usages together."""
        return Usage(self.prompt + other.prompt, self.completion + other.completion, self.estimated or other.estimated)


FinishReason = Literal["stop", "length"]
"""The model ended the answer; it was cut off."""


@dataclass(frozen=True)
class Delta:
    """What came since the last one.

    Attributes:
        text: of the answer; thinking is left out before it comes here.
        tokens: how many were drawn for it, thinking included; the deltas of a stream add up to its usage.
        risk: by a probe monitor's name, the risk as of the token before: where an upstream carries any.
        alarms: raised by probe monitors so far, as of the token before: proposals to stop, and no verdicts.
        state: for `Request.state`, to go on from where the text so far ends; None where the upstream cannot.
        finish_reason: of the last one; None before.
        usage: of the last one, as the upstream counts it.
        estimated: `tokens` was not said in time and is an estimate, rather too high: no answer is to be cut off for it.
    """

    text: str = ""
    tokens: int = 0
    risk: Mapping[str, float] = field(default_factory=dict)
    alarms: Sequence[Alarm] = ()
    state: object = None
    finish_reason: FinishReason | None = None
    usage: Usage | None = None
    estimated: bool = False


class Stream(Protocol):
    """One answer as it comes. Ends with a delta that has a finish reason and the usage.

    Raises, from `__anext__`:
        UpstreamError: no answer could be had, or it broke off; see `retry` there. What came before it stands. Before
            anything has come, the upstream itself tries again what may pass: who reads asks anew only where it broke off.
        CancelledError: whoever reads waits no longer; caused by the error for which the upstream was trying again, if any.
    """

    def __aiter__(self) -> AsyncIterator[Delta]: ...

    async def __anext__(self) -> Delta: ...

    async def aclose(self) -> None:
        """Stop this answer, and no other. Nothing more comes of it."""
        ...


class Upstream(Protocol):
    """A model that can be asked.

    Attributes:
        name: for logs.
        continues: whether an answer may go on from a prefix.
        structures: whether decoding can keep to a JSON Schema.
    """

    name: str
    continues: bool
    structures: bool

    def streams(self, requests: Sequence[Request]) -> Sequence[Stream]:
        """One stream a request, in order; those that are opened together may share a batch.

        Nothing is asked before the first of them is read. Whoever stops reading one early closes it.
        """
        ...

    def count(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Tokens of a prompt, or an upper estimate where the upstream's tokenizer is not at hand."""
        ...


def failed_before(error: BaseException) -> UpstreamError | None:
    """What an upstream was trying again after, when the time of who waited was over: the error behind a timeout, if any."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, UpstreamError):
        cause = cause.__cause__
    return cause
