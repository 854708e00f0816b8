"""Opens a connection to the end, even if the caller is cancelled; closes slow ones in the background."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def to_the_end(opening: Coroutine[Any, Any, T], close: Callable[[T], object]) -> T:
    """Open a connection. If the caller is cancelled meanwhile, the connection is opened to the end, then closed.

    The drivers leak a thread or a socket if opening is interrupted (aiosqlite issue 259).

    Args:
        opening: Opens the connection.
        close: Closes it; called on the event loop.
    """

    def close_opened(task: asyncio.Task[T]) -> None:
        if not task.cancelled() and task.exception() is None:
            close(task.result())

    task = asyncio.create_task(opening)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(close_opened)
        raise


_closing: set[asyncio.Task[None]] = set()


def in_background(closing: Coroutine[Any, Any, None]) -> None:
    """Close a connection without waiting for it."""
    task = asyncio.create_task(closing)
    # asyncio keeps no strong reference to its tasks.
    _closing.add(task)
    task.add_done_callback(_closing.discard)


async def all_closed() -> None:
    """Wait for the connections of this loop that are being closed in the background."""
    loop = asyncio.get_running_loop()
    await asyncio.gather(*(task for task in _closing if task.get_loop() is loop), return_exceptions=True)
