"""Any OpenAI-compatible chat endpoint as an upstream, over HTTP.

What may pass by itself is tried again: too many requests, a server's error, a connection that fails, silence; but never
once anything of the answer has come, and neither for ever nor beyond the deadline. An answer that broke off is an error.
What a server says that it does not support is asked in other words from then on, where they mean the same.
Knows HTTP and who may see the key; what a reply says is `completion`'s business.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import re
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

from heedful.control.completion import PASSING, Completion, encodable, message_of
from heedful.control.estimate import weigh
from heedful.control.response_format import response_format
from heedful.control.upstream import Delta, Message, Request, check_number
from heedful.errors import InputError, UpstreamError

try:
    import httpx2
except ModuleNotFoundError as error:
    raise InputError("asking an endpoint needs httpx2", "pip install 'heedful[control]'") from error

T = TypeVar("T")

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0  # seconds
_A_MESSAGE = 8  # tokens that a template writes round a message, at the most
_REFUSED = {400, 422}
_TOKENS_FIELDS = ("max_tokens", "max_completion_tokens")
_DEFAULTS = {"temperature": 1, "top_p": 1}  # OpenAI's: a server that refuses such a field draws so without it
_UNSUPPORTED = re.compile(r"unsupported|n[o']t (\w+ )?(support|permitt|allow)|unknown|unrecogni[sz]ed", re.IGNORECASE)
_NEEDED = {"model", "messages", "stream"}
_LARGEST_ERROR = 65536  # bytes of a reply that says what is wrong


class Endpoint:
    """An upstream behind a URL.

    Attributes:
        name: the model's, and its host's.
        continues: whether the server goes on from a last message of the assistant.
        structures: whether the server keeps to a JSON Schema (`response_format`).
    """

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str | None = None,
        stream: bool = True,
        continues: bool = False,
        structures: bool = False,
        thinking: bool = False,
        tokens_field: str | None = None,
        body: Mapping[str, Any] | None = None,
        retries: int = 4,
        patience: float = 60.0,
        deadline: float = 600.0,
    ) -> None:
        """Nothing is asked yet.

        Args:
            url: up to and with '/v1'.
            model: as the server names it.
            api_key: sent as a bearer token, and never logged; by default what HEEDFUL_API_KEY says, or, for OpenAI's own
                hosts alone, OPENAI_API_KEY.
            stream: whether to ask for the answer as it comes; else it comes as one delta.
            continues, structures: what the server can do; it is not asked.
            thinking: whether answers begin amid thinking, since the server's template has opened it.
            tokens_field: the name of the field that limits an answer's tokens; by default 'max_tokens', and
                'max_completion_tokens' as soon as the server refuses that and asks for this one.
            body: further fields of each request; None takes one out that is sent otherwise.
            retries: how often to try again, at the most.
            patience: seconds of silence after which to give up a try.
            deadline: seconds to wait for an answer, all tries, pauses and the stream itself together; what the reader of the
                stream takes does not count.

        Raises:
            InputError: a URL or a key that cannot be used, a number out of range, or a body that is no object or holds the
                limit of tokens, which the budget decides.
        """
        check_number("retries", retries, whole=True)
        check_number("patience", patience)
        check_number("deadline", deadline)
        if retries < 0 or patience <= 0 or deadline <= 0:
            raise InputError(
                f"retries, patience and deadline are {retries}, {patience} and {deadline}",
                "give 0 or more retries, and more than 0 seconds",
            )
        self._url = _completions(url)
        self._model = model
        self.name = f"{model} at {self._url.netloc.decode()}"
        self.continues, self.structures = continues, structures
        self._stream, self._thinking, self._body = stream, thinking, _further(body, tokens_field)
        self._tokens_field, self._tokens_field_is_given = tokens_field or _TOKENS_FIELDS[0], tokens_field is not None
        self._unsent = frozenset[str]()  # of _DEFAULTS; what this server's refusals have taught
        self._retries, self._deadline = retries, deadline
        self._timeout = httpx2.Timeout(patience, connect=min(patience, 10.0))
        self._key = _key(api_key, self._url)
        self._ssl: ssl.SSLContext | None = None
        self._random = random.Random()
        self._factor = 1.0  # of estimates of prompts; what this server's own counts have taught

    def streams(self, requests: Sequence[Request]) -> list[AsyncGenerator[Delta]]:
        """One stream a request, in order; each is asked for when it is first read.

        Raises:
            InputError: a prefix or a schema that this endpoint was not said to take.
        """
        for request in requests:
            if request.prefix and not self.continues:
                raise InputError(
                    f"{self.name} does not go on from a prefix", "ask without, or say continues=True if it does"
                )
            if request.schema is not None and not self.structures:
                raise InputError(
                    f"{self.name} is not said to keep to a schema", "ask without, or say structures=True if it does"
                )
        return [self._answer(request) for request in requests]

    def count(self, messages: Sequence[Message], prefix: str = "") -> int:
        """An upper estimate of a prompt's tokens; raised where the server has counted more in a prompt than was estimated."""
        return math.ceil(self._factor * self._estimate(messages, prefix))

    def _estimate(self, messages: Sequence[Message], prefix: str) -> float:
        further = [json.dumps(turn["tool_calls"]) for turn in messages if turn.get("tool_calls")]
        return sum(map(weigh, (*(turn["content"] for turn in messages), *further, prefix))) + _A_MESSAGE * len(messages)

    async def _answer(self, request: Request) -> AsyncGenerator[Delta]:
        clock, tried, given = _Clock(self._deadline), 0, False
        failed: UpstreamError | None = None
        try:
            while True:
                form = self._form
                try:
                    async with aclosing(self._attempt(request, clock)) as deltas:
                        async for delta in deltas:
                            given = True
                            yield delta
                    return
                except UpstreamError as error:
                    if not given and self._form != form:  # a refusal has taught how to ask: that is no failure yet
                        continue
                    pause, failed = self._pause(tried) if error.after is None else error.after, error
                    if given or not error.retry or tried == self._retries or pause >= clock.left:
                        raise
                tried += 1
                await clock.within(asyncio.sleep(pause))
        except asyncio.CancelledError as cancelled:  # who waits no longer is told for what it waited
            raise cancelled from failed

    def _pause(self, tried: int) -> float:
        """Doubled each time, and at random up to half of it less, so that those who failed together do not return together."""
        return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**tried) * self._random.uniform(0.5, 1)

    async def _attempt(self, request: Request, clock: _Clock) -> AsyncGenerator[Delta]:
        completion = Completion(self.name, self.count(request.messages, request.prefix), thinking=self._thinking)
        try:
            async with self._client() as client:
                asked = encodable(json.dumps(self._asked(request), ensure_ascii=False, allow_nan=False)).encode()
                sent = client.build_request("POST", self._url, content=asked, headers=self._headers())
                response = await clock.within(client.send(sent, stream=True))
                async with aclosing(response), aclosing(self._data(response, request, clock)) as events:
                    async for data in events:
                        if data.strip() == "[DONE]":
                            break
                        for delta in completion.read(data):
                            yield delta
                        if completion.tokens_at_least > request.sampling.max_tokens:  # the server ignores its limit
                            completion.cut()
                            break
        except httpx2.SSEError as error:
            raise self._error("sent a reply that is no stream of events", retry=False, why=error) from error
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise self._error("did not answer in time", why=error) from error
        except httpx2.TransportError as error:
            # A server may close carelessly after the end; the end is known by its finish_reason.
            if not completion.ended:
                raise self._error("could not be reached, or the connection broke off", why=error) from error
        for last in completion.end():
            if last.usage is not None and not last.usage.estimated:
                estimate = self._estimate(request.messages, request.prefix)
                self._factor = max(self._factor, last.usage.prompt / estimate)
            yield last

    async def _data(self, response: httpx2.Response, request: Request, clock: _Clock) -> AsyncGenerator[str]:
        """The data of each event; of a reply that is one JSON object, all of it."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code != 200:
            raise await self._refused(response, request, clock)
        if kind == "text/event-stream":
            # It is a generator, and says less of itself.
            source = cast(AsyncGenerator[httpx2.ServerSentEvent], aiter(httpx2.EventSource(response)))
            async with aclosing(source) as events:
                while (event := await clock.within(anext(events, None))) is not None:
                    if event.data:
                        yield event.data
        elif kind == "application/json":
            yield (await clock.within(response.aread())).decode(errors="replace")
        else:
            raise self._error(f"replied with {kind or 'no content type'}, neither events nor JSON", retry=False)

    async def _refused(self, response: httpx2.Response, request: Request, clock: _Clock) -> UpstreamError:
        status, body = response.status_code, b""
        async with aclosing(response.aiter_bytes()) as chunks:
            while len(body) < _LARGEST_ERROR and (chunk := await clock.within(anext(chunks, b""))):
                body += chunk
        text = body.decode(errors="replace")
        try:
            said = message_of(json.loads(text))
        except ValueError:
            said = message_of(text)
        cure = self._learn(text, request) if status in _REFUSED else None
        cures = {
            401: "set HEEDFUL_API_KEY, or give api_key, to a key that it knows",
            403: "set HEEDFUL_API_KEY, or give api_key, to a key that may use this model",
            404: "check the URL (up to and with /v1) and the model's name",
        }
        retried = status in PASSING
        return UpstreamError(
            self._safe(f"{self.name} answered with status {status}: {said}"),
            cure or cures.get(status, "ask again later, or less often" if retried else "mend what it complains of"),
            retry=retried,
            after=_retry_after(response.headers.get("retry-after")) if retried else None,
        )

    @property
    def _form(self) -> tuple[str, frozenset[str]]:
        """How a request is put, as far as refusals change it."""
        return self._tokens_field, self._unsent

    def _learn(self, refusal: str, request: Request) -> str | None:
        """Ask otherwise from now on what this server refuses, if that asks the same; else what its user can do, if known."""
        if not _UNSUPPORTED.search(refusal):
            return None
        sent = self._asked(request)
        named = [field for field in sent if field not in _NEEDED and re.search(rf"\b{re.escape(field)}\b", refusal)]
        others = [field for field in _TOKENS_FIELDS if field != self._tokens_field and field in refusal]
        if self._tokens_field in named and others:
            if not self._tokens_field_is_given:
                self._tokens_field = others[0]
            return f"name the field that it takes: tokens_field={others[0]}"
        self._unsent |= {field for field in named if _DEFAULTS.get(field) == sent[field]}
        if not named:
            return None
        return f"leave {named[0]} out: body={{{named[0]!r}: None}}, or --body '{{\"{named[0]}\": null}}'"

    def _asked(self, request: Request) -> dict[str, Any]:
        messages = [dict(turn) for turn in request.messages]
        how = request.sampling
        body: dict[str, Any] = {"model": self._model, "messages": messages, "stream": self._stream}
        body |= {"temperature": how.temperature, "top_p": how.top_p, self._tokens_field: how.max_tokens}
        for field in self._unsent:
            if body[field] == _DEFAULTS[field]:
                del body[field]
        if self._stream:
            body["stream_options"] = {"include_usage": True}
        if how.seed is not None:
            body["seed"] = how.seed
        if request.prefix:
            messages.append({"role": "assistant", "content": request.prefix})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        if request.schema is not None:
            body["response_format"] = response_format(request.schema)
        return {field: value for field, value in (body | self._body).items() if value is not None}

    def __getstate__(self) -> dict[str, Any]:
        """A copy opens connections of its own; what they need cannot be copied."""
        return {**self.__dict__, "_ssl": None}

    def _headers(self) -> dict[str, str]:
        accept = "text/event-stream, application/json" if self._stream else "application/json"
        return {"accept": accept, "content-type": "application/json"} | (
            {"authorization": f"Bearer {self._key}"} if self._key else {}
        )

    def _client(self) -> httpx2.AsyncClient:
        # A client belongs to one event loop, so each answer has its own; what is dear in it, the certificates, is shared.
        if self._ssl is None:
            self._ssl = httpx2.create_ssl_context()
        return httpx2.AsyncClient(verify=self._ssl, timeout=self._timeout)

    def _error(self, what: str, *, retry: bool = True, why: Exception | None = None) -> UpstreamError:
        detail = f" ({type(why).__name__}{f': {why}' if str(why) else ''})" if why else ""
        cure = (
            "see that it runs and can be reached, or give it more time"
            if retry
            else "check the URL, up to and with /v1"
        )
        return UpstreamError(self._safe(f"{self.name} {what}{detail}"), cure, retry=retry)

    def _safe(self, text: str) -> str:
        """Without the key, which servers like to repeat in what they complain of."""
        return text.replace(self._key, "[key]") if self._key else text


class _Clock:
    """Seconds that may still be waited; what happens between two waits does not count."""

    def __init__(self, left: float) -> None:
        self.left = left

    async def within(self, awaited: Awaitable[T]) -> T:
        """Wait, but no longer than what is left.

        Raises:
            TimeoutError: nothing is left.
        """
        start = time.monotonic()
        try:
            async with asyncio.timeout(self.left):
                return await awaited
        finally:
            self.left -= time.monotonic() - start


def _further(body: Mapping[str, Any] | None, tokens_field: str | None) -> dict[str, Any]:
    if not isinstance(body, Mapping | None):
        raise InputError(f"body is {body!r}", 'give an object of further fields: {"top_k": 20}')
    limits = {*_TOKENS_FIELDS, tokens_field} & {*(body or {})}
    if limits:
        raise InputError(
            f"body holds {sorted(map(str, limits))[0]!r}, and an answer's tokens are limited as the budget has it",
            "give the number as max_tokens of Sampling, and the field's name, if need be, as tokens_field",
        )
    return dict(body or {})


def _completions(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url.strip())
    except httpx2.InvalidURL as error:
        raise InputError(f"{url!r} is no URL: {error}", "write it as http://host:port/v1") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise InputError(f"{url!r} is no URL of an endpoint", "write it as http://host:port/v1")
    if parsed.userinfo:
        raise InputError("the URL holds a password", "take it out, and give a key as HEEDFUL_API_KEY")
    path = parsed.path.rstrip("/")
    return parsed.copy_with(path=path if path.endswith("/chat/completions") else f"{path}/chat/completions")


def _key(given: str | None, url: httpx2.URL) -> str | None:
    """The key to send; OpenAI's is for OpenAI's hosts, whoever names the URL."""
    key = given or os.environ.get("HEEDFUL_API_KEY")
    if not key and (url.host == "openai.com" or url.host.endswith(".openai.com")):
        key = os.environ.get("OPENAI_API_KEY")
    key = (key or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError("the API key holds characters that no header can", "copy it again, without line breaks")
    return key or None


def _retry_after(value: str | None) -> float | None:
    """Seconds, from a number of them or a date."""
    if value is None:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
