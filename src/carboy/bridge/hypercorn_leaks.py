"""Mends two leaks of hypercorn 0.18 in its own process: no ASGI application can see them, let alone avoid them."""

from functools import cache
from importlib.metadata import version

import h11
from hypercorn.events import Closed, Event
from hypercorn.protocol import h2
from hypercorn.protocol.h11 import H11Protocol

LEAKING_VERSION = "0.18.0"


@cache
def mend() -> None:
    """Replace a method and a class of hypercorn, once, if it is the version that leaks."""
    if version("hypercorn") == LEAKING_VERSION:
        H11Protocol.handle = _handle  # type: ignore[method-assign]
        h2.StreamBuffer = BoundedStreamBuffer  # type: ignore[misc]


class LeftConnection:
    """Stands in for h11's connection once the client has left: nothing comes from it, nothing is sent to it."""

    our_state = their_state = None
    they_are_waiting_for_100_continue = False
    trailing_data = (b"", False)

    def receive_data(self, _data: bytes) -> None:
        pass

    def next_event(self) -> type[h11.NEED_DATA]:
        return h11.NEED_DATA

    def send(self, _event: object) -> bytes:
        return b""


_original_handle = H11Protocol.handle


async def _handle(self: H11Protocol, event: Event) -> None:
    """Let a connection end whose client has left while a request waited behind an answer.

    Its task waits for that answer to end, which it does no more, until the process stops.
    """
    await _original_handle(self, event)
    if isinstance(event, Closed) and self.connection.trailing_data[0] and self.connection.their_state is h11.DONE:
        self.connection = LeftConnection()  # type: ignore[assignment]
        await self.can_read.set()


class BoundedStreamBuffer(h2.StreamBuffer):
    """Lets an HTTP/2 stream wait for its client.

    hypercorn asks whether it took little from its buffer, as it does too where the client lets it send nothing, and
    not whether little is left in there. So it buffers an answer without end for a client that reads none of it.
    """

    async def pop(self, max_length: int) -> bytes:
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < h2.BUFFER_LOW_WATER:
            await self._paused.set()
        if not self.buffer:
            await self._is_empty.set()
        return data
