"""Server-sent events (WHATWG HTML, section 9.2): a view answers with a stream of models.

The generator behind a stream runs in a task of its own, whole, so that time-outs and task groups in it mean what they
say. It is closed when the client leaves, when the stream has lasted its time and when the server is told to stop.
"""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Generic, Protocol, TypeVar

from flask import Response
from pydantic import BaseModel, TypeAdapter

from carboy.api.answers import without_body
from carboy.di.wiring import current_container
from carboy.errors import CarboyError, UnavailableError
from carboy.schemas.events import Event
from carboy.web.application import Request

ModelT = TypeVar("ModelT", bound=BaseModel)

EVENT_STREAM = "text/event-stream"
HEARTBEAT = b":\n\n"
"""A comment, which clients ignore."""
RETRY_SECONDS = 3.0
"""How long a client waits before it comes again, unless the server is stopping."""
MAX_EVENT_ID = 1000
"""Characters of a ``Last-Event-ID``; a longer one is none that was sent from here."""

_END = object()

_log = logging.getLogger(__name__)


class EventStream(Generic[ModelT]):
    """The return value of a view that streams events.

    Args:
        events: An async generator, which is closed where it waits when its client leaves. None where the client has
            seen all that there will be: it is answered with 204, after which browsers do not come again.
    """

    def __init__(self, events: AsyncGenerator[Event[ModelT], None] | None) -> None:
        self.events = events


class Stopping(Protocol):
    """Tells when the server is told to stop."""

    def on_shutdown(self, callback: Callable[[], None]) -> None: ...


class EventStreams:
    """The streams of this process: keeps them alive by heartbeats, and ends them when the server is told to stop.

    Their clients are then told to come again when this server no longer serves, so that they reach another.

    Args:
        health: Tells when that is.
        heartbeat_seconds: After how long without an event a comment is sent, by which proxies see that it is alive.
        stream_seconds: How long a stream lasts at most. Its client comes again then, and is asked anew who it is.
        drain_seconds: How long this server serves on when it is told to stop.

    Attributes:
        opened: How many streams there have been.
        sent: How many events.
    """

    def __init__(
        self, health: Stopping, *, heartbeat_seconds: float, stream_seconds: float, drain_seconds: float
    ) -> None:
        self.opened = 0
        self.sent = 0
        self._health = health
        self._heartbeat_seconds = heartbeat_seconds
        self._stream_seconds = stream_seconds
        self._drain_seconds = drain_seconds
        self._pumps: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()

    @property
    def count(self) -> int:
        """How many streams there are now."""
        return len(self._pumps)

    def open(self) -> None:
        loop = asyncio.get_running_loop()

        def end() -> None:
            # Shutdown may begin in another thread, and again when the loop is closed.
            with suppress(RuntimeError):
                loop.call_soon_threadsafe(self.close)

        self._ending.clear()
        self._health.on_shutdown(end)

    def close(self) -> None:
        """End all streams, and from now on each new one at once."""
        self._ending.set()
        for pump in self._pumps:
            pump.cancel()

    async def body(
        self, events: AsyncGenerator[Event[Any], None], encode: Callable[[Any], bytes]
    ) -> AsyncIterator[bytes]:
        """Yield what is sent for events."""
        if self._ending.is_set():
            await events.aclose()
            yield self._farewell()
            return
        self.opened += 1
        waiting: asyncio.Queue[Any] = asyncio.Queue()
        pump = asyncio.create_task(_pump(events, waiting))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)
        # Not by the task itself, which may be cancelled before it has begun.
        pump.add_done_callback(lambda _: waiting.put_nowait(_END))
        # At random, so that those which began together do not end together.
        over = asyncio.get_running_loop().call_later(self._stream_seconds * random.uniform(0.9, 1), pump.cancel)  # noqa: S311 - nobody gains by guessing it.
        try:
            yield _retry(RETRY_SECONDS)
            while (event := await self._next(waiting)) is not _END:
                yield HEARTBEAT if event is None else _written(event, encode)
                if event is not None:
                    self.sent += 1
                    waiting.task_done()
        finally:
            over.cancel()
            pump.cancel()
            await asyncio.wait({pump})
        if self._ending.is_set():
            yield self._farewell()
        elif not pump.cancelled() and not _is_declared(pump.exception()):
            # What the generator raised is the request's error.
            pump.result()

    async def _next(self, waiting: asyncio.Queue[Any]) -> Any:
        """Return the next event, None if there is none for the time of a heartbeat."""
        try:
            async with asyncio.timeout(self._heartbeat_seconds):
                return await waiting.get()
        except TimeoutError:
            return None

    def _farewell(self) -> bytes:
        # At random, so that they do not all come at once.
        return _retry(max(self._drain_seconds, 1.0) + 2 * random.random())  # noqa: S311 - nobody gains by guessing it.


async def _pump(events: AsyncGenerator[Event[Any], None], waiting: asyncio.Queue[Any]) -> None:
    """Hand events on, each once the one before it has been sent."""
    try:
        async for event in events:
            waiting.put_nowait(event)
            await waiting.join()
    finally:
        await events.aclose()


def _is_declared(error: BaseException | None) -> bool:
    """Tell whether an error is one that clients may be told: the stream ends, and they are when they come again."""
    if not isinstance(error, CarboyError):
        return False
    _log.log(logging.WARNING if isinstance(error, UnavailableError) else logging.INFO, "a stream ends early: %s", error)
    return True


def _retry(seconds: float) -> bytes:
    return b"retry: %d\n\n" % round(seconds * 1000)


def _written(event: Event[Any], encode: Callable[[Any], bytes]) -> bytes:
    head = f"id: {event.id}\n" if event.id is not None else ""
    head += f"event: {event.name}\n" if event.name is not None else ""
    return b"%bdata: %b\n\n" % (head.encode(), encode(event.data))


NEEDED = {"event_streams": EventStreams}
"""What a stream asks the container for."""


def stream_writer(model: Any) -> Callable[[EventStream[Any], Request, dict[str, Any]], Response]:
    """Return a writer that answers with a stream. It is neither stored nor compressed nor held back by a proxy."""
    encode = TypeAdapter(model).serializer.to_json

    def write(result: EventStream[Any], _request: Request, _arguments: dict[str, Any]) -> Response:
        if result.events is None:
            return without_body(204)
        streams: EventStreams = current_container().event_streams()
        # The bridge takes async generators, which Flask's types do not know.
        response = Response(streams.body(result.events, encode), content_type=EVENT_STREAM)  # type: ignore[arg-type]
        response.headers["Cache-Control"] = "no-store"
        response.headers["X-Accel-Buffering"] = "no"
        return response

    return write


def read_last_event_id(request: Request) -> str | None:
    """Return the id of the last event that the client has seen, None if it comes for the first time."""
    given = request.environ.get("HTTP_LAST_EVENT_ID")
    # A header's bytes come as latin-1; the client sends UTF-8.
    text = given.encode("latin-1").decode("utf-8", "replace") if given else None
    return text if text is not None and len(text) <= MAX_EVENT_ID else None
