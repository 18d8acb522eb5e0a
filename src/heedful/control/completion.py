"""What the chunks of a chat completion say: text without thinking, why it ended, what it cost; and what is wrong with them.

An answer counts as whole only where the upstream says why it ended. Knows the format of OpenAI's chat completions, and
nothing of connections.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from math import ceil
from typing import Any, Literal

from heedful.control.estimate import weigh
from heedful.control.upstream import Delta, FinishReason, Usage
from heedful.errors import UpstreamError

_THINK, _THOUGHT = "<think>", "</think>"
_ENDS: dict[str, FinishReason] = {"stop": "stop", "eos": "stop", "length": "length"}
_FILTERED = {"content_filter"}  # what another draw may be spared
PASSING = {408, 429, 500, 502, 503, 504}
"""Statuses of HTTP that may pass by themselves, of a reply or in it."""
_PASS = {*map(str, PASSING), "rate_limit_exceeded", "server_error", "unavailable"}
_PASSING_TYPES = ("rate_limit", "overloaded", "server_error", "timeout", "unavailable")
_HALF = "\ufffd"  # in the place of half a character, which no encoding holds
_MOST_BYTES_A_TOKEN = 12  # more than any language's prose has, three bytes a letter included


class Completion:
    """One completion, chunk by chunk."""

    def __init__(self, name: str, prompt_tokens: int, *, thinking: bool = False) -> None:
        """Of the upstream `name`; an estimate of the prompt's tokens; whether the answer begins amid thinking."""
        self._name, self._prompt_tokens = name, prompt_tokens
        self._cut = WithoutThinking(begun=thinking)
        self._reason: str | None = None  # why it ended, in the upstream's word
        self._usage: Usage | None = None
        self._counted, self._bytes, self._weight, self._empty = 0, 0, 0.0, True
        self._half = ""  # the first one of a character that came in two

    @property
    def tokens_at_least(self) -> int:
        """Tokens that must have been drawn so far, by the length of what came."""
        return self._bytes // _MOST_BYTES_A_TOKEN

    def cut(self) -> None:
        """Nothing more is read, since the upstream writes on beyond what it was allowed."""
        self._reason = self._reason or "length"

    @property
    def ended(self) -> bool:
        """Whether the upstream has said why the answer ended."""
        return self._reason is not None

    def read(self, data: str) -> Iterator[Delta]:
        """What the data of one event, or of a whole reply, adds. It may hold several objects, one after the other.

        Raises:
            UpstreamError: it is none of the format, or says that something is wrong.
        """
        for chunk in self._objects(data):
            if chunk.get("error"):
                raise self._failure(chunk["error"])
            self._usage = _usage(chunk.get("usage")) or self._usage
            choices = chunk.get("choices", [] if "usage" in chunk else None)
            if not isinstance(choices, list):
                raise self._malformed(data, "there are no choices in it")
            for choice in choices:
                if not isinstance(choice, dict):
                    raise self._malformed(data, "a choice is no object")
                if choice.get("index", 0) == 0:
                    yield from self._choice(choice, data)

    def end(self) -> Iterator[Delta]:
        """Nothing more comes: the last delta, with what it took; of an answer that is none, before the error.

        Raises:
            UpstreamError: the answer is not whole, or empty.
        """
        if self._reason is None:
            raise UpstreamError(
                f"{self._name} broke off: the stream ended without a finish_reason",
                "ask again; if it happens each time, look into the upstream's log",
                retry=True,
            )
        rest = (self._cut.add(_HALF) if self._half else "") + self._cut.finish()
        usage = self._usage or Usage(self._prompt_tokens, self._counted, estimated=True)
        fault = self._fault(empty=self._empty and not rest)
        yield Delta(
            rest,
            max(0, usage.completion - self._counted),
            finish_reason=None if fault else _ENDS[self._reason],
            usage=usage,
            estimated=fault is not None,  # nothing is to be cut off before what is wrong is said
        )
        if fault:
            raise fault

    def _fault(self, *, empty: bool) -> UpstreamError | None:
        """What is wrong with an answer that came to its end."""
        filtered = self._reason in _FILTERED
        if filtered or self._reason not in _ENDS:
            return UpstreamError(
                f"{self._name} ended its answer with finish_reason {self._reason!r}",
                "only 'stop' and 'length' end a text: ask for text, without tools, that its filter lets pass",
                retry=False,
                drawn=filtered,
            )
        if empty:
            return UpstreamError(
                f"{self._name} gave an empty answer (finish_reason {self._reason!r})",
                "give it more max_tokens than its thinking takes"
                if _ENDS[self._reason] == "length"
                else "ask in other words",
                retry=False,
                drawn=True,
            )
        return None

    def _choice(self, choice: dict[str, Any], data: str) -> Iterator[Delta]:
        said = choice.get("delta") or choice.get("message") or {}
        if not isinstance(said, dict):
            raise self._malformed(data, "what it adds is no object")
        content = _joined(said.get("content")) or said.get("refusal") or ""
        thinking = said.get("reasoning_content") or said.get("reasoning") or ""
        if not isinstance(content, str) or not isinstance(thinking, str):
            raise self._malformed(data, "its content is no text")
        if content or thinking:
            text, before = self._cut.add(self._whole(content)), self._counted
            self._bytes += len((content + thinking).encode(errors="replace"))
            self._weight += weigh(content + thinking)  # rounded as a whole, not piece by piece
            self._counted = ceil(self._weight)
            self._empty = self._empty and not text
            yield Delta(text, self._counted - before, estimated=True)
        reason = choice.get("finish_reason")
        if reason is not None:
            self._reason = reason if isinstance(reason, str) else json.dumps(reason)

    def _whole(self, content: str) -> str:
        """A further piece, of whole characters: halves that came apart are put together."""
        content = self._half + content
        self._half = content[-1:] if "\ud800" <= content[-1:] <= "\udbff" else ""
        return encodable(content.removesuffix(self._half))

    def _objects(self, data: str) -> Iterator[dict[str, Any]]:
        decoder, at = json.JSONDecoder(), 0
        data = data.strip()
        while at < len(data):
            try:
                chunk, at = decoder.raw_decode(data, at)
            except (ValueError, RecursionError) as error:
                raise self._malformed(data, "it is no JSON") from error
            if not isinstance(chunk, dict):
                raise self._malformed(data, "it is no object")
            yield chunk
            at += len(data[at:]) - len(data[at:].lstrip())

    def _malformed(self, data: str, why: str) -> UpstreamError:
        return UpstreamError(
            f"{self._name} sent a malformed chunk: {why}: {_short(data)}",
            "check that the URL is an OpenAI-compatible endpoint, and that nothing on the way changes its replies",
            retry=False,
        )

    def _failure(self, error: Any) -> UpstreamError:
        passes = _passes(error)
        return UpstreamError(
            f"{self._name} reported an error: {message_of(error)}",
            "ask again later" if passes else "mend what it complains of",
            retry=passes,
        )


