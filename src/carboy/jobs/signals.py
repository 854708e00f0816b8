"""Wakes whoever waits in this process, as soon as there is something to do or to see."""

import asyncio


class Signal:
    """A hint within a process: whoever waits for it looks by itself too, now and then."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        self.count = 0
        """How often it was given. What came after a look can be told by it."""

    def __call__(self) -> None:
        """Wake all who wait. It must be called on the event loop's thread."""
        self.count += 1
        for one in self._waiting:
            if not one.done():
                one.set_result(None)

    async def wait(self, seen: int, seconds: float) -> None:
        """Wait until it is given, or so many seconds; not at all if it was given since its count was `seen`."""
        if self.count != seen:
            return
        future = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await asyncio.wait({future}, timeout=seconds)
        finally:
            self._waiting.discard(future)
            future.cancel()


class JobSignals:
    """What happens to jobs in this process.

    Attributes:
        work: Something may be due.
        cancel: A running job is to be cancelled.
        change: A job has come further, or to an end.
    """

    def __init__(self) -> None:
        self.work = Signal()
        self.cancel = Signal()
        self.change = Signal()
