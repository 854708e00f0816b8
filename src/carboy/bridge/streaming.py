"""Lets a response's body be an iterator of any kind: async, or sync and perhaps blocking."""

import asyncio
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Iterator
from typing import Any

from flask import current_app, has_request_context, request
from werkzeug.wrappers import Response
from werkzeug.wsgi import FileWrapper

from carboy.bridge import exchange
from carboy.bridge.client import Client
from carboy.bridge.greenlets import await_here, current_context, in_bridge
from carboy.bridge.loop_iterator import END, LoopIterator
from carboy.bridge.loops import Loops
from carboy.bridge.worker import Worker


class ThreadIterator(Iterator[Any]):
    """Iterates a sync iterable in one thread of its own, so that one that blocks does not block the event loop."""

    def __init__(self, source: Iterable[Any], loops: Loops) -> None:
        self._source = source
        self._loops = loops
        self._context = current_context()
        self._iterator: Iterator[Any] | None = None
        self._worker: Worker | None = None

    def __next__(self) -> Any:
        if self._worker is None:
            self._worker = self._loops.workers.take_for_stream()
        chunk = await_here(self._run(self._worker, self._step))
        if chunk is END:
            raise StopIteration
        return chunk

    def _step(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._source)
        return next(self._iterator, END)

    async def _run(self, worker: Worker, function: Callable[[], Any]) -> Any:
        try:
            return await worker.submit(self._context, function)
        except asyncio.CancelledError:
            worker.cancel()
            raise

    def close(self) -> None:
        """Close the iterable in its thread, once that has ended the step that it is at, and wait for neither."""
        close = getattr(self._source, "close", None)
        worker, self._worker = self._worker, None
        if worker is None:
            # Nothing of a generator has run, so that nothing of it runs now.
            if close is not None:
                close()
            return
        if close is not None:
            worker.submit(self._context, close)
        self._loops.workers.give_back(worker)


class FileIterator(Iterator[bytes]):
    """Reads a file, or a range of one, in threads that are held only while they read."""

    def __init__(self, source: Iterator[bytes], loops: Loops) -> None:
        self._source = source
        self._loops = loops

    def __next__(self) -> bytes:
        chunk: bytes = await_here(self._loops.files.run(next, self._source, END))
        if chunk is END:
            raise StopIteration
        return chunk

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            await_here(self._loops.files.run(close))


class Stream(Iterator[Any]):
    """A streamed body. It ends when it is cancelled because its client has left.

    That is no failure of the application. Sentry, which sees what a body raises, would report it as one.
    """

    def __init__(self, source: Iterable[Any], client: Client) -> None:
        self._source = source
        self._client = client
        self._iterator: Iterator[Any] | None = None

    def __next__(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._source)
        try:
            return next(self._iterator)
        except asyncio.CancelledError:
            if self._client.has_left:
                raise StopIteration from None
            raise

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            close()


def is_file(body: object) -> bool:
    """Tell whether a body is a file, or a range of one, reading which takes but a moment: no pipe, no socket."""
    wrapper = body if isinstance(body, FileWrapper) else getattr(body, "iterable", None)
    return isinstance(wrapper, FileWrapper) and wrapper.seekable()


def sync_iterator(source: AsyncIterable[Any]) -> Iterator[Any]:
    """Make an async generator fit where Flask takes a sync one, such as `stream_with_context`.

    A view may answer with an async generator as it is; this is for a generator that uses ``request`` or ``g``::

        return Response(stream_with_context(sync_iterator(events())))

    A sync generator that takes its chunks from this one runs on the event loop with it, and must not block.
    """
    async_to_sync = current_app.async_to_sync

    async def wait(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return await coroutine

    here = exchange.current.get()
    # A request within, as `test_client` makes it, says nothing of this one's body.
    if here is not None and in_bridge() and has_request_context() and "asgi.scope" in request.environ:
        here.waits_by_bridge = True
    return LoopIterator(source, async_to_sync(wait))


_ADAPTED = (LoopIterator, ThreadIterator, FileIterator, Stream, str, bytes)


def adapt_body(response: Response, loops: Loops) -> None:
    """Replace a streamed body by one that may be iterated where the request lives."""
    if response.is_sequence:
        return
    body: Any = response.response
    if isinstance(body, AsyncIterable):
        response.response = LoopIterator(body, loops.wait_for)
        return
    here = exchange.current.get()
    # Only the event loop is to be kept free.
    if here is None or not in_bridge() or isinstance(body, _ADAPTED):
        return
    if is_file(body):
        response.response = FileIterator(body, loops)
    elif not here.waits_by_bridge:
        response.response = ThreadIterator(body, loops)


def end_with_client(response: Response, client: Client) -> None:
    """Let a body that is adapted, and that nothing replaces any more, end when its client has left."""
    body: Any = response.response
    if not response.is_sequence and not is_file(body) and not isinstance(body, FileIterator | Stream | str | bytes):
        response.response = Stream(body, client)
