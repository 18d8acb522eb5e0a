"""An endpoint's answers come whole or with an error that says why; what passes by itself is tried again, within limits."""

from __future__ import annotations

import asyncio
import copy
import json
import os
import pickle
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.control.server import DONE, EVENTS, Reply, Server, answers, chunk, events, raw, serving, status

from heedful.control.completion import PASSING, Completion, WithoutThinking
from heedful.control.endpoint import Endpoint
from heedful.control.upstream import Delta, Request, Sampling, Usage
from heedful.errors import InputError, UpstreamError

ASK = Request([{"role": "user", "content": "Say hello."}], Sampling(max_tokens=20, seed=7, temperature=0.5))
HEAD = EVENTS + "connection: close\r\n\r\n"


class Outcome(NamedTuple):
    """What a call gave: the deltas up to the error, if there was one."""

    deltas: list[Delta]
    error: UpstreamError | None
    server: Server

    @property
    def text(self) -> str:
        return "".join(delta.text for delta in self.deltas)


def ask(*replies: Reply, request: Request = ASK, **options: Any) -> Outcome:
    async def run() -> Outcome:
        async with serving(*replies) as server:
            endpoint = Endpoint(server.url, "m", **{"patience": 5, **options})
            endpoint._pause = lambda tried: 0.01 * 2**tried  # type: ignore[method-assign]
            deltas: list[Delta] = []
            try:
                [stream] = endpoint.streams([request])
                async for delta in stream:
                    deltas.append(delta)
            except UpstreamError as error:
                return Outcome(deltas, error, server)
            return Outcome(deltas, None, server)

    return asyncio.run(asyncio.wait_for(run(), 30))


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEEDFUL_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


# --- what a good server does ---


def test_an_answer_comes_piece_by_piece_and_ends_with_its_usage() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 30}
    done = ask(
        events(chunk("", role="assistant"), chunk("Hel"), chunk("lo."), chunk(finish="stop"), chunk(usage=usage), DONE)
    )
    assert [delta.text for delta in done.deltas] == ["Hel", "lo.", ""]
    assert done.deltas[-1].finish_reason == "stop"
    assert done.deltas[-1].usage == Usage(9, 30)
    assert sum(delta.tokens for delta in done.deltas) == 30
    [asked] = done.server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.body == {
        "model": "m", "messages": [{"role": "user", "content": "Say hello."}], "stream": True,
        "stream_options": {"include_usage": True},
        "temperature": 0.5, "top_p": 1.0, "max_tokens": 20, "seed": 7,
    }  # fmt: skip
    assert "authorization" not in asked.headers


def test_without_usage_it_is_an_estimate_and_says_so() -> None:
    done = ask(answers("Hello there."))
    usage = done.deltas[-1].usage
    assert usage is not None
    assert usage.estimated
    assert 3 <= usage.completion <= 8  # "Hello there."
    assert usage.plus(Usage(1, 1)) == Usage(usage.prompt + 1, usage.completion + 1, estimated=True)


def test_a_server_that_counts_more_than_was_estimated_raises_what_is_estimated_next() -> None:
    """Its template may say much that nobody sees, or its tokenizer be a small one."""
    messages, longer = [{"role": "user", "content": "Hi"}], [{"role": "user", "content": "Hi there, you two"}]

    async def run() -> tuple[int, int, int, int]:
        few, many = ({"prompt_tokens": n, "completion_tokens": 2} for n in (1, 100))
        async with serving(
            events(chunk("Hi", finish="stop", usage=few), DONE), events(chunk("Hi", finish="stop", usage=many), DONE)
        ) as server:
            endpoint = Endpoint(server.url, "m")
            before = endpoint.count(messages)
            counts = [before]
            for _ in range(2):
                [stream] = endpoint.streams([Request(messages)])
                async for _ in stream:
                    pass
                counts.append(endpoint.count(messages))
            return (*counts, endpoint.count(longer))  # type: ignore[return-value]

    before, few, many, longer_count = asyncio.run(run())
    assert before == few < 100 == many < longer_count


