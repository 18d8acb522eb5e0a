"""Any OpenAI-compatible chat endpoint as an upstream, over HTTP.

What may pass by itself is tried again: too many requests, a server's error, a connection that fails, silence; but never
once anything of the answer has come, and neither for ever nor beyond the deadline. An answer that broke off is an error.
Knows HTTP and who may see the key; what a reply says is `completion`'s business.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar, cast

from heedful.control.completion import PASSING, Completion, message_of
from heedful.control.estimate import weigh
from heedful.control.upstream import Delta, Message, Request
from heedful.errors import InputError, UpstreamError

try:
    import httpx2
except ModuleNotFoundError as error:
    raise InputError("asking an endpoint needs httpx2", "pip install 'heedful[control]'") from error

T = TypeVar("T")

_FIRST_WAIT, _LONGEST_WAIT = 0.5, 8.0  # seconds
_A_MESSAGE = 8  # tokens that a template writes round a message, at the most
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
            body: further fields of each request.
            retries: how often to try again, at the most.
            patience: seconds of silence after which to give up a try.
            deadline: seconds to wait for an answer, all tries, pauses and the stream itself together; what the reader of the
                stream takes does not count.

        Raises:
            InputError: a URL or a key that cannot be used, or a number out of range.
        """
        if retries < 0 or patience <= 0 or deadline <= 0:
            raise InputError(
                f"retries, patience and deadline are {retries}, {patience} and {deadline}",
                "give 0 or more retries, and more than 0 seconds",
            )
        self._url = _completions(url)
        self._model = model
        self.name = f"{model} at {self._url.netloc.decode()}"
        self.continues, self.structures = continues, structures
        self._stream, self._thinking, self._body = stream, thinking, dict(body or {})
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
        return sum(weigh(turn["content"]) + _A_MESSAGE for turn in messages) + weigh(prefix)

    async def _answer(self, request: Request) -> AsyncGenerator[Delta]:
        clock, tried, given = _Clock(self._deadline), 0, False
        while True:
            try:
                async with aclosing(self._attempt(request, clock)) as deltas:
                    async for delta in deltas:
                        given = True
                        yield delta
                return
            except UpstreamError as error:
                pause = self._pause(tried) if error.after is None else error.after
                if given or not error.retry or tried == self._retries or pause >= clock.left:
                    raise
            tried += 1
            await clock.within(asyncio.sleep(pause))

    def _pause(self, tried: int) -> float:
        """Doubled each time, and at random up to half of it less, so that those who failed together do not return together."""
        return min(_LONGEST_WAIT, _FIRST_WAIT * 2.0**tried) * self._random.uniform(0.5, 1)

    async def _attempt(self, request: Request, clock: _Clock) -> AsyncGenerator[Delta]:
        completion = Completion(self.name, self.count(request.messages, request.prefix), thinking=self._thinking)
        try:
            async with self._client() as client:
                sent = client.build_request("POST", self._url, json=self._asked(request), headers=self._headers())
                response = await clock.within(client.send(sent, stream=True))
                async with aclosing(response), aclosing(self._data(response, clock)) as events:
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
        last = completion.end()
        if last.usage is not None and not last.usage.estimated:
            estimate = self._estimate(request.messages, request.prefix)
            self._factor = max(self._factor, last.usage.prompt / estimate)
        yield last

    async def _data(self, response: httpx2.Response, clock: _Clock) -> AsyncGenerator[str]:
        """The data of each event; of a reply that is one JSON object, all of it."""
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if response.status_code != 200:
            raise await self._refused(response, clock)
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

    async def _refused(self, response: httpx2.Response, clock: _Clock) -> UpstreamError:
        status, body = response.status_code, b""
        async with aclosing(response.aiter_bytes()) as chunks:
            while len(body) < _LARGEST_ERROR and (chunk := await clock.within(anext(chunks, b""))):
                body += chunk
        text = body.decode(errors="replace")
        try:
            said = message_of(json.loads(text))
        except ValueError:
            said = message_of(text)
        cures = {
            401: "set HEEDFUL_API_KEY, or give api_key, to a key that it knows",
            403: "set HEEDFUL_API_KEY, or give api_key, to a key that may use this model",
            404: "check the URL (up to and with /v1) and the model's name",
        }
        retried = status in PASSING
        return UpstreamError(
            self._safe(f"{self.name} answered with status {status}: {said}"),
            cures.get(status, "ask again later, or less often" if retried else "mend what it complains of"),
            retry=retried,
            after=_retry_after(response.headers.get("retry-after")) if retried else None,
        )

    def _asked(self, request: Request) -> dict[str, Any]:
        messages = [dict(turn) for turn in request.messages]
        how = request.sampling
        body: dict[str, Any] = {"model": self._model, "messages": messages, "stream": self._stream}
        body |= {"temperature": how.temperature, "top_p": how.top_p, "max_tokens": how.max_tokens}
        if self._stream:
            body["stream_options"] = {"include_usage": True}
        if how.seed is not None:
            body["seed"] = how.seed
        if request.prefix:
            messages.append({"role": "assistant", "content": request.prefix})
            body |= {"continue_final_message": True, "add_generation_prompt": False}
        if request.schema is not None:
            schema = {"name": "answer", "strict": True, "schema": request.schema}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body | self._body

    def _headers(self) -> dict[str, str]:
        accept = "text/event-stream, application/json" if self._stream else "application/json"
        return {"accept": accept} | ({"authorization": f"Bearer {self._key}"} if self._key else {})

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
