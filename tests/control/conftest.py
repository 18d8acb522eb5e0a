"""An upstream with fixed answers: real in all but the model, for what is about control flow and not about text."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from heedful.control.upstream import Delta, Message, Request, Usage

PROMPT_TOKENS = 10


class Scripted:
    """Answers the n-th call with the n-th text, a word a token; the last text again and again.

    `failure` is raised after `fails_at` words in all, and errors among the texts in their place.

    Attributes:
        requests: as they came.
        drawn: words that were given out, by call.
        closed: calls whose stream was ended or closed.
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
    ) -> None:
        self.answers, self.continues, self.pause = answers, continues, pause
        self.fails_at, self.failure, self.risk = fails_at, failure, risk
        self.requests: list[Request] = []
        self.drawn: dict[int, int] = {}
        self.closed: list[int] = []
        self.words = 0

    def streams(self, requests: Sequence[Request]) -> Sequence[AsyncIterator[Delta]]:
        first = len(self.requests)
        self.requests += requests
        return [self._stream(first + i, request) for i, request in enumerate(requests)]

    def count(self, messages: Sequence[Message], prefix: str = "") -> int:
        return PROMPT_TOKENS + len(prefix.split())

    async def _stream(self, call: int, request: Request) -> AsyncIterator[Delta]:
        answer = self.answers[min(call, len(self.answers) - 1)]
        try:
            if isinstance(answer, Exception):
                raise answer
            words = answer.split(" ")
            written = ""
            self.drawn[call] = 0
            prompt = self.count(request.messages, request.prefix)
            for number, word in enumerate(words, 1):
                await asyncio.sleep(self.pause)
                if self.words == self.fails_at and self.failure is not None:
                    raise self.failure
                self.words += 1
                self.drawn[call] = number
                piece = word if number == 1 and not request.prefix else f" {word}"
                written += piece
                last = number == len(words) or number == request.sampling.max_tokens
                yield Delta(
                    piece,
                    1,
                    risk={} if self.risk is None else self.risk(written),
                    finish_reason=None if not last else "stop" if number == len(words) else "length",
                    usage=Usage(prompt, number) if last else None,
                )
                if last:
                    return
        finally:
            self.closed.append(call)