def test_a_whole_reply_is_a_stream_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    reply = {
        "choices": [{"index": 0, "message": {"content": "<think>hm</think>\nHello."}, "finish_reason": "length"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 9},
    }
    for stream in (True, False):  # some servers do not stream, whatever they are asked
        done = ask(status(200, json.dumps(reply), content_type="application/json; charset=utf-8"), stream=stream)
        assert done.text == "Hello."
        assert done.deltas[-1].finish_reason == "length"
        assert done.deltas[-1].usage == Usage(3, 9)
        assert done.server.asked[0].body["stream"] is stream


def test_reasoning_is_counted_and_not_given() -> None:
    done = ask(
        events(
            chunk(reasoning_content="let me see"),
            chunk("<thi"),
            chunk("nk>hm</th"),
            chunk("ink>\n\n Hi"),
            chunk(finish="stop"),
        )
    )
    assert done.text == "Hi"
    assert done.deltas[-1].usage is not None
    assert done.deltas[-1].usage.completion > 8
    opened = ask(answers("hm</think>Hi"), thinking=True)
    assert opened.text == "Hi"


PIECES = st.sampled_from(["<", "<thi", "<think>", "</think>", "</", "think>", " ", "\n", "a", "🐈"])


@given(st.lists(PIECES, max_size=12), st.data())
@settings(max_examples=300)
def test_thinking_is_cut_out_wherever_the_text_is_split(pieces: list[str], data: st.DataObject) -> None:
    text = "".join(pieces)
    thinks = text.lstrip().startswith("<think>")
    expected = text.partition("</think>")[2].lstrip() if thinks else text
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    cut = WithoutThinking()
    given = [cut.add(text[a:b]) for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert "".join(given) + cut.finish() == expected


def test_a_schema_and_a_prefix_are_asked_for_where_they_are_taken() -> None:
    request = Request(ASK.messages, prefix='{"a": ', schema={"type": "object"})
    body = ask(answers("1}"), request=request, structures=True, continues=True, body={"top_k": 5}).server.asked[0].body
    assert body["messages"][-1] == {"role": "assistant", "content": '{"a": '}
    assert body["continue_final_message"] is True
    assert body["add_generation_prompt"] is False
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert body["top_k"] == 5
    endpoint = Endpoint("http://h/v1", "m")
    with pytest.raises(InputError, match=r"m at h does not go on from a prefix"):
        endpoint.streams([Request(ASK.messages, prefix="a")])
    with pytest.raises(InputError, match=r"is not said to keep to a schema"):
        endpoint.streams([Request(ASK.messages, schema={})])


def test_streams_are_independent_and_closing_one_hangs_up() -> None:
    slow = events(*[chunk("x ")] * 50, chunk(finish="stop"), pause=0.02)

    async def run() -> None:
        async with serving(slow) as server:
            first, second = Endpoint(server.url, "m").streams([ASK, ASK])
            reading = asyncio.create_task(_all(second))
            assert (await anext(first)).text == "x "
            await first.aclose()
            assert await _all(first) == ""
            assert await reading == "x " * 50

    async def _all(stream: Any) -> str:
        return "".join([delta.text async for delta in stream])

    asyncio.run(asyncio.wait_for(run(), 30))


# --- bytes ---

STREAM = b": hello\r\n\r\n" + b"".join(
    [
        chunk("Grüße, "),
        chunk("🐈"),
        chunk("!"),
        chunk(finish="stop"),
        chunk(usage={"prompt_tokens": 1, "completion_tokens": 2}),
    ]
)


@pytest.mark.parametrize("ends", [b"\n", b"\r\n", b"\r"], ids=["lf", "crlf", "cr"])
def test_chunks_may_end_anywhere(ends: bytes) -> None:
    stream = STREAM.replace(b"\r\n", b"\n").replace(b"\n", ends)
    for size in (1, 2, 3, 7, 64, 10_000):
        parts = [stream[at : at + size] for at in range(0, len(stream), size)]
        for reply in (events(*parts, DONE), events(*parts)):
            done = ask(reply)
            assert done.error is None
            assert done.text == "Grüße, 🐈!"
            assert done.deltas[-1].usage == Usage(1, 2)


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"choices": [{"delta": {"content": "a"}}]}{"choices": [{"delta": {"content": "b"}}]}\n\n',
        b'data: {"choices": [{"delta": {"content": "a"}}]}\ndata: {"choices": [{"delta": {"content": "b"}}]}\n\n',
        b'event: x\nid: 3\nretry: 5\ndata:{"choices": [{"delta":\ndata:  {"content": "ab"}}]}\n\n',
        b'data: {"choices": []}\n\n'
        + chunk("ab")
        + b'data: {"choices": [{"index": 1, "delta": {"content": "z"}}]}\n\n',
    ],
    ids=["two objects", "two objects in two lines", "one object in two lines", "other choices"],
)
def test_odd_but_clear_chunks_are_read(data: bytes) -> None:
    done = ask(events(data, chunk(finish="stop"), DONE))
    assert (done.text, done.error) == ("ab", None)


