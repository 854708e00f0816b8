"""Wakes whoever waits, as soon as there is something to do or to see."""

import asyncio
from collections.abc import Callable

from carboy.db.notices import Notices


class Signal:
    """A hint: whoever waits for it looks by itself too, now and then.

    Args:
        announce: Tells the other processes.
    """

    def __init__(self, announce: Callable[[], None] = lambda: None) -> None:
        self._announce = announce
        self._waiting: set[asyncio.Future[None]] = set()
        self.count = 0
        """How often it was given. What came after a look can be told by it."""

    def give(self) -> None:
        """Wake all who wait, in other processes too."""
        self.wake()
        self._announce()

    def wake(self) -> None:
        """Wake all who wait in this process. It must be called on the event loop's thread."""
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
    """What happens to jobs.

    Attributes:
        work: Something may be due.
        cancel: A running job is to be cancelled.
        change: A job has come further, or to an end.
    """

    def __init__(self, notices: Notices) -> None:
        self.work = self._signal(notices, "jobs.work")
        self.cancel = self._signal(notices, "jobs.cancel")
        self.change = self._signal(notices, "jobs.change")

    def _signal(self, notices: Notices, topic: str) -> Signal:
        signal = Signal(lambda: notices.announce(topic))
        notices.subscribe(topic, signal.wake)
        return signal
