"""The ASGI application that wraps a Flask application."""

import asyncio
import logging
import sys
from asyncio import _unregister_task
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from contextvars import Context, copy_context
from functools import partial
from typing import Any

from asgiref.sync import SyncToAsync, ThreadSensitiveContext
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from flask import Flask

from carboy.bridge import exchange
from carboy.bridge.body import BodyReader, ClientDisconnectedError, RefusedBody, RequestBody
from carboy.bridge.client import Client
from carboy.bridge.dispatch import Dispatch
from carboy.bridge.environ import build_environ
from carboy.bridge.exchange import Exchange
from carboy.bridge.loops import Loops
from carboy.bridge.places import OnLoop, OnWorker
from carboy.bridge.refusal import Refusal
from carboy.bridge.response import stream
from carboy.bridge.views import RunOn, Views
from carboy.bridge.workers import TooManyStreamsError

Lifespan = Callable[[], AbstractAsyncContextManager[object]]

LAST_SECONDS = 1.0
"""How long a request that is cancelled at the very end may take to clean up."""

_log = logging.getLogger("carboy.bridge")


class FlaskASGI:
    """Serves a Flask application on the event loop of an ASGI server.

    A request whose view is async lives on the loop, one whose view is sync, or that has none, lives on one worker
    thread: hooks, session, view, error handlers, body and teardown. Whatever is ``async def`` runs on the server's loop
    in either case. The same application still works with Flask's `test_client` and command line, where async code runs
    on one background loop.

    Args:
        app: Any Flask application. Those of its methods that `Dispatch` names are replaced.
        lifespan: Returns an async context manager that is entered before the first request is served and left after
            the last. When entering it fails, the server says why and exits.
        run_on: Where requests live; see `Views`.
        threads: The most requests to run on workers at once; further ones wait for their turn.
        streams: The most sync streams that may go on besides, each of which keeps its thread; a further one is answered
            503.
        spool_bytes: The most bytes of a request body to hold in memory; a longer one goes to a temporary file.
        body_memory_bytes: The most bytes of all bodies in flight to hold in memory; further ones go to temporary files.
        body_bytes_per_second: The least rate of a body; a slower one is answered with 408.
        body_stall_seconds: How long a body may be slower than that, or stand still.
        stop_seconds: How long to wait at the end for requests that the server no longer waits for.

    Attributes:
        requests: The tasks of the requests in progress, also of those that the server no longer waits for.
    """

    def __init__(  # noqa: PLR0913 - each is a limit that stands by its name, and none has to be given.
        self,
        app: Flask,
        *,
        lifespan: Lifespan = nullcontext,
        run_on: RunOn = "auto",
        threads: int = 40,
        streams: int = 200,
        spool_bytes: int = 512 * 1024,
        body_memory_bytes: int = 64 * 1024 * 1024,
        body_bytes_per_second: int = 500,
        body_stall_seconds: float = 10.0,
        stop_seconds: float = 5.0,
    ) -> None:
        self.app = app
        self._lifespan = lifespan
        self._stop_seconds = stop_seconds
        self._loops = Loops(threads, streams)
        self._views = Views(app, run_on)
        self._bodies = BodyReader(
            spool_bytes=spool_bytes,
            memory_bytes=body_memory_bytes,
            bytes_per_second=body_bytes_per_second,
            stall_seconds=body_stall_seconds,
            run_in_thread=self._loops.run_with_files,
        )
        self.requests: set[asyncio.Task[None]] = set()
        self._reading: set[asyncio.Task[Any] | None] = set()
        Dispatch(app, self._loops, self._views).install()

    async def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        loop = self._loops.serve_on_running_loop()
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] == "websocket":
            await receive()
            # Closing before accepting makes the server answer the handshake with 403.
            await send({"type": "websocket.close", "code": 1000, "reason": "This application serves HTTP only."})
            return
        if scope["type"] != "http":
            raise ValueError(f"This application does not serve ASGI scopes of type {scope['type']!r}.")
        # A task of its own: when the server gives the request up, what it does in the database still ends. And not the
        # task is waited for, which would be cancelled with whoever waits, but a future.
        end: asyncio.Future[None] = loop.create_future()
        # And a context of its own, as a thread may have to enter it while the task is stepped in the task's.
        context = copy_context()
        task = _start(self._serve(scope, receive, send, end, context), loop)
        if not task.done():
            self.requests.add(task)
        try:
            await end
        except asyncio.CancelledError:
            self._give_up(task, context)
            raise
        if task.cancelled():
            raise RuntimeError("The application cancelled the task of its own request.")
        if task.exception() is not None:
            exchange.take_over(context)
        try:
            task.result()
        except GeneratorExit as error:
            raise RuntimeError("The application raised GeneratorExit.") from error

    def _give_up(self, task: asyncio.Task[None], context: Context) -> None:
        """Let a request that the server has given up run to its end, without waiting for its client.

        No server has to tell such a request that its client has left: a body or a stream might keep it for ever.
        """
        if task in self._reading:
            # No line of the application has run yet.
            task.cancel()
        task.add_done_callback(partial(_log_failure, context))

    async def _serve(
        self,
        scope: HTTPScope,
        receive: ASGIReceiveCallable,
        send: ASGISendCallable,
        end: asyncio.Future[None],
        context: Context,
    ) -> None:
        task = asyncio.current_task()
        try:
            self._reading.add(task)
            try:
                body, length = await self._bodies.read(scope, receive, self.app.config["MAX_CONTENT_LENGTH"])
            finally:
                self._reading.discard(task)
            if type(body) is RefusedBody and not body.is_read:
                refusal = Refusal(scope, receive, send)
                receive, send = refusal.receive, refusal.send
            with body:
                await self._respond(scope, body, length, Client(receive, send, end), context)
        except ClientDisconnectedError:
            _log.debug("The client left during %s %s", scope["method"], scope["path"])
        finally:
            self.requests -= {task}
            if not end.done():
                end.set_result(None)

    async def _respond(
        self,
        scope: HTTPScope,
        body: RequestBody,
        length: int | None,
        client: Client,
        context: Context,
    ) -> None:
        environ = build_environ(scope, body, length)
        match = self._views.find_async(environ)
        here = Exchange(client, match, refusal=body.error if type(body) is RefusedBody else None)
        context.run(_enter, here)
        place = (OnWorker if match is None else OnLoop)(self._loops, context)
        try:
            answer = await place.begin(self.app, environ, client)
            if answer is not None:
                await stream(place, answer, client)
        except TooManyStreamsError as error:
            here.refusal = error
            if type(body) is not RefusedBody:
                body.seek(0)
            answer = await place.begin(self.app, build_environ(scope, body, length), client)
            if answer is not None:
                await stream(place, answer, client)

    async def _live(self, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        _mend_server()
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
        """Wait for requests that the server gave up, so that what they use is not closed under them, but not for ever.

        A task that swallows its cancellation would hold up the loop's end: it is left behind, as its thread would be.
        """
        idle = asyncio.ensure_future(self._loops.workers.until_idle())
        _, unfinished = await asyncio.wait({idle, *self.requests}, timeout=self._stop_seconds)
        idle.cancel()
        if not unfinished:
            return
        _log.error("Requests did not end within %g seconds of shutdown", self._stop_seconds)
        for task in self.requests:
            task.cancel()
        if self.requests:
            await asyncio.wait(set(self.requests), timeout=LAST_SECONDS)
        for task in self.requests:
            # Documented for those who extend asyncio: whoever ends the loop waits for all tasks that are registered.
            _unregister_task(task)


def _enter(here: Exchange) -> None:
    exchange.current.set(here)
    # Else asgiref has one thread for the sync functions of all requests.
    SyncToAsync.thread_sensitive_context.set(ThreadSensitiveContext())


def _mend_server() -> None:
    """Mend what is known to leak in the server, if it is hypercorn: whatever serves has been imported by now."""
    if "hypercorn.protocol" in sys.modules:
        from carboy.bridge import hypercorn_leaks  # noqa: PLC0415 - where another server serves, it may be missing.

        hypercorn_leaks.mend()


def _start(coroutine: Coroutine[Any, Any, None], loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
    """Run a coroutine in a task, from Python 3.12 on without waiting for the loop's next turn."""
    if sys.version_info >= (3, 12):
        return asyncio.Task(coroutine, loop=loop, eager_start=True)
    else:  # noqa: RET505 - without it, mypy calls what follows unreachable when it runs on 3.12.
        return loop.create_task(coroutine)


def _log_failure(context: Context, task: asyncio.Task[None]) -> None:
    """Log the failure of a request that the server has given up, as the server no longer does."""
    if not task.cancelled() and (error := task.exception()) is not None:
        exchange.take_over(context)
        _log.error("A request failed after the server had given it up", exc_info=error)