def halves(text: str) -> list[str]:
    """A text as JavaScript counts it: what lies beyond 16 bits in two pieces."""
    units = text.encode("utf-16-le", "surrogatepass")
    return [units[at : at + 2].decode("utf-16-le", "surrogatepass") for at in range(0, len(units), 2)]


@given(st.text(st.sampled_from("aé🐈👩 <think>/\n")), st.data())
def test_a_character_that_comes_in_halves_is_one(text: str, data: st.DataObject) -> None:
    units = halves("x" + text)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(units)))) | {0, len(units)})
    completion, found = Completion("m", 1), ""
    for start, end in pairwise(cuts):
        said = {"choices": [{"delta": {"content": "".join(units[start:end])}}]}
        for delta in completion.read(json.dumps(said)):
            found += delta.text
            found.encode()  # what is given is whole at any time
    [*completion.read('{"choices": [{"delta": {}, "finish_reason": "stop"}]}')]
    assert found + "".join(delta.text for delta in completion.end()) == "x" + text


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["hi \ud83d"], "hi �"),
        (["a \ud83d", " hi"], "a � hi"),
        (["the \ude00", " second"], "the � second"),
        (["\ud83d"], "�"),
        (["\ud83d", "\ud83d", "\ude00"], "�😀"),
    ],
)
def test_half_a_character_is_given_as_a_mark_that_can_be_printed(pieces: list[str], text: str) -> None:
    said = [b"data: " + json.dumps({"choices": [{"delta": {"content": piece}}]}).encode() + b"\n\n" for piece in pieces]
    assert ask(events(*said, chunk(finish="stop"), DONE)).text == text


def test_half_a_character_in_a_prompt_is_sent_as_that_mark() -> None:
    request = Request([{"role": "user", "content": "Say \ud83d or \ud83d\ude00, “über”."}])
    done = ask(answers("Hello."), request=request)
    [asked] = done.server.asked
    assert (done.text, asked.body["messages"][0]["content"]) == ("Hello.", "Say � or 😀, “über”.")
    assert asked.headers["content-type"] == "application/json"


def test_an_error_can_be_printed_whatever_it_quotes() -> None:
    done = ask(status(400, '{"error": {"message": "what is \\ud83d?"}}'))
    assert "status 400: what is �?" in str(done.error)


# --- what is wrong ---


@pytest.mark.parametrize(
    ("reply", "message", "retry"),
    [
        (events(chunk("Hel"), cut=True), r"the connection broke off \(RemoteProtocolError", True),
        (events(chunk("Hel")), r"broke off: the stream ended without a finish_reason", True),
        (events(chunk("Hel"), DONE), r"without a finish_reason", True),
        (
            events(chunk("Hel"), b"data: {oops\n\n"),
            r"a malformed chunk: it is no JSON: \{oops\n  → check that the URL",
            False,
        ),
        (events(chunk("Hel"), b"data: [1]\n\n"), r"malformed chunk: it is no object", False),
        (events(chunk("Hel"), b'data: {"choices": [7]}\n\n'), r"malformed chunk: a choice is no object", False),
        (events(chunk("Hel"), b'data: {"id": 1}\n\n'), r"malformed chunk: there are no choices", False),
        (events(chunk("Hel"), chunk(content=["no text"])), r"malformed chunk: its content is no text", False),  # type: ignore[arg-type]
        (
            events(chunk("Hel"), b'data: {"error": {"message": "kaput", "code": 500}}\n\n'),
            r"reported an error: kaput",
            True,
        ),
        (events(chunk("Hel"), b'data: {"error": "too long a prompt"}\n\n'), r"reported an error: too long", False),
        (events(chunk("Hel"), chunk(finish="content_filter")), r"finish_reason 'content_filter'\n  → only", False),
        (events(chunk("Hel"), hang=True), r"did not answer in time", True),
    ],
    ids=lambda value: None,
)
def test_what_breaks_off_is_an_error_and_what_came_stands(reply: Reply, message: str, retry: bool) -> None:
    done = ask(reply, patience=0.3)
    assert done.text == "Hel"
    assert done.error is not None
    with pytest.raises(UpstreamError, match=message):
        raise done.error
    assert done.error.retry is retry
    assert "m at 127.0.0.1" in str(done.error)
    assert len(done.server.asked) == 1  # never again once text has come
    assert all(delta.finish_reason is None for delta in done.deltas)


