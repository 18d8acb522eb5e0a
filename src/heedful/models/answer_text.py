"""The answer's text from tokens that come one by one: what is certain of it is given at once, and never taken back.

A token may end in the middle of a character, and an answer may begin with thinking: both are held back until it is clear
what they are. All pieces together are the text of the whole, `Generation.text`. Knows a tokenizer, and no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from heedful.models.chat import Chat
from heedful.models.thinking import LONGEST, Marks, begun, may_begin

_UNFINISHED = "\ufffd"  # what a character without its last bytes decodes to


class AnswerText:
    """One answer while it is drawn.

    Attributes:
        ids: its tokens so far, thinking included.
        thinks: whether thinking was looked for.
        start: how many of them are thinking, once the answer has begun.
        settled: how many of them are accounted for by the text given so far. An answer that is taken up again there goes
            on without a seam.
    """

    def __init__(self, chat: Chat, prompt: Sequence[int], *, thinks: bool = True) -> None:
        """Of the answer to a prompt; one that does not think is text from its first token on."""
        self._chat, self.thinks = chat, thinks
        self.ids: list[int] = []
        self.settled = self.start = 0
        self._window = (
            0  # decoding begins a little before what is new: what a token reads like depends on the one before it
        )
        self._strips = False  # white space between the thinking and the answer
        self._now: Literal["opening", "thinking", "gap", "answer"] = "opening" if thinks else "answer"
        self._marks: Marks | None = chat.thinking_is_open(prompt) if thinks else None
        if self._marks:
            self._now = "thinking"

    @property
    def begun(self) -> bool:
        """Whether the answer itself has begun: there is no thinking, or it is over."""
        return self._now == "answer"

    def add(self, token: int) -> str:
        """One more token, which is not the one that ends the answer; gives what is new of the text."""
        self.ids.append(token)
        if self._now == "opening":
            self._open()
        elif self._now == "thinking":
            self._think()
        elif self._now == "gap":
            self._cross(token)
        return self._new(last=False) if self._now == "answer" else ""

    def finish(self) -> str:
        """No more tokens come; gives what was held back. Thinking that did not end leaves no answer."""
        if self._now == "opening":
            self._now = "answer"
        return self._new(last=True) if self._now == "answer" else ""

    def _open(self) -> None:
        """Does it begin with thinking? White space and a part of a mark say nothing yet."""
        raw = self._chat.raw(self.ids)
        self._marks = begun(raw)
        if self._marks:
            self._now = "thinking"
            self._think()
        elif not may_begin(raw.rstrip(_UNFINISHED)):
            self._now = "answer"

    def _think(self) -> None:
        self.settled = len(self.ids)
        if self._marks and self._marks.closes in self._chat.raw(self.ids[-LONGEST:]):
            self._now, self._strips = "gap", True

    def _cross(self, token: int) -> None:
        """The answer begins with the first token that is more than white space."""
        self.settled = len(self.ids)
        if self._chat.raw([token]).strip():
            self._now = "answer"
            self.start = self._window = self.settled = len(self.ids) - 1

    def _new(self, *, last: bool) -> str:
        before = self._chat.decode(self.ids[self._window : self.settled])
        text = self._chat.decode(self.ids[self._window :])
        if text.endswith(_UNFINISHED) and not last:
            return ""
        new, settled = text[len(before) :], self.settled
        self.settled = len(self.ids)
        if new:  # what is new stays in view for what follows it; what precedes it has no influence
            self._window = settled
        if self._strips:
            new = new.lstrip()
            self._strips = not new
        return new
