"""Where coroutines and blocking functions run: the server's loop, worker threads, or a loop of our own."""

import asyncio
import threading
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextvars import copy_context
from typing import Any, TypeVar, cast

from carboy.bridge.greenlets import Greenlets, await_here, current_context, in_bridge

T = TypeVar("T")


class _ThreadCall:
    """What a worker thread does, and for which coroutine it waits. All but `loop` is for that loop's thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._waits_for: asyncio.Task[Any] | None = None
        self._cancelled = False

    async def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        self._waits_for = task = asyncio.current_task()
        if self._cancelled and task is not None:
            self._cancelled = False
            task.cancel()
        try:
            return await coroutine
        finally:
            self._waits_for = None

    def cancel(self) -> None:
        """Cancel the coroutine that the thread waits for, or else the next one it would wait for."""
        if self._waits_for is not None:
            self._waits_for.cancel()
        else:
            self._cancelled = True


class Loops:
    """Runs a coroutine for whoever cannot await it, and a blocking function for whoever must not block.

    Args:
        threads: The most blocking functions to run at once; further ones wait for their turn.
    """

    def __init__(self, threads: int) -> None:
        self.greenlets = Greenlets()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="carboy-view")
        self._serving: asyncio.AbstractEventLoop | None = None
        self._background: asyncio.AbstractEventLoop | None = None
        self._lock = threading.Lock()
        self._local = threading.local()

    def serve_on_running_loop(self) -> asyncio.AbstractEventLoop:
        """Note the running loop as the one that serves, so that threads send their coroutines to it; return it."""
        self._serving = loop = asyncio.get_running_loop()
        return loop

    def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Wait for a coroutine from synchronous code, wherever that runs.

        Inside the bridge this steps aside for others. A worker thread, or any other thread of a serving process, has
        the coroutine run on the server's loop. Outside a server (the command line, `flask shell`, Flask's
        `test_client`) it runs on one background loop, so that connections opened by one call serve the next.

        Raises:
            RuntimeError: Called on the thread of a running loop but outside the bridge, where waiting would block
                that loop for ever.
        """
        if in_bridge():
            return await_here(coroutine)
        if _loop_is_running_here():
            coroutine.close()
            raise RuntimeError("An event loop is running in this thread: await the coroutine, do not wait for it.")
        # The thread waits, so that its context is free to be switched to, and what the coroutine sets there stays.
        steps = self.greenlets.run(current_context(), await_here, coroutine)
        call: _ThreadCall | None = getattr(self._local, "call", None)
        if call is None:
            future = asyncio.run_coroutine_threadsafe(steps, self._loop())
        else:
            future = asyncio.run_coroutine_threadsafe(call.wait_for(steps), call.loop)
        try:
            return cast("T", future.result())
        except CancelledError as error:
            # Not the one that is an Exception: the usual handlers would take it for an error to go on after.
            raise asyncio.CancelledError from error

    async def run_in_thread(self, function: Callable[..., T], *args: object) -> T:
        """Run a blocking function in a worker thread.

        Inside the bridge the thread enters the request's own contextvars context, so that what a sync view sets there
        the hooks after it see; elsewhere it has a copy. A thread cannot be interrupted: when the caller is cancelled,
        this cancels the coroutine that the function waits for, if any, and waits for the function to end.
        """
        # A plain task is stepped in its own context, which therefore no other thread may hold.
        context = current_context() if in_bridge() else copy_context()
        loop = asyncio.get_running_loop()
        call = _ThreadCall(loop)
        work = loop.run_in_executor(self._threads, self._call, call, context.run, function, *args)
        cancelled: asyncio.CancelledError | None = None
        while not work.done():
            try:
                await asyncio.wait([work])
            except asyncio.CancelledError as error:
                cancelled = error
                call.cancel()
        if cancelled is not None and isinstance(work.exception(), asyncio.CancelledError | None):
            raise cancelled
        return cast("T", work.result())

    def _call(self, call: _ThreadCall, run: Callable[..., T], *args: object) -> T:
        self._local.call = call
        try:
            return run(*args)
        except StopIteration as error:
            # No future can carry it: whoever waits would wait for ever.
            raise RuntimeError("A view or generator raised StopIteration.") from error
        finally:
            self._local.call = None

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
