"""A fair semaphore with a timeout, for database connections."""

import asyncio
from collections import deque

from sqlalchemy.exc import TimeoutError as PoolTimeoutError


class Turns:
    """A fair semaphore for kept connections.

    A released turn goes to the longest waiter, so that a newcomer cannot overtake it, as in SQLAlchemy's pool.

    Args:
        number: The number of turns.
        timeout: Seconds to wait for a turn.

    Attributes:
        waits: How often somebody has waited, in vain too.
        waited_seconds: How long all waits took together.
        timeouts: How many of them were in vain.
    """

    def __init__(self, number: int, timeout: float) -> None:
        self.number = number
        self.waits, self.waited_seconds, self.timeouts = 0, 0.0, 0
        self._free = number
        self._timeout = timeout
        self._waiting: deque[tuple[float, asyncio.Future[bool]]] = deque()
        """Each waiter's deadline, and the future that tells it whether it has a turn."""
        self._watching: asyncio.AbstractEventLoop | None = None
        """The loop with a timer for the first deadline."""

    @property
    def taken(self) -> int:
        """How many turns are taken."""
        return self.number - self._free

    @property
    def waiting(self) -> int:
        """How many wait for a turn."""
        return len(self._waiting)

    async def take(self) -> None:
        """Wait for a turn; the caller must give it back.

        Raises:
            sqlalchemy.exc.TimeoutError: None was free in time; SQLAlchemy's pool raises the same.
        """
        if self._free:
            self._free -= 1
            return
        # All wait equally long, so that one timer for the first waiter is enough.
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append((loop.time() + self._timeout, turn))
        if self._watching is not loop:
            self._watching = loop
            loop.call_later(self._timeout, self._end_waiting, loop)
        began = loop.time()
        try:
            has_turn = await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():
                self.give()
            raise
        finally:
            self.waits += 1
            self.waited_seconds += loop.time() - began
        if not has_turn:
            self.timeouts += 1
            raise PoolTimeoutError(f"All connections were in use for {self._timeout} seconds.")

    def give(self) -> None:
        """Give a turn back, to the longest waiter if there is one."""
        while self._waiting:
            _, turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1

    def _end_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        """Wake the waiters whose time is up, and set the timer for the next deadline."""
        while self._waiting:
            until, turn = self._waiting[0]
            if not turn.done():
                if until > loop.time():
                    loop.call_at(until, self._end_waiting, loop)
                    return
                turn.set_result(False)
            self._waiting.popleft()
        self._watching = None
