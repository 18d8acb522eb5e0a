"""A server on a loopback socket that replies exactly what a test wants, byte by byte: what a good server never does, too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

Reply = Callable[["Asked", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Asked:
    """A request that came."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Server:
    """Replies in order; the last one again and again."""

    replies: Sequence[Reply]
    asked: list[Asked] = field(default_factory=list)
    url: str = ""

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
            body = json.loads(await reader.readexactly(int(headers["content-length"])))
            asked = Asked(first.split()[1], headers, body)
            self.asked.append(asked)
            await self.replies[min(len(self.asked), len(self.replies)) - 1](asked, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away, as some tests want it to
        finally:
            writer.close()


@asynccontextmanager
async def serving(*replies: Reply) -> AsyncIterator[Server]:
    """A server with these replies."""
    server, tasks = Server(replies), set[asyncio.Task[None]]()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.ensure_future(server._serve(reader, writer)))

    listening = await asyncio.start_server(connected, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}/v1"
    try:
        yield server
    finally:
        listening.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def raw(head: str, *parts: bytes, pause: float = 0.0, hang: bool = False) -> Reply:
    """These bytes, part by part."""

    async def reply(_: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head.encode())
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if hang:
            await asyncio.sleep(30)

    return reply


def status(code: int, body: str = "", **headers: str) -> Reply:
    """A status, and a whole body."""
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return raw(f"HTTP/1.1 {code} X\r\ncontent-length: {len(body.encode())}\r\n{lines}\r\n", body.encode())


EVENTS = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"


def events(*parts: bytes, cut: bool = False, **how: Any) -> Reply:
    """A stream of events in exactly these parts; `cut` breaks it off amid HTTP's own chunks."""
    if not cut:
        return raw(EVENTS + "connection: close\r\n\r\n", *parts, **how)
    chunks = [f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts]
    return raw(EVENTS + "transfer-encoding: chunked\r\n\r\n", *chunks, b"ff\r\ndata: {", **how)


def chunk(content: str | None = None, finish: str | None = None, usage: Any = None, **delta: Any) -> bytes:
    """One event of a completion."""
    said = ({} if content is None else {"content": content}) | delta
    found: dict[str, Any] = {"choices": [{"index": 0, "delta": said, "finish_reason": finish}]}
    found |= {"usage": usage} if usage else {}
    return b"data: " + json.dumps(found, ensure_ascii=False).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def answers(text: str) -> Reply:
    """A whole answer."""
    return events(chunk(text), chunk(finish="stop"), DONE)
