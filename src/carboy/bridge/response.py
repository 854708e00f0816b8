"""Carries a WSGI response to an ASGI server."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

from asgiref.typing import ASGISendEvent, HTTPResponseStartEvent

from carboy.bridge.client import Client, Departure
from carboy.bridge.coroutines import go_on
from carboy.bridge.loop_iterator import END

WsgiApp = Callable[..., Iterable[bytes]]
SLICE_BYTES = 64 * 1024
"""The most of a whole body to give to the server at once.

hypercorn keeps all of a message until an HTTP/2 client has taken it, and until the garbage collector comes by if the
client never does.
"""
NO_BODY_STATUSES = frozenset({204, 304})


class StartResponse:
    """The ``start_response`` callable of PEP 3333: keeps status and headers until there is a body to send."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.content_length: int | None = None
        self.sent = False
        self.written: list[bytes] = []

    def __call__(
        self,
        status: str,
        headers: list[tuple[str, str]],
        exc_info: Any = None,
    ) -> Callable[[bytes], None]:
        if exc_info is not None and self.sent:
            raise exc_info[1].with_traceback(exc_info[2])
        if self.status and exc_info is None:
            raise RuntimeError("start_response was called twice.")
        self.status = int(status[:3])
        self.headers = [(_header_name(name), value.encode("latin-1")) for name, value in headers]
        self.content_length = None
        for name, value in self.headers:
            if name == b"content-length" and value.isdigit():
                self.content_length = int(value)
                break
        return self.written.append

    def message(self) -> HTTPResponseStartEvent:
        """Return the message that starts the response."""
        if not self.status:
            raise RuntimeError("The application returned without calling start_response.")
        self.sent = True
        return {
            "type": "http.response.start",
            "status": self.status,
            "headers": self.headers,
            "trailers": False,
        }


@lru_cache(maxsize=512)
def _header_name(name: str) -> bytes:
    return name.lower().encode("latin-1")


@dataclass(eq=False, slots=True)
class Answer:
    """What a WSGI application has answered."""

    start: StartResponse
    iterable: Iterable[bytes]
    chunks: Iterator[bytes]
    body: bytes | None
    """The whole body, where it was whole at once: one final message, as each message is a write to the socket."""

    @property
    def close(self) -> Callable[[], None] | None:
        close: Callable[[], None] | None = getattr(self.iterable, "close", None)
        return close


def begin(
    app: WsgiApp, environ: dict[str, Any], adapt: Callable[[Iterable[bytes]], Iterable[bytes]] | None = None
) -> Answer:
    """Call a WSGI application, and get as much of its answer as makes the first message.

    Args:
        app: The application.
        environ: The request.
        adapt: Makes the body fit to be iterated where this is called.
    """
    start = StartResponse()
    result = app(environ, start)
    if adapt is not None:
        result = adapt(result)
    try:
        chunks, body = _chunks(result, start), None
        if not start.status:
            # It starts with the first step of its iterable, as New Relic has it for HTML.
            chunks = chain([next(chunks, b"")], chunks)
        if start.status in NO_BODY_STATUSES or environ["REQUEST_METHOD"] == "HEAD":
            next(chunks, b"")
            body = b""
        elif start.content_length is not None:
            body = next(chunks, b"")
            if len(body) != start.content_length:
                chunks, body = chain([body], chunks), None
    except BaseException:
        close = getattr(result, "close", None)
        if close is not None:
            close()
        raise
    return Answer(start, result, chunks, body)


def _chunks(result: Iterable[bytes], start: StartResponse) -> Iterator[bytes]:
    """Return the chunks, those from the legacy ``write`` callable first."""
    # Nothing is written while a list is gone through.
    return chain(start.written, filter(None, result)) if isinstance(result, list) else _iterate(result, start)


def _iterate(result: Iterable[bytes], start: StartResponse) -> Iterator[bytes]:
    for chunk in result:
        yield from start.written
        start.written.clear()
        yield chunk
    yield from start.written


class Place(Protocol):
    """Where a request lives: its Flask code runs there, from first to last."""

    def begin(self, app: WsgiApp, environ: dict[str, Any], client: Client) -> Coroutine[Any, Any, Answer | None]:
        """Run `begin` there; send an answer that is whole at once, and close it, or return it."""

    def begin_stream(self) -> None:
        """Make ready for a body that comes in steps.

        Raises:
            TooManyStreamsError: As many blocking streams live as may.
        """

    def step(self, answer: Answer) -> Coroutine[Any, Any, bytes]:
        """Return the next chunk, or `END`."""

    async def close(self, answer: Answer) -> None:
        """Close the answer's iterable, whatever has happened to it."""


async def stream(place: Place, answer: Answer, client: Client) -> None:
    """Send an answer that comes in steps, closing its iterable whatever happens.

    Raises:
        ClientDisconnectedError: The client left before it had the whole response.
        TooManyStreamsError: There are too many streams; nothing has been sent.
    """
    try:
        place.begin_stream()
        async with Departure(client) as departure:
            await _send_steps(place, answer, departure)
    finally:
        await place.close(answer)


def send_whole(answer: Answer, client: Client) -> Coroutine[Any, Any, None] | None:
    """Send an answer whose body is whole, and return what is left to wait for: nothing with most servers.

    Waiting raises ClientDisconnectedError when the client leaves before it has all of it.
    """
    body = answer.body or b""
    if len(body) <= SLICE_BYTES:
        sending = client.tell((answer.start.message(), _body_message(body, more=False)))
    else:
        sending = client.tell(chain([answer.start.message()], _slices(body)))
    try:
        awaited = sending.send(None)
    except StopIteration:
        return None
    return _go_on_sending(sending, awaited, client)


def _slices(body: bytes) -> Iterator[ASGISendEvent]:
    """Cut a slice when it is its turn: a client that reads slowly then holds the body once, not twice."""
    for at in range(0, len(body), SLICE_BYTES):
        yield _body_message(body[at : at + SLICE_BYTES], more=at + SLICE_BYTES < len(body))


async def _go_on_sending(sending: Coroutine[Any, Any, None], awaited: Any, client: Client) -> None:
    # Only a server that waits for the client to read can wait in vain.
    async with Departure(client) as departure:
        await departure.go_on(go_on(sending, awaited))


async def _send_steps(place: Place, answer: Answer, departure: Departure) -> None:
    """Send chunk by chunk, each once the server has taken the one before, until the client leaves."""
    start = answer.start
    while (chunk := await place.step(answer)) is not END:
        if departure.has_happened():
            return
        if not chunk:
            # It may go on so for ever: the others get their turn, and the client may leave.
            await asyncio.sleep(0)
            continue
        body = _body_message(chunk, more=True)
        await (departure.send(body) if start.sent else departure.send(start.message(), body))
        if departure.has_happened():
            return
    if departure.has_happened():
        return
    end = _body_message(b"", more=False)
    await (departure.send(end) if start.sent else departure.send(start.message(), end))


def _body_message(body: bytes, *, more: bool) -> ASGISendEvent:
    return {"type": "http.response.body", "body": body, "more_body": more}
