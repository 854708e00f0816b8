"""The worker threads of an event loop, and how many requests and streams they may serve."""

import asyncio
from collections.abc import Callable
from contextvars import copy_context
from typing import TypeVar

from werkzeug.exceptions import ServiceUnavailable

from carboy.bridge.worker import Worker

T = TypeVar("T")

RETRY_SECONDS = 1
"""What a client is told to wait when no further stream may live: any stream may end at any moment."""


class TooManyStreamsError(ServiceUnavailable):
    """As many blocking streams live as may."""

    def __init__(self) -> None:
        super().__init__(retry_after=RETRY_SECONDS)


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
