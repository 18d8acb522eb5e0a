"""Many answers of one local model, drawn together in a thread of their own while the event loop goes on.

Answers come and go at any time: a new one joins those that are being drawn, and one that is closed, or fails, leaves them
alone. The thread ends when there is nothing left to draw. Knows rows and tokens; of requests and tokenizers nothing.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple, Protocol

from jaxtyping import Float
from torch import Tensor

from heedful.control.alarm import Alarm
from heedful.control.upstream import Delta, Usage
from heedful.errors import InputError, UpstreamError
from heedful.models.answer_text import AnswerText
from heedful.models.batching import is_out_of_memory, release_memory
from heedful.models.decoding import Decoder, Row
from heedful.models.language_model import LanguageModel
from heedful.models.sampling import Sampling
from heedful.models.structure import Guide


class RiskProbe(Protocol):
    """Watches hidden states while answers are drawn, each in a place that is its own until another takes it.

    Attributes:
        sites: what it wants to be shown, in this order.
    """

    @property
    def sites(self) -> Sequence[str]: ...

    def __call__(self, rows: Sequence[int], states: Float[Tensor, "row site hidden"]) -> object:
        """Called with each token of an answer once the model has read it, the last drawn excepted: by place, its states on the
        model's device. It comes before the token after it is drawn, and holds the model up as long as it takes."""
        ...

    def prompt(self, rows: Sequence[int], states: Float[Tensor, "row site hidden"]) -> object:
        """Called in the same way with the last token of the prompt, before an answer begins: not of one that goes on from a
        prefix."""
        ...

    def risk(self, row: int) -> Mapping[str, float]:
        """By monitor, the risk of the answer in a place as of the token read last; nothing where it is too early to say."""
        ...

    def alarms(self, row: int) -> Sequence[Alarm]:
        """Raised so far over the answer in a place."""
        ...

    def restart(self, row: int) -> None:
        """The answer in this place begins after its thinking."""
        ...

    def forget(self, row: int) -> None:
        """Another answer begins in this place."""
        ...


MakeRisk = Callable[[int], RiskProbe]
"""Makes a probe for so many places."""


class Point(NamedTuple):
    """Where an answer stood after some of its tokens."""

    text: AnswerText
    tokens: int


Posted = Delta | Exception


class Answer:
    """One answer that is drawn.

    Attributes:
        text: what has been drawn, and what it reads as.
        closed: nobody wants it any more; set from any thread.
    """

    def __init__(
        self, prompt: Sequence[int], seed: int, sampling: Sampling, text: AnswerText, guide: Guide | None = None
    ) -> None:
        """To a prompt; `text` may hold tokens already, and what it reads as is then not given again."""
        self._prompt, self._seed, self._sampling, self.text, self._guide = prompt, seed, sampling, text, guide
        self.closed = False
        self._given = len(text.ids)  # of the tokens, by whoever asked; the rest are drawn here

    @property
    def room(self) -> int:
        """Tokens that it may grow to, the prompt included."""
        return len(self._prompt) + self._given + self._sampling.max_new_tokens

    def row(self, place: int) -> Row:
        """All that is still to be drawn of it."""
        ids = self.text.ids
        left = self._sampling.max_new_tokens - (len(ids) - self._given)
        allowed = self._guide.allowed if self._guide else None
        return Row(
            place, [*self._prompt, *ids], self._seed, self._sampling._replace(max_new_tokens=left), len(ids), allowed
        )

    def take(
        self, token: int, eos_ids: Sequence[int], risk: Mapping[str, float], alarms: Sequence[Alarm] = ()
    ) -> Delta:
        """What a drawn token adds."""
        drawn = len(self.text.ids) - self._given + 1
        if self._guide:
            self._guide.take(token)
        ended = token in eos_ids
        new = "" if ended else self.text.add(token)
        if not ended and drawn < self._sampling.max_new_tokens:
            return Delta(new, 1, risk, alarms, state=Point(self.text, self.text.settled))
        return Delta(
            new + self.text.finish(),
            1,
            risk,
            alarms,
            state=Point(self.text, len(self.text.ids)),
            finish_reason="stop" if ended else "length",
            usage=Usage(len(self._prompt) + self._given, drawn),
        )


Post = Callable[[Answer, Posted], None]


