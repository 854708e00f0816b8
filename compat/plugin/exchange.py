"""One request and its response: between an ASGI application on an event loop, and a test on its own thread."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextvars import Context
from queue import SimpleQueue
from typing import Any

Message = dict[str, Any]
Asgi = Callable[[Any, Any, Any], Awaitable[None]]

PATIENCE_SECONDS = 60
"""How long a test waits for the application's next message; one that takes longer hangs."""


class Ended:
    """The application is done with a request; it has failed if there is an error."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


class Call:
    """The server's side of one request: what it receives, and where it sends."""

    def __init__(self, scope: Message, body: bytes) -> None:
        self.messages: SimpleQueue[Message | Ended] = SimpleQueue()
        self.wanted = asyncio.Semaphore(0)
        self.gone = asyncio.Event()
        self._scope = scope
        self._body: bytes | None = body

    async def run(self, asgi: Asgi) -> None:
        error: BaseException | None = None
        try:
            await asgi(self._scope, self._receive, self._send)
        except BaseException as raised:  # noqa: BLE001 - a test may expect whatever it is.
            error = raised
        self.messages.put(Ended(error))

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        self.messages.put(message)
        if message.get("more_body", False):
            # As WSGI asks for one chunk after another.
            await self.wanted.acquire()
        if self.gone.is_set():
            # So says ASGI from version 2.4 on.
            raise OSError("The client has left.")


class Answer(Iterator[bytes]):
    """The client's side of one request, and the body of its response."""

    def __init__(self, call: Call, loop: asyncio.AbstractEventLoop) -> None:
        self._call = call
        self._loop = loop
        self._began = False
        self._ended = False

    def start(self, asgi: Asgi, context: Context) -> Message:
        """Send the request, and return the message with which its response starts.

        Raises:
            BaseException: What the application raised.
        """
        tasks = []
        self._loop.call_soon_threadsafe(
            lambda: tasks.append(self._loop.create_task(self._call.run(asgi), context=context))
        )
        message = self._take()
        if message is None:
            raise RuntimeError("The application has ended without an answer.")
        return message

    def __next__(self) -> bytes:
        while not self._ended:
            if self._began:
                self._loop.call_soon_threadsafe(self._call.wanted.release)
            self._began = True
            message = self._take()
            if message is not None:
                body: bytes = message["body"]
                if not message["more_body"]:
                    # Whatever the application still has to do is done before the test goes on.
                    self._take()
                if body:
                    return body
        raise StopIteration

    def close(self) -> None:
        """Leave, and wait until the application is done."""
        self._leave()
        while not self._ended:
            self._take()

    def __del__(self) -> None:
        self._leave()

    def _leave(self) -> None:
        if not self._ended and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._call.gone.set)
            self._loop.call_soon_threadsafe(self._call.wanted.release)

    def _take(self) -> Message | None:
        message = self._call.messages.get(timeout=PATIENCE_SECONDS)
        if not isinstance(message, Ended):
            return message
        self._ended = True
        if message.error is not None:
            raise message.error
        return None
