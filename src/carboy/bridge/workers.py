"""Worker threads: each serves one request at a time, whole, or what is left of one that streams."""

import asyncio
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from contextvars import Context, copy_context
from queue import SimpleQueue
from typing import Any, TypeVar

from werkzeug.exceptions import ServiceUnavailable

from carboy.bridge.exchange import take_over
from carboy.bridge.greenlets import tame

T = TypeVar("T")
Function = Callable[..., Any]

RETRY_SECONDS = 1
"""What a client is told to wait when no further stream may live: any stream may end at any moment."""

_log = logging.getLogger("carboy.bridge")
_local = threading.local()


class TooManyStreamsError(ServiceUnavailable):
    """As many blocking streams live as may."""

    def __init__(self) -> None:
        super().__init__(retry_after=RETRY_SECONDS)


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


class Workers:
    """The threads of one event loop.

    Args:
        loop: The loop that they serve.
        slots: The most requests to run at once; further ones wait for their turn.
        streams: The most requests that may keep a thread once they have answered, as a generator that blocks does.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, slots: int, streams: int = 0) -> None:
        self.slots = asyncio.Semaphore(slots)
        self._loop = loop
        self._most_idle = slots
        self._streams_left = streams
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._streaming: set[Worker] = set()
        self._all_idle = asyncio.Event()
        self._all_idle.set()

    def take(self) -> Worker:
        """Return a worker for a caller that holds a slot, or has a stream."""
        worker = self._idle.pop() if self._idle else Worker(self._loop)
        self._busy.add(worker)
        self._all_idle.clear()
        return worker

    def begin_stream(self, worker: Worker) -> None:
        """Let a worker go on without a slot, until it is given back.

        Raises:
            TooManyStreamsError: As many do as may.
        """
        if not self._streams_left:
            raise TooManyStreamsError
        self._streams_left -= 1
        self._streaming.add(worker)

    def take_for_stream(self) -> Worker:
        """Return a worker that needs no slot.

        Raises:
            TooManyStreamsError: As many streams live as may.
        """
        if not self._streams_left:
            raise TooManyStreamsError
        worker = self.take()
        self.begin_stream(worker)
        return worker

    def give_back(self, worker: Worker) -> None:
        """Let others have a worker once it has done what it was told to do."""
        worker.when_idle(self._shelve)

    def _shelve(self, worker: Worker) -> None:
        self._busy.discard(worker)
        if worker in self._streaming:
            self._streaming.discard(worker)
            self._streams_left += 1
        if len(self._idle) < self._most_idle:
            self._idle.append(worker)
        else:
            worker.stop()
        if not self._busy:
            self._all_idle.set()

    async def run(self, function: Callable[..., T], *args: object) -> T:
        """Run a function that blocks for a moment, as writing to a file does.

        Whoever is cancelled waits for its end all the same, so that what it works on may be closed.
        """
        async with self.slots:
            worker = self.take()
            work = worker.submit(copy_context(), function, *args)
            self.give_back(worker)
            cancelled: asyncio.CancelledError | None = None
            while not work.done():
                try:
                    await asyncio.wait([work])
                except asyncio.CancelledError as error:
                    cancelled = error
            if cancelled is not None:
                raise cancelled
            return work.result()

    async def until_idle(self) -> None:
        await self._all_idle.wait()

    def stop(self) -> None:
        """End the threads, those that have something to do after it."""
        self._most_idle = 0
        while self._idle:
            self._idle.pop().stop()
