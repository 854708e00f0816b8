"""Answers a request whose body was refused, then closes the connection."""

import asyncio
from contextlib import suppress
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGIReceiveEvent, ASGISendCallable, ASGISendEvent, HTTPScope

LINGER_SECONDS = 2.0
"""How long to go on reading what a client still sends after its answer.

A connection that is closed on a client that is sending is reset, and the answer with it (RFC 9112 section 9.6); a
client that has seen the answer needs no longer to stop.
"""


class Refusal:
    """Takes the place of ``send`` and ``receive`` for a request whose body was not read to its end.

    What is left of the body is thrown away, so that the client reads its answer, and so that a server that hands on
    what it has read before it does anything else (hypercorn does) can end the request. What follows it on the
    connection is no longer to be trusted: over HTTP/1 the connection is closed.
    """

    def __init__(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        # In later versions a request has a stream of its own, and this header is an error (RFC 9113 section 8.2.2).
        self._closes = scope["http_version"].startswith("1")
        self._receive = receive
        self._send = send
        self._rest: asyncio.Task[None] | None = None
        self._has_ended = asyncio.Event()

    async def receive(self) -> ASGIReceiveEvent:
        """Wait until the client leaves."""
        await asyncio.wait([self._throw_rest_away()])
        return {"type": "http.disconnect"}

    async def send(self, message: ASGISendEvent) -> None:
        if message["type"] == "http.response.start" and self._closes:
            headers = [header for header in message["headers"] if header[0] != b"connection"]
            await self._send(message | {"headers": [*headers, (b"connection", b"close")]})
        elif message["type"] == "http.response.body" and not message["more_body"]:
            await self._finish(message["body"])
        else:
            await self._send(message)

    async def _finish(self, body: bytes) -> None:
        rest = self._throw_rest_away()
        try:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await self._has_ended.wait()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            rest.cancel()

    def _throw_rest_away(self) -> asyncio.Task[None]:
        """Read on until the client leaves, in a task, as there may be only one who reads."""
        if self._rest is None:
            self._rest = asyncio.create_task(self._read())
        return self._rest

    async def _read(self) -> None:
        message: Any = {"type": "http.request"}
        while message["type"] == "http.request":
            message = await self._receive()
            if not message.get("more_body", False):
                self._has_ended.set()