def test_a_connection_that_drops_after_the_end_drops_nothing() -> None:
    done = ask(events(chunk("Hello."), chunk(finish="stop"), cut=True))
    assert (done.text, done.error) == ("Hello.", None)


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (events(chunk(finish="stop"), DONE), r"gave an empty answer \(finish_reason 'stop'\)\n  → ask in other words"),
        (
            events(chunk("<think>hm"), chunk(finish="length")),
            r"empty answer \(finish_reason 'length'\)\n  → give it more max_tok",
        ),
        (
            status(200, "<html>", content_type="text/html"),
            r"replied with text/html, neither events nor JSON\n  → check the URL",
        ),
        (status(200, "", content_type="application/json"), r"without a finish_reason"),
        (status(200, "{", content_type="application/json"), r"malformed chunk: it is no JSON"),
        (status(200, '{"error": {"message": "no"}}', content_type="application/json"), r"reported an error: no"),
        (status(400, '{"error": {"message": "bad seed"}}'), r"answered with status 400: bad seed\n  → mend"),
        (status(401, '{"detail": "who?"}'), r"status 401: who\?\n  → set HEEDFUL_API_KEY"),
        (status(404, "nothing here"), r"status 404: nothing here\n  → check the URL"),
        (status(307, "", location="http://127.0.0.1:1/"), r"answered with status 307"),
    ],
    ids=lambda value: None,
)
def test_no_answer_is_an_error(reply: Reply, message: str) -> None:
    done = ask(reply, retries=0)
    assert done.text == ""
    assert done.error is not None
    with pytest.raises(UpstreamError, match=message):
        raise done.error


# --- again ---


@pytest.mark.parametrize(
    "fault",
    [status(408), status(429), status(500), status(502), status(503, "busy", retry_after="0"), status(504), raw("", b""),
     raw("HTTP/1.1 2"), raw("HTTP/1.1 200 OK\r\n", hang=True), raw(HEAD, hang=True),
     events(b": only a comment\n\n"), events(cut=True)],
    ids=lambda value: None,
)  # fmt: skip
def test_what_passes_is_tried_again(fault: Reply) -> None:
    done = ask(fault, fault, answers("Hello."), patience=0.3)
    assert (done.text, done.error) == ("Hello.", None)
    assert len(done.server.asked) == 3
    assert done.server.asked[0].body == done.server.asked[2].body


