"""A worker thread: it serves one request at a time, whole, or what is left of one that streams."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context
from queue import SimpleQueue
from typing import Any, TypeVar

from carboy.bridge.exchange import take_over
from carboy.bridge.greenlets import tame

T = TypeVar("T")
Function = Callable[..., Any]

_log = logging.getLogger("carboy.bridge")
_local = threading.local()


class Worker:
    """A thread that runs functions for one event loop, in turn.

    The thread is a daemon: one that blocks for ever keeps no process from ending. Where nothing else is said, a method
    is for the loop's thread.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._jobs: SimpleQueue[tuple[asyncio.Future[Any], Context, Function, tuple[object, ...]] | None] = (
            SimpleQueue()
        )
        self._unfinished = 0
        self._when_idle: Callable[[Worker], None] | None = None
        self._waits_for: asyncio.Task[Any] | None = None
        self._cancelled = False
        # It serves many requests, and takes nothing from the one that it is started for, as Sentry would have it.
        Context().run(threading.Thread(target=self.work, name="carboy-worker", daemon=True).start)

    def submit(self, context: Context, function: Callable[..., T], *args: object) -> asyncio.Future[T]:
        """Run a function in a context once those before it have ended."""
        future: asyncio.Future[T] = self.loop.create_future()
        self._unfinished += 1
        self._jobs.put((future, context, function, args))
        return future

    def finish(
        self, future: asyncio.Future[Any], context: Context, result: object, error: BaseException | None
    ) -> None:
        self._unfinished -= 1
        self._cancelled = False
        if not future.done():
            settle(future, result, error)
        elif error is not None and not isinstance(error, asyncio.CancelledError):
            take_over(context)
            _log.error("A request failed after its client had its answer, or had left", exc_info=error)
        if not self._unfinished and self._when_idle is not None:
            call, self._when_idle = self._when_idle, None
            call(self)

    def when_idle(self, function: Callable[["Worker"], None]) -> None:
        """Call a function once nothing is left to do, at once if that is now."""
        if self._unfinished:
            self._when_idle = function
        else:
            function(self)

    def stop(self) -> None:
        self._jobs.put(None)

    async def wait_for(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await what the thread waits for, so that it can be cancelled from here."""
        self._waits_for = task = asyncio.current_task()
        if self._cancelled and task is not None:
            self._cancelled = False
            task.cancel()
        try:
            return await coroutine
        finally:
            self._waits_for = None

    def cancel(self) -> bool:
        """Cancel the coroutine that the thread waits for, or else the next one, as blocking code cannot be interrupted.

        Returns:
            Whether it waits for a coroutine, and so will soon have ended what it does.
        """
        if self._waits_for is None:
            self._cancelled = True
            return False
        self._waits_for.cancel()
        return True

    def work(self) -> None:
        """Do what is submitted, in the thread."""
        _local.worker = self
        while (job := self._jobs.get()) is not None:
            future, context, function, args = job
            result, error = None, None
            try:
                result = context.run(function, *args)
            except BaseException as raised:  # noqa: BLE001 - whatever it is, it is the caller's.
                error = tame(raised)
            is_needed = tell(self.loop, self.finish, future, context, result, error)
            # A thread that waits for its next job keeps nothing of the last one alive.
            del job, future, context, function, args, result, error
            if not is_needed:
                return


def tell(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *args: object) -> bool:
    """Call a function on a loop's thread, and tell whether it will be: one that has been closed need not know."""
    try:
        loop.call_soon_threadsafe(function, *args)
    except RuntimeError:
        _log.debug("A worker ended after its event loop")
        return False
    return True


def settle(future: asyncio.Future[Any], result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if isinstance(error, StopIteration):
        # No future can carry it: whoever waits would wait for ever.
        error = RuntimeError("A view or generator raised StopIteration.")
    if error is None:
        future.set_result(result)
    elif isinstance(error, asyncio.CancelledError):
        future.cancel()
    else:
        future.set_exception(error)


def current_worker() -> Worker | None:
    """Return the worker whose thread this is."""
    worker: Worker | None = getattr(_local, "worker", None)
    return worker


def _forget_worker() -> None:
    _local.worker = None


# A forked child goes on in a thread that is nobody's worker.
os.register_at_fork(after_in_child=_forget_worker)
