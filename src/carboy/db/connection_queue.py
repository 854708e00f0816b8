"""A fair semaphore with a timeout, for database connections."""

import asyncio
from collections import deque

from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class Turns:
    """A queue for connections that are kept.

    A turn goes from one to the next, so that nobody who asks between comes first, as happens at a pool of SQLAlchemy's.

    Args:
        number: How many may have a turn at once.
        timeout: Seconds to wait for one.
    """

    def __init__(self, number: int, timeout: float) -> None:
        self._free = number
        self._timeout = timeout
        self._waiting: deque[tuple[float, asyncio.Future[bool]]] = deque()
        """The time until which each waits, and what it is told: whether it has a turn."""
        self._watching: asyncio.AbstractEventLoop | None = None
        """The loop that will look who has waited too long."""

    async def take(self) -> None:
        """Wait for a turn, which is then to be given back.

        Raises:
            sqlalchemy.exc.TimeoutError: There was none in time, as a pool says it.
        """
        if self._free:
            self._free -= 1
            return
        # All wait equally long, so that one timer, for the first, is enough: where many write each of them waits.
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((loop.time() + self._timeout, turn))
        if self._watching is not loop:
            self._watching = loop
            loop.call_later(self._timeout, self._end_waiting, loop)
        try:
            has_turn = await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():
                self.give()
            raise
        if not has_turn:
            raise PoolTimeoutError(f"All connections were in use for {self._timeout} seconds.")

    def give(self) -> None:
        """Give a turn back, for the one who has waited longest."""
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def _end_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        """Tell those whose time is up, and look again when that of the next one will be."""
        while self._waiting:
            until, turn = self._waiting[0]
            if not turn.done():
                if until > loop.time():
                    loop.call_at(until, self._end_waiting, loop)
                    return
                turn.set_result(False)
            self._waiting.popleft()
        self._watching = None
