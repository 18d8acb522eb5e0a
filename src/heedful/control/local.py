"""A local model as an upstream: answers that are open at the same time share a batch, and each can be stopped alone.

What an answer says depends on its messages and its seed, whoever shares the batch with it. Text is exact: the deltas of an
answer are the text that `LanguageModel.generate` gives for it, thinking cut out.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence

from heedful.control.batch import Answer, MakeRisk, Point, Posted, SharedBatch
from heedful.control.upstream import Delta, Message, Request
from heedful.errors import InputError, UpstreamError
from heedful.models.answer_text import AnswerText
from heedful.models.language_model import LanguageModel
from heedful.models.loading import load
from heedful.models.sampling import Sampling
from heedful.models.structure import can_structure

AT_ONCE = 32


class LocalModel:
    """An upstream over a `LanguageModel`.

    Attributes:
        model: what answers.
        name: the model's.
        continues: always. A continuation does not think: where the prompt leaves thinking open, it is closed before the prefix.
        structures: where llguidance is installed. What keeps to a schema does not think either.
    """

    continues = True

    def __init__(
        self,
        model: LanguageModel | str,
        *,
        at_once: int = AT_ONCE,
        risks: Sequence[MakeRisk] = (),
        thinking: bool | None = None,
    ) -> None:
        """Take a model, or load one by name.

        Args:
            model: as of `heedful.load`.
            at_once: the most answers in a batch; fewer where they do not fit into memory. Others wait.
            risks: probes that watch hidden states as the model writes (`RiskProbe`); each is made for `at_once` places.
            thinking: for templates that let one choose; None leaves it to them.

        Raises:
            InputError: no room for a single answer, or a risk that watches what the model lacks.
            ModelError: the model cannot be loaded.
        """
        if at_once < 1:
            raise InputError(f"at_once is {at_once}", "give 1 or more")
        self.model = load(model) if isinstance(model, str) else model
        self.name = self.model.name
        self.structures = can_structure()
        self._thinking = thinking
        self._batch = SharedBatch(self.model, at_once, risks, _post)

    def streams(self, requests: Sequence[Request]) -> list[LocalStream]:
        """One stream a request, in order; drawing begins when the first of them is read, for all of them.

        A model draws ahead of a slow reader. Answers may be closed at any time, and further streams opened: they join in.

        Raises:
            InputError: a schema, and llguidance is not installed or cannot keep to it.
        """
        answers = [self._answer(request) for request in requests]
        group = _Group(self._batch)
        group.streams = [LocalStream(answer, group) for answer in answers]
        return group.streams

    def count(self, messages: Sequence[Message], prefix: str = "") -> int:
        """Tokens of a prompt: exactly."""
        return len(self.model.encode(messages, thinking=self._thinking)) + len(self.model.tokens(prefix))

    def _answer(self, request: Request) -> StreamedAnswer:
        model, asked = self.model, request.sampling
        sampling = Sampling(asked.temperature, asked.top_p, asked.max_tokens)
        point = _point(request)
        thinks = point.text.thinks if point else not (request.prefix or request.schema)
        prompt = model.encode(request.messages, thinking=self._thinking if thinks else False)
        if not thinks:
            prompt = [*prompt, *model.tokens(model.chat.before_answer(prompt))]
        text = AnswerText(model.chat, prompt, thinks=thinks)
        for token in point.text.ids[: point.tokens] if point else model.tokens(request.prefix):
            text.add(token)
        guide = None if request.schema is None else model.structures.guide(request.schema, request.prefix)
        seed = secrets.randbits(63) if asked.seed is None else asked.seed
        answer = StreamedAnswer(prompt, seed, sampling, text, guide)
        try:
            model.check_room([[*prompt, *text.ids]], sampling)
        except InputError as error:
            answer.refused = UpstreamError(error.cause, error.cure, retry=False)
        return answer


def _point(request: Request) -> Point | None:
    if request.state is None or isinstance(request.state, Point):
        return request.state
    raise InputError("a request's state is of another upstream", "give back what a delta of this one carried")


class StreamedAnswer(Answer):
    """An answer, and where what is new of it goes.

    Attributes:
        refused: why it cannot be drawn at all.
    """

    refused: UpstreamError | None = None
    loop: asyncio.AbstractEventLoop
    queue: asyncio.Queue[Posted | None]


def _post(answer: Answer, new: Posted) -> None:
    assert isinstance(answer, StreamedAnswer)
    try:
        answer.loop.call_soon_threadsafe(answer.queue.put_nowait, new)
    except RuntimeError:  # the event loop is closed: nobody reads any more
        answer.closed = True


class _Group:
    """Streams that were opened together."""

    streams: list[LocalStream]

    def __init__(self, batch: SharedBatch) -> None:
        self._batch, self._begun = batch, False

    def begin(self) -> None:
        """Draw those that are still wanted, once."""
        if self._begun:
            return
        self._begun = True
        loop = asyncio.get_running_loop()
        answers = [stream.answer for stream in self.streams]
        self.streams = []  # a stream that nobody holds is to be found out
        for answer in answers:
            answer.loop, answer.queue = loop, asyncio.Queue()
            if answer.refused:
                answer.queue.put_nowait(answer.refused)
        self._batch.add([answer for answer in answers if not answer.refused and not answer.closed])


class LocalStream:
    """One answer as it is drawn; see `Stream`."""

    def __init__(self, answer: StreamedAnswer, group: _Group) -> None:
        self.answer, self._group, self._ended = answer, group, False

    def __aiter__(self) -> LocalStream:
        return self

    async def __anext__(self) -> Delta:
        if self._ended:
            raise StopAsyncIteration
        self._group.begin()
        new = await self.answer.queue.get()
        self._ended = self._ended or not isinstance(new, Delta) or new.finish_reason is not None
        if new is None:
            raise StopAsyncIteration
        if isinstance(new, Exception):
            raise new
        return new

    async def aclose(self) -> None:
        """Stop this answer, and no other."""
        self._ended = self.answer.closed = True
        if hasattr(self.answer, "queue"):
            self.answer.queue.put_nowait(None)  # whoever waits for it waits no longer

    def __del__(self) -> None:
        self.answer.closed = True
