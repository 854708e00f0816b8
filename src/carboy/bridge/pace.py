"""Waits for a client that sends a request body, as long as the client keeps sending."""

import asyncio
import types
from collections.abc import Coroutine
from typing import Any

from asgiref.typing import ASGIReceiveCallable

from carboy.bridge.coroutines import go_on, wait_for


class ClientDisconnectedError(Exception):
    """The client left before its request was complete."""


class Pace:
    """Receives the chunks of one body, and waits for them only as long as they come fast enough.

    There are `stall_seconds` to wait. They are there anew each time that as many bytes have come as the rate asks for
    in that time. So a body that stalls is cut after that time at the latest, and one that trickles below the rate too,
    whatever came before. Only waiting counts: what the client has sent is received in no time, however late.

    Args:
        receive: Where the messages come from.
        bytes_per_second: The rate.
        stall_seconds: How long to wait.
    """

    def __init__(self, receive: ASGIReceiveCallable, bytes_per_second: int, stall_seconds: float) -> None:
        self._receive = receive
        self._owed = self._price = bytes_per_second * stall_seconds
        self._left = self._stall_seconds = stall_seconds
        self.more = True
        """Whether the body goes on."""

    async def next_chunk(self) -> bytes:
        """Return the next chunk, which may be empty.

        Raises:
            ClientDisconnectedError: The client has left.
            TimeoutError: The body came too slowly.
        """
        receiving = self._receive()
        steps = receiving if isinstance(receiving, types.CoroutineType) else wait_for(receiving)
        try:
            awaited = steps.send(None)
        except StopIteration as stop:
            # The message was there, as with any body that comes at once: no timer is set.
            message: Any = stop.value
        else:
            message = await self._wait_for(steps, awaited)
        if message["type"] != "http.request":
            raise ClientDisconnectedError
        chunk: bytes = message.get("body", b"")
        self.more = message.get("more_body", False)
        self._owed -= len(chunk)
        if self._owed <= 0:
            self._owed, self._left = self._price, self._stall_seconds
        return chunk

    async def _wait_for(self, steps: Coroutine[Any, Any, Any], awaited: Any) -> Any:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        async with asyncio.timeout(self._left):
            message = await go_on(steps, awaited)
        self._left -= loop.time() - begun
        return message
