"""Somebody else's API: a real HTTP server that answers well, wrongly, in part, too late or not at all."""

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it arrived."""

    method: str
    target: str
    headers: Mapping[str, str]
    """By names in small letters."""
    body: bytes


Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]
"""Answers a request on its connection, which is closed afterwards."""


class Upstream:
    """The server. It does what is next in `script`, and when that is used up, `always`."""

    def __init__(self) -> None:
        self.script: deque[Behaviour] = deque()
        self.always = answer({"ok": True})
        self.received: list[Received] = []
        self.at_once = 0
        self.most_at_once = 0
        self.writers: set[asyncio.StreamWriter] = set()
        """The open connections."""
        self.url = ""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        self._tasks: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._begin, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.writers.add(writer)
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                self.received.append(await _read(reader))
                behave = self.script.popleft() if self.script else self.always
                await _while_connected(behave(writer), reader)
                await writer.drain()
        finally:
            self.at_once -= 1
            self.writers.discard(writer)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    line, *lines = head.rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
    method, target, _ = line.split(" ")
    return Received(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))


async def _while_connected(behaviour: Awaitable[None], reader: asyncio.StreamReader) -> None:
    """Do something until it is done or the client has gone."""
    tasks = {asyncio.ensure_future(behaviour), asyncio.ensure_future(reader.read())}
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(content: Any = None, status: int = 200, **headers: str) -> Behaviour:
    """Answer with JSON, or with bytes as they are. Headers are named with underscores."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(_head(status, len(body), headers) + body)

    return behave


def _head(status: int, length: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {length}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def redirect(location: str, status: int = 302) -> Behaviour:
    return answer(None, status, Location=location)


async def stall(_writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


async def drip(writer: asyncio.StreamWriter) -> None:
    """Answer without end, a byte at a time."""
    writer.write(_head(200, 10**6, {}))
    while True:
        writer.write(b" ")
        await asyncio.sleep(0.01)


async def cut_off(writer: asyncio.StreamWriter) -> None:
    """Close the connection in the middle of the answer."""
    writer.write(_head(200, 100, {}) + b'{"ok": ')


async def hang_up(_writer: asyncio.StreamWriter) -> None:
    """Close the connection without a word."""


async def babble(writer: asyncio.StreamWriter) -> None:
    """Answer with what is not HTTP."""
    writer.write(b"\x00\xff not HTTP\r\n\r\n")
