"""Lets only so many at a time use connections, the others in the order of their coming."""

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
        self._waiting: deque[asyncio.Future[bool]] = deque()

    async def take(self) -> None:
        """Wait for a turn, which is then to be given back.

        Raises:
            sqlalchemy.exc.TimeoutError: There was none in time, as a pool says it.
        """
        if self._free:
            self._free -= 1
            return
        # Where many write each of them waits, and a timer of the loop costs a fraction of what `asyncio.timeout` does.
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(turn)
        timer = loop.call_later(self._timeout, _end_waiting, turn)
        try:
            has_turn = await turn
        except asyncio.CancelledError:
            if not turn.cancelled() and turn.result():
                self.give()
            raise
        finally:
            timer.cancel()
        if not has_turn:
            raise PoolTimeoutError(f"All connections were in use for {self._timeout} seconds.")

    def give(self) -> None:
        """Give a turn back, for the one who has waited longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return
        self._free += 1


def _end_waiting(turn: asyncio.Future[bool]) -> None:
    if not turn.done():
        turn.set_result(False)