@pytest.mark.parametrize(
    ("error", "retry"),
    [
        ({"message": "maximum context length is 1500 tokens", "code": 400}, False),
        ({"message": "the field 'timeout' is unknown", "type": "invalid_request_error", "code": None}, False),
        ({"message": "slow down", "code": "429"}, True),
        *(({"message": "not now", "code": code}, True) for code in sorted(PASSING)),
        ({"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}, True),
        ({"message": "no room", "code": 8, "status": "UNAVAILABLE"}, True),
        ({"message": "later", "type": "overloaded_error"}, True),
        ("Model is overloaded", True),
        ("at most 1500 tokens", False),
    ],
    ids=str,
)
def test_an_error_passes_by_its_code_status_or_type_and_not_by_its_message(error: object, retry: bool) -> None:
    with pytest.raises(UpstreamError) as raised:
        list(Completion("m", 1).read(json.dumps({"error": error})))
    assert raised.value.retry is retry


def test_it_is_not_tried_for_ever() -> None:
    done = ask(status(503, '{"error": {"message": "busy"}}'), retries=2)
    assert len(done.server.asked) == 3
    assert done.error is not None
    assert done.error.retry
    assert "status 503: busy\n  → ask again later" in str(done.error)


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_the_server_says_when_to_come_back(form: str) -> None:
    after = "0.4" if form == "seconds" else formatdate(time.time() + 2, usegmt=True)
    start = time.monotonic()
    done = ask(status(429, retry_after=after), answers("Hello."))
    assert done.text == "Hello."
    assert 0.4 <= time.monotonic() - start < 10


def test_a_wait_beyond_the_deadline_is_not_begun() -> None:
    start = time.monotonic()
    done = ask(status(429, retry_after="3600"), deadline=20)
    assert time.monotonic() - start < 5
    assert done.error is not None
    assert done.error.after == 3600


def test_the_deadline_holds_whatever_drips() -> None:
    # Each byte in time, and comments between them: only the whole is late.
    start = time.monotonic()
    done = ask(events(*[b": still here\n\n", chunk("x")] * 100, pause=0.05), deadline=0.6)
    assert time.monotonic() - start < 3
    assert done.error is not None
    assert "did not answer in time" in str(done.error)
    assert set(done.text) == {"x"}


def test_a_slow_reader_does_not_use_up_the_deadline() -> None:
    async def run() -> str:
        async with serving(events(chunk("a"), chunk("b"), chunk(finish="stop"))) as server:
            [stream], text = Endpoint(server.url, "m", deadline=0.5).streams([ASK]), ""
            async for delta in stream:
                text += delta.text
                await asyncio.sleep(0.4)
            return text

    assert asyncio.run(run()) == "ab"


def test_nobody_listening_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        endpoint = Endpoint(f"http://127.0.0.1:{free.getsockname()[1]}/v1/", "m", retries=1)

        async def run() -> None:
            async for _ in endpoint.streams([ASK])[0]:
                pass

        with pytest.raises(UpstreamError, match=r"could not be reached[\s\S]*ConnectError[\s\S]*see that it runs"):
            asyncio.run(run())


def test_pauses_grow_and_differ() -> None:
    endpoint = Endpoint("http://h/v1", "m")
    for tried, most in enumerate((0.5, 1.0, 2.0, 4.0, 8.0, 8.0)):
        drawn = [endpoint._pause(tried) for _ in range(50)]
        assert most / 2 <= min(drawn) < max(drawn) <= most


# --- the key ---


def test_the_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEEDFUL_API_KEY", "sk-secret-1")
    reply = status(401, '{"error": {"message": "Incorrect API key provided: sk-secret-1"}}')
    done = ask(reply)
    assert done.server.asked[0].headers["authorization"] == "Bearer sk-secret-1"
    assert "Incorrect API key provided: [key]" in str(done.error)
    endpoint = Endpoint("http://h/v1", "m", api_key="sk-secret-2")
    assert "secret" not in f"{endpoint!r} {endpoint.name}"
    assert endpoint._headers()["authorization"] == "Bearer sk-secret-2"


def test_openais_key_is_for_openai_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-openai")
    for url in ("http://localhost:8000/v1", "https://openai.com.example.org/v1", "https://notopenai.com/v1"):
        assert "authorization" not in Endpoint(url, "m")._headers()
    assert Endpoint("https://api.openai.com/v1", "m")._headers()["authorization"] == "Bearer sk-openai"


@pytest.mark.parametrize(
    ("url", "options", "message"),
    [
        ("nonsense", {}, r"'nonsense' is no URL of an endpoint\n  → write it as http://host:port/v1"),
        ("ftp://h/v1", {}, r"no URL of an endpoint"),
        ("http://me:word@h/v1", {}, r"the URL holds a password"),
        ("http://h/v1", {"api_key": "a\nb"}, r"characters that no header can"),
        ("http://h/v1", {"retries": -1}, r"retries, patience and deadline are -1"),
        ("http://h/v1", {"deadline": 0}, r"give 0 or more retries, and more than 0 seconds"),
    ],
)
def test_bad_settings_are_said(url: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Endpoint(url, "m", **options)


# --- a server that is not ours ---


@pytest.mark.slow
def test_a_real_server_answers_as_the_model_itself(tmp_path: Path) -> None:
    for package in ("fastapi", "uvicorn", "openai"):
        pytest.importorskip(package)
    import heedful.models
    from heedful.models import load

    pico = load("pico-llama")
    folder = str(Path(heedful.models.__file__).parent / "embedded" / "pico-llama")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", folder, "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--device", "cpu"],
            stdout=log, stderr=log, env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
    try:
        _wait(port, server)
        request = Request([{"role": "user", "content": "Write a note to a neighbour."}], Sampling(0.0, max_tokens=60))
        [own] = pico.generate([pico.encode(request.messages)], [0], temperature=0.0, max_new_tokens=60)
        for stream in (True, False):
            deltas = asyncio.run(_collect(Endpoint(f"http://127.0.0.1:{port}/v1", folder, stream=stream), request))
            assert "".join(delta.text for delta in deltas) == own.text
            assert deltas[-1].finish_reason == own.finish_reason == "stop"
            assert deltas[-1].usage is not None
            assert not deltas[-1].usage.estimated
            assert deltas[-1].usage.prompt == len(pico.encode(request.messages))
            assert stream is (len(deltas) > 5)
    finally:
        server.terminate()
        server.wait(20)


def _wait(port: int, server: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert server.poll() is None
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.5)
    raise AssertionError("the server did not come up")


async def _collect(endpoint: Endpoint, request: Request) -> Sequence[Delta]:
    return [delta async for delta in endpoint.streams([request])[0]]


# --- what servers do not take ---


def refusal(message: str, code: int = 400) -> Reply:
    return status(code, json.dumps({"error": {"message": message, "param": None}}), content_type="application/json")


NO_MAX_TOKENS = (
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
)
NO_TEMPERATURE = "Unsupported parameter: 'temperature' is not supported with this model."
NOT_HALF = (
    "Unsupported value: 'temperature' does not support 0.5 with this model. Only the default (1) value is supported."
)
PLAIN = Request(ASK.messages, Sampling(max_tokens=20))


def test_a_server_that_refuses_max_tokens_is_asked_by_its_other_name_from_then_on() -> None:
    async def run() -> list[dict[str, Any]]:
        async with serving(refusal(NO_MAX_TOKENS), answers("Hello.")) as server:
            endpoint = Endpoint(server.url, "m", retries=0)
            for most in (20, 9):
                [stream] = endpoint.streams([Request(ASK.messages, Sampling(max_tokens=most))])
                assert "".join([delta.text async for delta in stream]) == "Hello."
            return [asked.body for asked in server.asked]

    refused, *taken = asyncio.run(run())
    assert (refused["max_tokens"], "max_completion_tokens" in refused) == (20, False)
    assert [(body["max_completion_tokens"], "max_tokens" in body) for body in taken] == [(20, False), (9, False)]


def test_the_name_of_the_limit_can_be_given_and_is_kept_to() -> None:
    for name in ("max_completion_tokens", "max_output_tokens"):
        [asked] = ask(answers("Hello."), tokens_field=name).server.asked
        assert (asked.body[name], "max_tokens" in asked.body) == (20, False)
    done = ask(refusal(NO_MAX_TOKENS), tokens_field="max_tokens")
    assert done.error is not None
    assert done.error.cure == "name the field that it takes: tokens_field=max_completion_tokens"
    assert len(done.server.asked) == 1


def test_a_field_that_is_refused_is_left_out_where_that_asks_the_same_and_named_where_it_does_not() -> None:
    done = ask(
        refusal(NO_TEMPERATURE), refusal(NO_TEMPERATURE.replace("temperature", "top_p")), answers("Hi"), request=PLAIN
    )
    assert done.text == "Hi"
    assert [{"temperature", "top_p"} & set(asked.body) for asked in done.server.asked] == [
        {"temperature", "top_p"},
        {"top_p"},
        set(),
    ]
    for message, field in ((NOT_HALF, "temperature"), ("body.seed: Extra inputs are not permitted", "seed")):
        other = ask(refusal(message, 422), answers("Hi"))
        assert other.error is not None
        assert other.error.cure == f"leave {field} out: body={{{field!r}: None}}, or --body '{{\"{field}\": null}}'"
        assert len(other.server.asked) == 1
    limit = ask(refusal("max_tokens is too large: 20. This model supports at most 9 completion tokens."))
    assert limit.error is not None
    assert limit.error.cure == "mend what it complains of"


def test_a_body_adds_fields_and_takes_them_out_but_the_limit_is_the_budgets() -> None:
    [asked] = ask(answers("Hi"), body={"temperature": None, "stream_options": None, "top_k": 20}).server.asked
    assert {"temperature", "stream_options"}.isdisjoint(asked.body)
    assert (asked.body["top_k"], asked.body["top_p"]) == (20, 1.0)
    for further, name in (({"max_tokens": 9999}, None), ({"max_completion_tokens": None}, None), ({"most": 1}, "most")):
        with pytest.raises(
            InputError, match=r"body holds '\w+', and an answer's tokens are limited as the budget has it"
        ):
            Endpoint("http://h/v1", "m", body=further, tokens_field=name)
    with pytest.raises(InputError, match="body is 'top_k=1'"):
        Endpoint("http://h/v1", "m", body="top_k=1")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="retries is '3'\n  → give a whole number"):
        Endpoint("http://h/v1", "m", retries="3")  # type: ignore[arg-type]


TEXT = {"type": "string"}


def closed(**properties: Any) -> dict[str, Any]:
    return {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False
    }  # fmt: skip


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (closed(a=TEXT, b={"type": "array", "items": closed(c={"type": ["integer", "null"]})}), True),
        (closed(a={"anyOf": [TEXT, {"$ref": "#/$defs/n"}]}) | {"$defs": {"n": {"type": "number"}}}, True),
        (closed(a={"$ref": "#/$defs/n"}) | {"$defs": {"n": {"type": "object"}}}, False),
        (closed(a=TEXT) | {"required": []}, False),
        (closed(a=TEXT) | {"additionalProperties": True}, False),
        (closed(a={"type": "object", "properties": {"b": TEXT}, "required": ["b"]}), False),
        (closed(a={}), False),  # any value, also an object of any keys
        (closed(a={"type": "array"}), False),
        (closed(a={"allOf": [TEXT]}), False),
        ({"type": "array", "items": TEXT}, False),
        ({"type": "object"}, False),
        ({"allOf": [closed(a=TEXT)]}, False),
    ],
)
def test_strict_is_said_only_of_a_schema_that_strict_mode_takes(schema: dict[str, Any], strict: bool) -> None:
    [asked] = ask(answers("{}"), request=Request(ASK.messages, schema=schema), structures=True).server.asked
    found = asked.body["response_format"]["json_schema"]
    assert found == {"name": "answer", "schema": schema} | ({"strict": True} if strict else {})