class WithoutThinking:
    """Takes `<think>…</think>` off the beginning of a text that comes in pieces, and the white space after it."""

    def __init__(self, *, begun: bool = False) -> None:
        """`begun` where the tag that opens it is not in the text."""
        self._now: Literal["opening", "thinking", "gap", "answer"] = "thinking" if begun else "opening"
        self._held = ""

    def add(self, text: str) -> str:
        """A further piece; gives what is certain to be of the answer."""
        self._held += text
        if self._now == "opening":
            seen = self._held.lstrip()
            if seen.startswith(_THINK):
                self._now = "thinking"
            elif not _THINK.startswith(seen):
                self._now = "answer"
        if self._now == "thinking":
            _, closed, rest = self._held.partition(_THOUGHT)
            if closed:
                self._now, self._held = "gap", rest
            else:
                self._held = self._held[1 - len(_THOUGHT) :]
        if self._now == "gap":
            self._held = self._held.lstrip()
            self._now = "answer" if self._held else "gap"
        return self._give() if self._now == "answer" else ""

    def finish(self) -> str:
        """No more comes; gives what was held back. Thinking that did not end leaves no answer."""
        return self._give() if self._now in ("opening", "answer") else ""

    def _give(self) -> str:
        given, self._held = self._held, ""
        return given


def _joined(content: Any) -> Any:
    """The text of a content that comes as a list of text parts; any other as it is."""
    if isinstance(content, list) and all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        texts = [part.get("text") for part in content]
        return "".join(texts) if all(isinstance(text, str) for text in texts) else content
    return content


def _passes(error: Any) -> bool:
    """Whether an error may pass, by its code, status and type: a message may hold any number. A bare text is all of these."""
    said = error if isinstance(error, dict) else dict.fromkeys(("code", "status", "type"), error)
    code, status, kind = (str(said.get(key)).casefold() for key in ("code", "status", "type"))
    return not _PASS.isdisjoint((code, status, kind)) or any(word in kind for word in _PASSING_TYPES)


def message_of(error: Any) -> str:
    """The words in an error object, whatever its form."""
    for key in ("error", "message", "detail"):
        if isinstance(error, dict) and error.get(key):
            return message_of(error[key])
    return _short(error if isinstance(error, str) else json.dumps(error))


def encodable(text: str) -> str:
    """With both halves of a character as one, and one alone as `_HALF`: a text that can be sent, printed and kept."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _short(text: str, most: int = 300) -> str:
    line = " ".join(encodable(text).split())
    return line if len(line) <= most else f"{line[:most]}…"


def _usage(found: Any) -> Usage | None:
    if not isinstance(found, dict):
        return None
    prompt, completion = found.get("prompt_tokens"), found.get("completion_tokens")
    if not (isinstance(prompt, int) and isinstance(completion, int)):
        return None
    return Usage(prompt, completion)
