"""The ASGI application that wraps a Flask application."""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import copy_context
from typing import Any

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from flask import Flask

from carboy.bridge.body import BodyReader, ClientDisconnectedError, RefusedBody, RequestBody
from carboy.bridge.dispatch import Dispatch
from carboy.bridge.environ import build_environ
from carboy.bridge.loops import Loops
from carboy.bridge.refusal import Refusal
from carboy.bridge.response import respond

Lifespan = Callable[[], AbstractAsyncContextManager[object]]

_log = logging.getLogger("carboy.bridge")


class FlaskASGI:
    """Serves a Flask application on the event loop of an ASGI server.

    Views, hooks, error handlers, teardown functions and signal receivers that are ``async def`` run on the server's
    loop. Sync views run in a bounded pool of threads, sync hooks on the loop. The same application still works with
    Flask's `test_client` and command line, where async code runs on one background loop.

    Args:
        app: Any Flask application. Its `async_to_sync` and `ensure_sync` are replaced.
        lifespan: Returns an async context manager that is entered before the first request is served and left after
            the last. When entering it fails, the server says why and exits.
        threads: The most sync views to run at once; further ones wait for their turn.
        spool_bytes: The most bytes of a request body to hold in memory; a longer one goes to a temporary file.
        body_memory_bytes: The most bytes of all bodies in flight to hold in memory; further ones go to temporary files.
        body_bytes_per_second: The least rate of a body; a slower one is answered with 408.
        body_stall_seconds: How long a body may be slower than that, or stand still.
    """

    def __init__(  # noqa: PLR0913 - each is a limit that stands by its name, and none has to be given.
        self,
        app: Flask,
        *,
        lifespan: Lifespan = nullcontext,
        threads: int = 40,
        spool_bytes: int = 512 * 1024,
        body_memory_bytes: int = 64 * 1024 * 1024,
        body_bytes_per_second: int = 500,
        body_stall_seconds: float = 10.0,
    ) -> None:
        self.app = app
        self._lifespan = lifespan
        self._loops = Loops(threads)
        self._bodies = BodyReader(
            spool_bytes=spool_bytes,
            memory_bytes=body_memory_bytes,
            bytes_per_second=body_bytes_per_second,
            stall_seconds=body_stall_seconds,
            run_in_thread=self._loops.run_in_thread,
        )
        self._requests: set[asyncio.Task[None]] = set()
        self._reading: set[asyncio.Task[Any] | None] = set()
        Dispatch(app, self._loops).install()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        loop = self._loops.serve_on_running_loop()
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            await receive()
            # Closing before accepting makes the server answer the handshake with 403.
            await send({"type": "websocket.close", "code": 1000, "reason": "This application serves HTTP only."})
            return
        # A task of its own: when the server gives the request up, what it does in the database still ends. And not the
        # task is waited for, which would be cancelled with whoever waits, but a future.
        end: asyncio.Future[None] = loop.create_future()
        task = _start(self._serve(scope, receive, send, end), loop)
        if not task.done():
            self._requests.add(task)
        try:
            await end
        except asyncio.CancelledError:
            self._give_up(task)
            raise
        task.result()

    def _give_up(self, task: asyncio.Task[None]) -> None:
        """Let a request that the server no longer waits for come to its end, and do not wait for its client.

        No server has to tell such a request that its client has left: a body or a stream might keep it for ever.
        """
        if task in self._reading:
            # No line of the application has run yet.
            task.cancel()
        task.add_done_callback(_log_failure)

    async def _serve(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable, end: asyncio.Future[None]
    ) -> None:
        task = asyncio.current_task()
        try:
            body, length = await self._read_body(scope, receive, task)
            if isinstance(body, RefusedBody) and not body.is_read:
                send = Refusal(scope, receive, send).send
            with body:
                environ = build_environ(scope, body, length)
                await self._loops.greenlets.run(
                    copy_context(),
                    respond,
                    self.app.wsgi_app,
                    environ,
                    receive,
                    send,
                    end,
                    refuses_body=isinstance(body, RefusedBody),
                )
        except ClientDisconnectedError:
            _log.debug("The client left during %s %s", scope["method"], scope["path"])
        finally:
            self._requests -= {task}
            if not end.done():
                end.set_result(None)

    async def _read_body(
        self, scope: HTTPScope, receive: ASGIReceiveCallable, task: asyncio.Task[Any] | None
    ) -> tuple[RequestBody, int | None]:
        self._reading.add(task)
        try:
            return await self._bodies.read(scope, receive, self.app.config["MAX_CONTENT_LENGTH"])
        finally:
            self._reading.discard(task)

    async def _live(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await receive()
        started = False
        try:
            async with self._lifespan():
                started = True
                await send({"type": "lifespan.startup.complete"})
                await receive()
                await self._finish_requests()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the server is told.
            _log.exception("The application failed to %s", "stop" if started else "start")
            reason = f"{type(error).__name__}: {error}"
            if started:
                await send({"type": "lifespan.shutdown.failed", "message": reason})
            else:
                await send({"type": "lifespan.startup.failed", "message": reason})
        else:
            await send({"type": "lifespan.shutdown.complete"})

    async def _finish_requests(self) -> None:
        """Wait for requests that the server gave up, so that what they use is not closed under them."""
        if self._requests:
            await asyncio.wait(set(self._requests))


def _start(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
    """Run a coroutine in a task, from Python 3.12 on without waiting for the loop's next turn."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    return loop.create_task(coroutine)


def _log_failure(task: asyncio.Task[None]) -> None:
    """Report what a request that was given up failed with: its server no longer does."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("A request failed after the server had given it up", exc_info=error)
