"""Wakes whoever waits, as soon as there is something to do or to see."""

import asyncio
from collections.abc import Callable


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
        self.woken = 0
        """How many it woke when it was given last."""

    def give(self) -> None:
        """Wake all who wait, in other processes too."""
        self.wake()
        self._announce()

    def wake(self) -> None:
        """Wake all who wait in this process. It must be called on the event loop's thread."""
        self.count += 1
        self.woken = len(self._waiting)
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