class SharedBatch:
    """The answers of one model that are being drawn.

    While any are, and risks are watched, nobody else is to generate with the model.
    """

    def __init__(self, model: LanguageModel, at_once: int, risks: Sequence[MakeRisk], post: Post) -> None:
        """`post` is called from the thread with what is new of an answer: deltas, or the error that ended it."""
        self._model, self._most, self._post = model, at_once, post
        self._risks = [make(at_once) for make in risks]
        for risk in self._risks:
            unknown = [site for site in risk.sites if site not in model.sites]
            if unknown or not risk.sites:
                raise InputError(
                    f"a risk wants to watch {unknown[0]!r}, which {model.name} lacks"
                    if unknown
                    else "a risk watches no site",
                    f"its sites are: {model.sites[0]}, {model.sites[1]} … {model.sites[-1]}",
                )
        self._lock = threading.Lock()
        self._waiting: deque[Answer] = deque()
        self._running = False
        # Of the thread alone:
        self._places: dict[int, Answer] = {}
        self._begun: set[int] = set()  # places whose answer is past its thinking
        self._decoder: Decoder

    def add(self, answers: Sequence[Answer]) -> None:
        """Draw these too."""
        with self._lock:
            self._waiting += answers
            if not self._running:
                self._running = True
                # Not a daemon, as the thread that asks may be: one that is cut off amid torch aborts the process at exit.
                threading.Thread(target=self._run, name=f"heedful: {self._model.name}", daemon=False).start()

    def _run(self) -> None:
        try:
            while self._goes_on():
                self._decoder = self._model.decoder(self._most)
                with ExitStack() as stack:
                    for risk in self._risks:
                        stack.enter_context(self._model.watched(risk.sites, risk, risk.prompt))
                    while self._admit():
                        self._step()
        except Exception as error:  # whatever it is, those who wait for an answer must hear of it
            with self._lock:
                lost = [*self._places.values(), *self._waiting]
                self._waiting.clear()
                self._places.clear()
                self._running = False
            for answer in lost:
                self._post(answer, error)

    def _goes_on(self) -> bool:
        """Whether any answer waits; where none does, the thread is over, and the next answer has one of its own.

        To be asked when nothing is watched any more: two threads that watch would each show the probes every token.
        """
        with self._lock:
            self._running = bool(self._waiting)
            return self._running

    def _admit(self) -> bool:
        """Let go of what nobody wants, and give waiting answers a place; whether there is anything to draw."""
        for place in [place for place, answer in self._places.items() if answer.closed]:
            self._decoder.drop(place)
            del self._places[place]
        fresh: list[int] = []
        with self._lock:
            self._waiting = deque(answer for answer in self._waiting if not answer.closed)
            while self._waiting and self._fits(self._waiting[0]):
                place = next(place for place in range(self._most) if place not in self._places)
                self._places[place] = self._waiting.popleft()
                fresh.append(place)
        for place in fresh:
            self._begun.discard(place)
            try:
                for risk in self._risks:
                    risk.forget(place)
                self._decoder.add(self._places[place].row(place))
            except Exception as error:
                self._fail(place, error)
        return bool(self._places)

    def _fits(self, answer: Answer) -> bool:
        rooms = [answer.room, *(other.room for other in self._places.values())]
        return len(rooms) <= self._most and (
            len(rooms) == 1 or len(rooms) * max(rooms) <= self._model.generation_tokens
        )

    def _step(self) -> None:
        try:
            drawn = self._decoder.step()
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            self._make_room(error)
            return
        for place, reason in self._decoder.failed.items():
            self._fail(place, reason)
        for place, token in drawn:
            answer = self._places[place]
            try:
                delta = self._take(place, answer, token)
            except Exception as error:
                self._fail(place, error)
                continue
            if delta.finish_reason:
                del self._places[place]
            self._post(answer, delta)

    def _take(self, place: int, answer: Answer, token: int) -> Delta:
        risk = {name: value for each in self._risks for name, value in each.risk(place).items()}
        alarms = [alarm for each in self._risks for alarm in each.alarms(place)]
        delta = answer.take(token, self._model.eos_ids, risk, alarms)
        if answer.text.begun and place not in self._begun:
            self._begin(place, answer)
        return delta

    def _fail(self, place: int, error: Exception) -> None:
        """An answer that cannot go on, whatever the reason: it alone hears of it, and its place is free."""
        self._decoder.drop(place)
        self._post(self._places.pop(place), error)

    def _begin(self, place: int, answer: Answer) -> None:
        self._begun.add(place)
        if answer.text.start:  # what was seen of it was thinking
            for risk in self._risks:
                risk.restart(place)

    def _make_room(self, error: Exception) -> None:
        """Memory ran out: half as many answers at once from here on; each goes on from what it has."""
        self._most = len(self._places) // 2
        if self._most == 0:
            raise UpstreamError(
                f"{self._model.name} ran out of memory with a single answer",
                "ask for fewer tokens, or use a smaller dtype or a larger device",
                retry=False,
            ) from error
        self._decoder = self._model.decoder(self._most)
        with self._lock:
            self._waiting.extendleft(reversed(self._places.values()))
        self._places.clear()
        release_memory()
