"""Sees a client leave while it is being answered, and ends what is done for it."""

import asyncio
from collections.abc import Awaitable
from types import TracebackType
from typing import Any, Self

from asgiref.typing import ASGIReceiveCallable

from carboy.bridge.body import ClientDisconnectedError

STREAM_GRACE_SECONDS = 1.0
"""How long a stream may finish its step once its client has left, before that step is cancelled.

A step that ends by itself, a database call for one, leaks no connection (SQLAlchemy issue 12077).
"""


class Departure:
    """Watches for the client of the current task to leave, or for the server to give it up, within a ``with`` block.

    Args:
        receive: Where the server says that the client has left.
        given_up: Done once the server no longer waits for this request.
    """

    def __init__(self, receive: ASGIReceiveCallable, given_up: asyncio.Future[None]) -> None:
        self.has_happened = False
        self._receive = receive
        self._given_up = given_up
        self._is_sending = False
        self._has_cancelled = False
        self._timer: asyncio.TimerHandle | None = None
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a request is served in a task.
        self._task = task

    async def __aenter__(self) -> Self:
        self._watch = asyncio.create_task(self._wait_for_disconnect())
        self._watch.add_done_callback(self._leave)
        self._given_up.add_done_callback(self._leave)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._given_up.remove_done_callback(self._leave)
        self._watch.remove_done_callback(self._leave)
        self._watch.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._has_cancelled:
            # What follows is the request's cleanup, which is not cancelled.
            self._task.uncancel()
            if isinstance(error, asyncio.CancelledError):
                raise ClientDisconnectedError from error

    async def sending(self, send: Awaitable[Any]) -> None:
        """Wait for the server to take a message, for as long as there is a client."""
        self._is_sending = True
        try:
            await send
        finally:
            self._is_sending = False

    async def _wait_for_disconnect(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass

    def _leave(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled():
            # A server that fails to say whether there still is a client has none.
            future.exception()
        if self.has_happened:
            return
        self.has_happened = True
        if self._is_sending:
            self._cancel()
        else:
            self._timer = asyncio.get_running_loop().call_later(STREAM_GRACE_SECONDS, self._cancel)

    def _cancel(self) -> None:
        self._has_cancelled = True
        self._task.cancel()
