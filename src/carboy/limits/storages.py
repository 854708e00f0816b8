"""Where counts are kept: storages for the `limits` library, in memory, in the database, or in Redis."""

import time
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

from limits.aio.storage import RedisStorage as LibraryRedisStorage
from limits.aio.storage import Storage
from pydantic import SecretStr

from carboy.limits.daos import RateLimitCountDao
from carboy.limits.schemas import CountRead
from carboy.services.transactions import UnitOfWork

MAX_KEYS = 50_000
"""Counts that a process keeps in memory, some 10 MB; beyond them, the one that began first is forgotten."""
REDIS_TIMEOUT_SECONDS = 0.25

_counted: ContextVar[tuple[str, CountRead] | None] = ContextVar("carboy_limits_counted", default=None)
"""The key that was counted just now, and its row: the library asks for both parts of it after each hit."""


class MemoryStorage(Storage):
    """Counts in the memory of this process.

    The library's own looks through all of its keys at each hit: 15 milliseconds of the event loop at 50,000 of them.
    """

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, tuple[int, float]] = {}
        """Each with the end of its window by the monotonic clock, which nobody sets."""

    @property
    def base_exceptions(self) -> type[Exception]:
        return LookupError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        count, ends = self._current(key)
        if not count:
            # At the end, so that the first one is the oldest.
            self._counts.pop(key, None)
            ends = time.monotonic() + expiry
        self._counts[key] = count + amount, ends
        if len(self._counts) > MAX_KEYS:
            del self._counts[next(iter(self._counts))]
        return count + amount

    async def get(self, key: str) -> int:
        return self._current(key)[0]

    async def get_expiry(self, key: str) -> float:
        return time.time() + self._current(key)[1] - time.monotonic()

    async def check(self) -> bool:
        return True

    async def reset(self) -> int:
        count = len(self._counts)
        self._counts.clear()
        return count

    async def clear(self, key: str) -> None:
        self._counts.pop(key, None)

    def _current(self, key: str) -> tuple[int, float]:
        now = time.monotonic()
        count, ends = self._counts.get(key, (0, now))
        return (count, ends) if ends > now else (0, now)


class DatabaseStorage(Storage):
    """Counts in the database, each hit in a short transaction of its own: no rollback forgives a guess.

    A hit within another transaction would belong to that one, and is refused with a RuntimeError.
    """

    STORAGE_SCHEME = None

    def __init__(self, unit_of_work: UnitOfWork, counts: RateLimitCountDao) -> None:
        super().__init__()
        self._unit_of_work = unit_of_work
        self._counts = counts

    @property
    def base_exceptions(self) -> type[Exception]:
        return LookupError

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        if self._unit_of_work.is_writing:
            raise RuntimeError("Count before the transaction begins: its rollback would forgive what was counted.")
        row = await self._unit_of_work.write(lambda: self._count(key, expiry, amount))
        _counted.set((key, row))
        return row.count

    async def _count(self, key: str, expiry: int, amount: int) -> CountRead:
        now = datetime.now(UTC)
        return await self._counts.count_up(_digest(key), amount, now=now, expires_at=now + timedelta(seconds=expiry))

    async def get(self, key: str) -> int:
        return (await self._current(key))[0]

    async def get_expiry(self, key: str) -> float:
        ends = (await self._current(key))[1]
        # The library asks for it last.
        _counted.set(None)
        return ends

    async def check(self) -> bool:
        await self._current("")
        return True

    async def reset(self) -> None:
        """Do nothing: counts of others may be there."""

    async def clear(self, key: str) -> None:
        _counted.set(None)
        await self._unit_of_work.write(lambda: self._counts.reset(_digest(key)))

    async def _current(self, key: str) -> tuple[int, float]:
        counted = _counted.get()
        if counted is not None and counted[0] == key:
            row: CountRead | None = counted[1]
        else:
            row = await self._unit_of_work.read(lambda: self._counts.find_by_key(_digest(key)))
        now = datetime.now(UTC)
        if row is None or row.expires_at <= now:
            return 0, now.timestamp()
        return row.count, row.expires_at.timestamp()


class RedisStorage(LibraryRedisStorage):
    """Counts in Redis, which all workers share. It answers soon or not at all: everybody waits for it."""

    # The library's own class keeps its names.
    STORAGE_SCHEME: list[str] = []

    def __init__(self, url: str) -> None:
        seconds = REDIS_TIMEOUT_SECONDS
        super().__init__(
            f"async+{url}", implementation="redispy", socket_timeout=seconds, socket_connect_timeout=seconds
        )

    def open(self) -> None:
        """Do nothing: the first hit connects, so that Redis may start later."""

    async def close(self) -> None:
        # Each of the library's bridges has it, which their base does not say.
        client: Any = vars(self.bridge)["storage"]
        await client.aclose()


def create_storage(redis_url: SecretStr | None) -> Storage:
    """Make the storage of limits that are not strict: in Redis where there is one, otherwise in memory.

    Raises:
        ConfigurationError: The URL is not one of Redis, or its client is not installed (``carboy[redis]``).
    """
    if redis_url is None:
        return MemoryStorage()
    return RedisStorage(redis_url.get_secret_value())


def _digest(key: str) -> str:
    return sha256(key.encode(errors="surrogatepass")).hexdigest()
