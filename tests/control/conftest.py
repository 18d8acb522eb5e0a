"""An upstream with fixed answers: real in all but the model, for what is about control flow and not about text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

from heedful.control.alarm import Alarm
from heedful.control.upstream import Delta, Message, Request, Usage

PROMPT_TOKENS = 10


class Scripted:
    """Answers the n-th call with the n-th text, a word a token; the last text again and again.

    `failure` is raised after `fails_at` words in all, and errors among the texts in their place.

    Attributes:
        requests: as they came.
        drawn: words that were given out, by call.
        closed: calls whose stream was closed.
    """

    name = "scripted"
    structures = False

    def __init__(
        self,
        *answers: str | Exception,
        continues: bool = True,
        fails_at: int | None = None,
        failure: Exception | None = None,
        risk: Callable[[str], dict[str, float]] | None = None,
        pause: float = 0.0,
        chunk: int = 1,
        obeys: bool = True,
        alarms: Callable[[str], tuple[Alarm, ...]] = lambda written: (),
    ) -> None:
        """`chunk`: words in a delta. `obeys`: keeps to `max_tokens`."""
        self.answers, self.continues, self.pause, self.chunk, self.obeys = answers, continues, pause, chunk, obeys
        self.alarms = alarms
        self.fails_at, self.failure, self.risk = fails_at, failure, risk
        self.requests: list[Request] = []
        self.drawn: dict[int, int] = {}
        self.closed: list[int] = []
        self.words = 0

    def streams(self, requests: Sequence[Request]) -> Sequence[ScriptedStream]:
        first = len(self.requests)
        self.requests += requests
        return [ScriptedStream(self._stream(first + i, request), self, first + i) for i, request in enumerate(requests)]

    def count(self, messages: Sequence[Message], prefix: str = "") -> int:
        return PROMPT_TOKENS + len(prefix.split())

    async def _stream(self, call: int, request: Request) -> AsyncGenerator[Delta]:
        answer = self.answers[min(call, len(self.answers) - 1)]
        if isinstance(answer, Exception):
            raise answer
        words = answer.split(" ")
        if self.obeys:
            words = words[: request.sampling.max_tokens]
        written, self.drawn[call] = "", 0
        for start in range(0, len(words), self.chunk):
            await asyncio.sleep(self.pause)
            if self.failure is not None and self.words == self.fails_at:
                raise self.failure
            some = words[start : start + self.chunk]
            self.words += len(some)
            self.drawn[call] += len(some)
            piece = ("" if start == 0 and not request.prefix else " ") + " ".join(some)
            written += piece
            last = self.drawn[call] == len(words)
            yield Delta(
                piece,
                len(some),
                risk={} if self.risk is None else self.risk(written),
                alarms=self.alarms(written),
                finish_reason=None if not last else "stop" if len(words) == len(answer.split(" ")) else "length",
                usage=Usage(self.count(request.messages, request.prefix), len(words)) if last else None,
            )


class ScriptedStream:
    """One answer; knows whether it was closed."""

    def __init__(self, deltas: AsyncGenerator[Delta], model: Scripted, call: int) -> None:
        self._deltas, self._model, self._call = deltas, model, call

    def __aiter__(self) -> ScriptedStream:
        return self

    async def __anext__(self) -> Delta:
        return await anext(self._deltas)

    async def aclose(self) -> None:
        self._model.closed.append(self._call)
        await self._deltas.aclose()
