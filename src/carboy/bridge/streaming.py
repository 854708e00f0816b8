"""Lets a view answer with an iterator: an async generator, or a sync one that may block."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from typing import Any

from flask import current_app
from werkzeug.wrappers import Response

from carboy.bridge.greenlets import in_bridge
from carboy.bridge.loops import Loops

_END: Any = object()


class LoopIterator(Iterator[Any]):
    """Iterates an async iterable from synchronous code."""

    def __init__(self, source: AsyncIterable[Any], wait_for: Callable[..., Any]) -> None:
        self._source = aiter(source)
        self._wait_for = wait_for

    def __next__(self) -> Any:
        chunk = self._wait_for(_next_chunk(self._source))
        if chunk is _END:
            raise StopIteration
        return chunk

    def close(self) -> None:
        aclose = getattr(self._source, "aclose", None)
        if aclose is not None:
            self._wait_for(_call(aclose))


class ThreadIterator(Iterator[Any]):
    """Iterates a sync iterable in worker threads, so that one that blocks does not block the event loop."""

    def __init__(self, source: Iterable[Any], loops: Loops) -> None:
        self._source = source
        self._iterator: Iterator[Any] | None = None
        self._loops = loops

    def __next__(self) -> Any:
        chunk = self._loops.wait_for(self._loops.run_in_thread(self._step))
        if chunk is _END:
            raise StopIteration
        return chunk

    def _step(self) -> Any:
        if self._iterator is None:
            self._iterator = iter(self._source)
        return next(self._iterator, _END)

    def close(self) -> None:
        close = getattr(self._source, "close", None)
        if close is not None:
            self._loops.wait_for(self._loops.run_in_thread(close))


async def _next_chunk(source: AsyncIterator[Any]) -> Any:
    return await anext(source, _END)


async def _call(function: Callable[[], Awaitable[None]]) -> None:
    await function()


def sync_iterator(source: AsyncIterable[Any]) -> Iterator[Any]:
    """Make an async generator fit where Flask takes a sync one, such as `stream_with_context`.

    A view may answer with an async generator as it is; this is for a generator that uses ``request`` or ``g``::

        return Response(stream_with_context(sync_iterator(events())))
    """
    async_to_sync = current_app.async_to_sync

    async def wait(coroutine: Awaitable[Any]) -> Any:
        return await coroutine

    return LoopIterator(source, async_to_sync(wait))


def adapt_result(result: Any, loops: Loops) -> Any:
    """Replace an iterator in a view's result by one that may be iterated in a greenlet on the event loop."""
    if isinstance(result, Response):
        if not result.is_sequence:
            result.response = _adapt_iterable(result.response, loops)
        return result
    if isinstance(result, tuple) and result:
        return (adapt_result(result[0], loops), *result[1:])
    # An iterable that is no iterator is data, such as a list for JSON.
    if isinstance(result, (Iterator, AsyncIterable)):
        return _adapt_iterable(result, loops)
    return result


def _adapt_iterable(source: Any, loops: Loops) -> Any:
    if isinstance(source, AsyncIterable):
        return LoopIterator(source, loops.wait_for)
    # Outside the bridge there is no loop to be kept free.
    if not in_bridge() or isinstance(source, (LoopIterator, ThreadIterator, str, bytes)):
        return source
    return ThreadIterator(source, loops)