def test_text_in_parts_is_text_and_other_parts_are_none() -> None:
    parts = [{"type": "text", "text": "Hel"}, {"type": "text", "text": "lo."}]
    reply = {"choices": [{"index": 0, "message": {"content": parts}, "finish_reason": "stop"}]}
    assert ask(status(200, json.dumps(reply), content_type="application/json")).text == "Hello."
    streamed = {"choices": [{"index": 0, "delta": {"content": parts}, "finish_reason": "stop"}]}
    assert ask(events(b"data: " + json.dumps(streamed).encode() + b"\n\n", DONE)).text == "Hello."
    parts[1] = {"type": "image_url"}
    other = ask(status(200, json.dumps(reply), content_type="application/json"))
    assert other.error is not None
    assert "its content is no text" in other.error.cause


def test_an_endpoint_that_has_answered_can_be_copied_and_sent_to_another_process() -> None:
    async def run() -> list[str]:
        async with serving(refusal(NO_MAX_TOKENS), answers("Hello.")) as server:
            endpoint, texts = Endpoint(server.url, "m"), list[str]()
            for copied in (
                lambda: endpoint,
                lambda: copy.deepcopy(endpoint),
                lambda: pickle.loads(pickle.dumps(endpoint)),
            ):
                [stream] = copied().streams([ASK])
                texts.append("".join([delta.text async for delta in stream]))
            assert len(server.asked) == 4  # a copy has learnt what its original had
            return texts

    assert asyncio.run(run()) == ["Hello."] * 3
