"""How a service tells streams, in all processes, that what they show has changed."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Generic, Protocol, Self, TypeVar

from carboy.errors import UnavailableError

LOOK_SECONDS = 30.0
"""How often a subscriber looks without having been told: a notice may be lost."""
WAKES_A_SECOND = 1000
"""How many subscribers of a topic look within a second: all at once would find no free connection."""
PAUSE_SECONDS = (0.5, 3.0)
"""How long a reading waits for a database that is busy or away, at random."""
MAX_TOPIC = 200

T = TypeVar("T")


class Signal(Protocol):
    """What a topic is given by, and waited for."""

    count: int
    woken: int

    def give(self) -> None: ...

    async def wait(self, seen: int, seconds: float) -> None: ...


class Notices(Protocol):
    """Passes topics on between processes."""

    def signal(self, topic: str) -> Signal: ...


class AfterCommit(Protocol):
    """The part of a unit of work that channels need."""

    def after_commit(self, hint: Callable[[], None]) -> None: ...


class Changes:
    """Tells of a topic: ``async for _ in channels.changes("orders"): ...`` looks at once, and again after each change.

    What changed while its user was busy is told once, however much it was. After some time without a change it tells
    as well, as a notice may have been lost.

    Args:
        signal: The topic's.
        every: Seconds after which it tells in any case, a quarter more or less.
    """

    def __init__(self, signal: Signal, every: float) -> None:
        self._signal = signal
        self._every = every
        self._seen: int | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> None:
        if self._seen is not None:
            await self._signal.wait(self._seen, self._every * random.uniform(0.75, 1.25))  # noqa: S311 - nobody gains by guessing it.
            if self._signal.count != self._seen and self._signal.woken > 1:
                await asyncio.sleep(random.uniform(0, self._signal.woken / WAKES_A_SECOND))  # noqa: S311 - likewise.
        # What comes from here on is another change, whenever its user looks.
        self._seen = self._signal.count


class Readings(Generic[T]):
    """Reads something at once, and again after each change; while the database is busy or away it waits.

    To end a stream then, and have its client come again, would cost more than the read, when there is too much to do.

    Args:
        changes: Tells when to read.
        read: Reads it.
    """

    def __init__(self, changes: Changes, read: Callable[[], Awaitable[T]]) -> None:
        self._changes = changes
        self._read = read

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        await anext(self._changes)
        while True:
            try:
                return await self._read()
            except UnavailableError:
                await asyncio.sleep(random.uniform(*PAUSE_SECONDS))  # noqa: S311 - as above.


class Channels:
    """Passes on, between requests, jobs and processes, that something has changed.

    A channel carries no data. Whoever is told reads from the database what there is to see: so nothing is lost with a
    notice or for a client that comes again, a slow client has no queue, and what each may see is decided where it
    always is.

    Args:
        unit_of_work: Knows when a transaction has committed.
        notices: Tells the other processes.
    """

    def __init__(self, unit_of_work: AfterCommit, notices: Notices) -> None:
        self._unit_of_work = unit_of_work
        self._notices = notices

    def publish(self, topic: str) -> None:
        """Tell of a topic once the current transaction has committed; not at all if it is rolled back.

        Raises:
            RuntimeError: There is no transaction: mark the method with ``@transactional``.
            ValueError: The topic is empty or longer than 200 characters.
        """
        self._unit_of_work.after_commit(self._signal(topic).give)

    def changes(self, topic: str, *, every: float = LOOK_SECONDS) -> Changes:
        """Return what tells of a topic's changes.

        Args:
            topic: Any text; the narrower, the fewer are woken for nothing: ``f"orders/{owner_id}"``.
            every: Seconds after which it tells in any case. On SQLite other processes are seen by that alone.

        Raises:
            ValueError: As for `publish`.
        """
        return Changes(self._signal(topic), every)

    def follow(self, topic: str, read: Callable[[], Awaitable[T]], *, every: float = LOOK_SECONDS) -> Readings[T]:
        """Return what reads something at once and after each change: ``async for order in channels.follow(...)``.

        Args:
            topic: As for `changes`.
            read: Reads it. What it raises is raised, unless the database is busy or away: then it is called again.
            every: As for `changes`.

        Raises:
            ValueError: As for `publish`.
        """
        return Readings(self.changes(topic, every=every), read)

    def _signal(self, topic: str) -> Signal:
        if not 0 < len(topic) <= MAX_TOPIC:
            raise ValueError(f"A topic has 1 to {MAX_TOPIC} characters.")
        return self._notices.signal(topic)
