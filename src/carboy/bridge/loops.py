"""Lets synchronous code wait for coroutines: on the server's loop, or on a loop of our own where there is no server."""

import asyncio
import os
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from asgiref.sync import AsyncToSync

from carboy.bridge.greenlets import await_here, current_context, greenlets, in_bridge
from carboy.bridge.worker import current_worker
from carboy.bridge.workers import Workers

T = TypeVar("T")

MOST_FILE_THREADS = 8
"""How many threads read and write the files of uploads and downloads, each step of which takes a moment."""

_all: "weakref.WeakSet[Loops]" = weakref.WeakSet()


class Loops:
    """Runs coroutines for synchronous code, and holds the worker threads of the serving loop.

    Args:
        threads: The most requests to run on workers at once.
        streams: The most of them that may keep a thread once they have answered.
    """

    def __init__(self, threads: int, streams: int) -> None:
        self.workers: Workers
        self.files: Workers
        self._sizes = threads, streams
        self._forget()
        _all.add(self)

    def _forget(self) -> None:
        """Start anew: a forked child has neither the threads of its parent nor its loops."""
        self._serving: asyncio.AbstractEventLoop | None = None
        self._background: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._stops: list[Callable[[], object]] = []

    def serve_on_running_loop(self) -> asyncio.AbstractEventLoop:
        """Note the running loop as the one that serves, so that threads send their coroutines to it; return it."""
        loop = asyncio.get_running_loop()
        if loop is not self._serving:
            for stop in self._stops:
                stop()
            self._serving = loop
            self.workers = Workers(loop, *self._sizes)
            self.files = Workers(loop, MOST_FILE_THREADS)
            self._stops = [weakref.finalize(self, workers.stop) for workers in (self.workers, self.files)]
        return loop

    async def run_with_files(self, function: Callable[..., T], *args: object) -> T:
        """Run what works on files in a thread; see `Workers.run`."""
        return await self.files.run(function, *args)

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine from synchronous code, wherever that runs.

        Inside the bridge this steps aside for others. A worker, or any other thread of a serving process, has the
        coroutine run on the server's loop. Outside a server (the command line, `flask shell`, Flask's `test_client`)
        it runs on one background loop, so that connections opened by one call serve the next.

        Raises:
            RuntimeError: Called on the thread of a running loop but outside the bridge, where waiting would block
                that loop for ever.
        """
        return _wait_for(coroutine, self._loop)

    def _loop(self) -> asyncio.AbstractEventLoop:
        if self._serving is not None and self._serving.is_running():
            return self._serving
        with self._lock:
            if self._background is None:
                self._background = loop = asyncio.new_event_loop()
                # A daemon: a command that has ended must not be kept alive by its idle loop.
                threading.Thread(target=_run_loop, args=[loop], name="carboy-loop", daemon=True).start()
                weakref.finalize(self, loop.call_soon_threadsafe, loop.stop)
            return self._background


def _wait_for(coroutine: Coroutine[Any, Any, T], find_loop: Callable[[], asyncio.AbstractEventLoop]) -> T:
    if in_bridge():
        return await_here(coroutine)
    if _loop_is_running_here():
        coroutine.close()
        raise RuntimeError("An event loop is running in this thread: await the coroutine, do not wait for it.")
    # The thread waits, so that its context is free to be switched to, and what the coroutine sets there stays.
    steps = greenlets.run(current_context(), await_here, coroutine)
    worker = current_worker()
    future: Future[T]
    if worker is None:
        future = asyncio.run_coroutine_threadsafe(steps, find_loop())
    else:
        future = asyncio.run_coroutine_threadsafe(worker.wait_for(steps), worker.loop)
    try:
        return future.result()
    except CancelledError as error:
        # Not the one that is an Exception: the usual handlers would take it for an error to go on after.
        raise asyncio.CancelledError from error


def adopt_asgiref() -> None:
    """Let what asgiref's `async_to_sync` has made wait for the server's loop, in a request that the bridge serves.

    Extensions ask Flask for it when they are set up, before there is a bridge, and keep it; a mounted application has
    no bridge of its own at all. By itself it refuses to run on the thread of a loop, and elsewhere starts another loop,
    in which the connections of the server's cannot be used.
    """
    original = AsyncToSync.__call__
    if getattr(original, "is_carboys", False):
        return

    def call(self: "AsyncToSync[..., Any]", *args: Any, **kwargs: Any) -> Any:
        worker = current_worker()
        if self.force_new_loop or (worker is None and not in_bridge()):
            return original(self, *args, **kwargs)
        return _wait_for(_await(self.awaitable, args, kwargs), asyncio.get_running_loop)

    call.is_carboys = True  # type: ignore[attr-defined]
    AsyncToSync.__call__ = call  # type: ignore[method-assign]


async def _await(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return await function(*args, **kwargs)


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
    finally:
        loop.close()


def _loop_is_running_here() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _forget_the_parents() -> None:
    for loops in list(_all):
        loops._forget()  # noqa: SLF001 - its own module.


os.register_at_fork(after_in_child=_forget_the_parents)
