"""The client of a request, as its server knows it: what it is sent, and whether it is still there."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from asgiref.typing import ASGIReceiveCallable, ASGISendEvent

from carboy.bridge.body import ClientDisconnectedError

STREAM_GRACE_SECONDS = 1.0
"""How long a stream may finish its step once its client has left, before that step is cancelled.

A step that ends by itself, a database call for one, leaks no connection (SQLAlchemy issue 12077).
"""


@dataclass(eq=False, slots=True)
class Client:
    """What a server gives an application to speak to a client with."""

    receive: ASGIReceiveCallable
    """Where the server says that the client has left."""
    send: Callable[[ASGISendEvent], Awaitable[None]]
    given_up: asyncio.Future[None]
    """Done once the server no longer waits for this request."""
    has_left: bool = False
    """Whether a stream to it has been cancelled."""

    async def tell(self, messages: Iterable[ASGISendEvent]) -> None:
        """Send messages, each of which is made when it is its turn.

        Raises:
            ClientDisconnectedError: The server says that nobody is there.
        """
        try:
            for message in messages:
                await self.send(message)
        except OSError as error:
            raise ClientDisconnectedError from error


class Departure:
    """Sends a stream to a client, and watches for it to leave or for the server to give it up meanwhile.

    What the body of the stream cancels by itself, with a time-out or a task group that it has entered, reaches this
    task wherever that waits: where the body is not running, the cancellation is kept for it.
    """

    def __init__(self, client: Client) -> None:
        self._has_happened = False
        self._client = client
        self._has_cancelled = False
        self._timer: asyncio.TimerHandle | None = None
        self._sending: asyncio.Task[None] | None = None
        self._is_sending_here = False
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a request is served in a task.
        self._task = task

    async def __aenter__(self) -> Self:
        self._watch = asyncio.create_task(_wait_for_disconnect(self._client.receive))
        self._watch.add_done_callback(self._leave)
        self._client.given_up.add_done_callback(self._leave)
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._client.given_up.remove_done_callback(self._leave)
        self._watch.remove_done_callback(self._leave)
        self._watch.cancel()
        if self._timer is not None:
            self._timer.cancel()
        if self._sending is not None:
            self._sending.cancel()
        if self._has_cancelled:
            # What follows is the request's cleanup, which is not cancelled.
            self._task.uncancel()
            if isinstance(error, asyncio.CancelledError):
                raise ClientDisconnectedError from error

    def has_happened(self) -> bool:
        return self._has_happened

    async def send(self, *messages: ASGISendEvent) -> None:
        """Send messages in order, while there is a client.

        Raises:
            ClientDisconnectedError: It has left.
        """
        await self._until_sent()
        self._sending = asyncio.create_task(self._client.tell(messages))
        try:
            await asyncio.wait([self._sending])
        except asyncio.CancelledError as error:
            if self._has_cancelled:
                raise
            # It is the body's, and comes back where that waits next, with the message by which anyio knows its own.
            self._task.uncancel()
            self._task.cancel(*error.args)
        else:
            await self._until_sent()

    async def go_on(self, sending: Awaitable[None]) -> None:
        """Wait for what has begun to be sent, in this task."""
        self._is_sending_here = True
        try:
            await sending
        finally:
            self._is_sending_here = False

    async def _until_sent(self) -> None:
        sending, cancelled = self._sending, None
        if sending is None:
            return
        while not sending.done():
            try:
                await asyncio.wait([sending])
            except asyncio.CancelledError as error:
                if self._has_cancelled:
                    raise
                self._task.uncancel()
                cancelled = error
        self._sending = None
        if sending.cancelled():
            raise ClientDisconnectedError
        sending.result()
        if cancelled is not None:
            self._task.cancel(*cancelled.args)

    def _leave(self, future: asyncio.Future[Any]) -> None:
        if not future.cancelled():
            # A server that fails to say whether there still is a client has none.
            future.exception()
        if self._has_happened:
            return
        self._has_happened = True
        if self._is_sending_here:
            self._cancel()
            return
        if self._sending is not None:
            self._sending.cancel()
        self._timer = asyncio.get_running_loop().call_later(STREAM_GRACE_SECONDS, self._cancel)

    def _cancel(self) -> None:
        self._has_cancelled = self._client.has_left = True
        self._task.cancel()


async def _wait_for_disconnect(receive: ASGIReceiveCallable) -> None:
    # No method: what cancels it in the end holds its frame, and would hold with it who holds the task.
    while (await receive())["type"] != "http.disconnect":  # noqa: ASYNC110 - it waits in receive().
        # What is left of a body may be there at once, and without end.
        await asyncio.sleep(0)
