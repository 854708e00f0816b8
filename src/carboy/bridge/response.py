"""Carries a WSGI response to an ASGI server: runs inside the bridge's greenlet."""

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from contextlib import suppress
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendEvent, HTTPResponseStartEvent

from carboy.bridge.greenlets import await_here

STREAM_GRACE_SECONDS = 1.0
"""How long a streaming view may finish its step once its client has left, before that step is cancelled.

A step that ends by itself, a database call for one, leaks no connection (SQLAlchemy issue 12077).
"""
Send = Callable[[ASGISendEvent], Coroutine[Any, Any, None]]
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
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        self.content_length = next(
            (int(value) for name, value in self.headers if name == b"content-length" and value.isdigit()),
            None,
        )
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


def respond(app: WsgiApp, environ: dict[str, Any], receive: ASGIReceiveCallable, send: Send) -> None:
    """Call the WSGI application and send what it answers, closing its iterable whatever happens.

    A body that is whole at once is one final message, as each message is a write to the socket.
    """
    start = StartResponse()
    result = app(environ, start)
    try:
        chunks = _chunks(result, start)
        first = next(chunks, b"")
        message = start.message()
        has_no_body = environ["REQUEST_METHOD"] == "HEAD" or start.status in NO_BODY_STATUSES
        await_here(send(message))
        if has_no_body or len(first) == start.content_length:
            _send_body(send, b"" if has_no_body else first, more=False)
        else:
            _stream(first, chunks, receive, send)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()


def _chunks(result: Iterable[bytes], start: StartResponse) -> Iterator[bytes]:
    """Yield the non-empty chunks, those from the legacy ``write`` callable first."""
    for chunk in result:
        yield from start.written
        start.written.clear()
        if chunk:
            yield chunk
    yield from start.written


def _stream(first: bytes, chunks: Iterator[bytes], receive: ASGIReceiveCallable, send: Send) -> None:
    """Send chunk by chunk, each once the server has taken the one before, until the client leaves."""
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine of the bridge always runs in a task.
    left = asyncio.Event()
    watch = asyncio.create_task(_watch_for_disconnect(receive, left, task))
    try:
        _send_body(send, first, more=True)
        for chunk in chunks:
            if left.is_set():
                return
            _send_body(send, chunk, more=True)
            if left.is_set():
                return
        _send_body(send, b"", more=False)
    except asyncio.CancelledError:
        if not left.is_set():
            raise
        task.uncancel()
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await_here(_wait(watch))


async def _watch_for_disconnect(receive: ASGIReceiveCallable, left: asyncio.Event, task: asyncio.Task[Any]) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    left.set()
    await asyncio.sleep(STREAM_GRACE_SECONDS)
    task.cancel()


async def _wait(task: asyncio.Task[Any]) -> None:
    await asyncio.wait([task])


def _send_body(send: Send, body: bytes, *, more: bool) -> None:
    await_here(send({"type": "http.response.body", "body": body, "more_body": more}))
