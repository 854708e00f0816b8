"""Carries a WSGI response to an ASGI server: runs inside the bridge's greenlet."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from itertools import chain
from types import CoroutineType
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendEvent, HTTPResponseStartEvent

from carboy.bridge.body import ClientDisconnectedError
from carboy.bridge.greenlets import await_here

STREAM_GRACE_SECONDS = 1.0
"""How long a streaming view may finish its step once its client has left, before that step is cancelled.

A step that ends by itself, a database call for one, leaks no connection (SQLAlchemy issue 12077).
"""
Send = Callable[[ASGISendEvent], Awaitable[None]]
WsgiApp = Callable[..., Iterable[bytes]]
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


def respond(
    app: WsgiApp,
    environ: dict[str, Any],
    receive: ASGIReceiveCallable,
    send: Send,
    given_up: asyncio.Future[None],
) -> None:
    """Call the WSGI application and send what it answers, closing its iterable whatever happens.

    A body that is whole at once is one final message, as each message is a write to the socket.

    Args:
        app: The WSGI application.
        environ: The request.
        receive: Where the server says that the client has left.
        send: Sends an ASGI message.
        given_up: Done once the server no longer waits for this request.
    """
    start = StartResponse()
    result = app(environ, start)
    try:
        chunks = _chunks(result, start)
        has_no_body = environ["REQUEST_METHOD"] == "HEAD" or start.status in NO_BODY_STATUSES
        if has_no_body or start.content_length is not None:
            first = next(chunks, b"")
            _send(send, start.message())
            if has_no_body or len(first) == start.content_length:
                _send_body(send, b"" if has_no_body else first, more=False)
                return
            chunks = chain([first], chunks)
        _stream(chunks, start, _Watch(receive, given_up), send)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()


def _chunks(result: Iterable[bytes], start: StartResponse) -> Iterator[bytes]:
    """Return the non-empty chunks, those from the legacy ``write`` callable first."""
    # Nothing is written while a list is gone through.
    return chain(start.written, filter(None, result)) if isinstance(result, list) else _iterate(result, start)


def _iterate(result: Iterable[bytes], start: StartResponse) -> Iterator[bytes]:
    for chunk in result:
        yield from start.written
        start.written.clear()
        if chunk:
            yield chunk
    yield from start.written


class _Watch:
    """Sees a client leave while the response streams to it, and then ends the step that is under way."""

    def __init__(self, receive: ASGIReceiveCallable, given_up: asyncio.Future[None]) -> None:
        self._has_left = False
        self._has_cancelled = False
        self._receive = receive
        self._given_up = given_up
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine of the bridge always runs in a task.
        self._streaming = task
        self.task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        leaving = asyncio.create_task(self._wait_for_disconnect())
        try:
            await asyncio.wait([leaving, self._given_up], return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
        self._has_left = True
        await asyncio.sleep(STREAM_GRACE_SECONDS)
        self._has_cancelled = True
        self._streaming.cancel()

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def has_seen_leave(self) -> bool:
        return self._has_left

    def withdraw_cancellation(self) -> bool:
        """Take back that the watch cancelled the request, whose cleanup is to come; tell whether the watch had."""
        if self._has_cancelled:
            self._streaming.uncancel()
        return self._has_cancelled


def _stream(chunks: Iterator[bytes], start: StartResponse, watch: _Watch, send: Send) -> None:
    """Send chunk by chunk, each once the server has taken the one before, until the client leaves."""
    try:
        for chunk in chunks:
            if watch.has_seen_leave():
                return
            if not start.sent:
                _send(send, start.message())
            _send_body(send, chunk, more=True)
            # Neither a generator nor a server has to wait for anything. The others get their turn, and the watch too.
            await_here(asyncio.sleep(0))
            if watch.has_seen_leave():
                return
        if not start.sent:
            _send(send, start.message())
        _send_body(send, b"", more=False)
    except asyncio.CancelledError:
        if not watch.withdraw_cancellation():
            raise
    finally:
        watch.task.cancel()
        with suppress(asyncio.CancelledError):
            await_here(_wait(watch.task))


async def _wait(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])


def _send_body(send: Send, body: bytes, *, more: bool) -> None:
    _send(send, {"type": "http.response.body", "body": body, "more_body": more})


def _send(send: Send, message: ASGISendEvent) -> None:
    sending = send(message)
    try:
        # ASGI speaks of an awaitable; granian's is no coroutine.
        await_here(sending if isinstance(sending, CoroutineType) else _await(sending))
    except OSError as error:
        raise ClientDisconnectedError from error


async def _await(awaitable: Awaitable[None]) -> None:
    await awaitable
