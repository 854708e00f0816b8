"""Counts in the database are shared by all workers, and no rollback takes one back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import pytest_asyncio
from sqlalchemy import event
from support.databases import Write, database_settings, rows_of

from carboy.db import Database, Engines, create_engines, create_session_factory
from carboy.limits.daos import RateLimitCountDao
from carboy.limits.errors import RateLimitedError
from carboy.limits.schemas import CountRead, Limit
from carboy.limits.services import RateLimiter
from carboy.limits.storages import DatabaseStorage, MemoryStorage

LOGIN = Limit(name="login", rate="10/5 minutes", is_strict=True)
NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def counts(contract_database: Database) -> RateLimitCountDao:
    return RateLimitCountDao(contract_database)


def limiter_of(database: Database) -> RateLimiter:
    return RateLimiter(DatabaseStorage(database, RateLimitCountDao(database)), MemoryStorage())


@pytest_asyncio.fixture
async def workers(database_url: str) -> AsyncIterator[list[Database]]:
    databases = [Database(create_engines(database_settings(database_url)), create_session_factory()) for _ in range(3)]
    yield databases
    for database in databases:
        await database.close()


async def test_a_window_counts_until_it_ends_and_then_begins_anew(counts: RateLimitCountDao, write: Write) -> None:
    async def count_up(now: datetime, amount: int = 1) -> tuple[int, datetime]:
        counted: CountRead = await write(partial(counts.count_up, "k", amount, now=now, expires_at=now + MINUTE))
        return counted.count, counted.expires_at

    assert await count_up(NOW) == (1, NOW + MINUTE)
    assert await count_up(NOW + MINUTE / 2, 2) == (3, NOW + MINUTE)
    assert await count_up(NOW + MINUTE) == (1, NOW + 2 * MINUTE)
    assert await count_up(NOW + MINUTE) == (2, NOW + 2 * MINUTE)


async def test_a_window_of_a_clock_that_was_ahead_begins_anew(counts: RateLimitCountDao, write: Write) -> None:
    async def count_up(now: datetime) -> int:
        counted: CountRead = await write(partial(counts.count_up, "k", 1, now=now, expires_at=now + MINUTE))
        return counted.count

    assert await count_up(NOW + 180 * MINUTE) == 1
    assert [await count_up(NOW) for _ in range(2)] == [1, 2]
    # By the clock of another host, which is a little behind, the window goes on.
    assert await count_up(NOW - MINUTE / 2) == 3


async def test_a_key_has_a_count_of_its_own_and_can_be_forgotten(counts: RateLimitCountDao, write: Write) -> None:
    for key in "aab":
        await write(partial(counts.count_up, key, 1, now=NOW, expires_at=NOW + MINUTE))
    await write(partial(counts.reset, "b"))
    found = [await write(partial(counts.find_by_key, key)) for key in "abc"]
    assert [one and one.count for one in found] == [2, None, None]


async def test_workers_together_let_no_more_pass_than_the_limit(workers: list[Database]) -> None:
    limiters = [limiter_of(database) for database in workers]
    hits = [limiter.hit(LOGIN, "ada", "192.0.2.7") for _ in range(20) for limiter in limiters]
    found = await asyncio.gather(*hits, return_exceptions=True)
    passed = [one for one in found if not isinstance(one, BaseException)]
    assert len(passed) == 10
    assert sum(isinstance(one, RateLimitedError) for one in found) == 50
    [row] = await rows_of(workers[0], "rate_limit_counts")
    assert row["count"] == 60


async def test_neither_names_nor_addresses_are_stored(workers: list[Database]) -> None:
    await limiter_of(workers[0]).hit(LOGIN, "ada", "192.0.2.7")
    [row] = await rows_of(workers[0], "rate_limit_counts")
    assert not any(word in str(row) for word in ("ada", "192", "login"))


async def test_a_request_that_fails_later_is_counted_all_the_same(workers: list[Database]) -> None:
    limiter = limiter_of(workers[0])

    async def fail() -> None:
        raise LookupError

    for _ in range(10):
        await limiter.hit(LOGIN, "ada")
        with pytest.raises(LookupError):
            await workers[0].write(fail)
    with pytest.raises(RateLimitedError):
        await limiter.hit(LOGIN, "ada")


async def test_a_hit_is_one_statement_and_tells_the_count_of_its_own(engines: Engines, database: Database) -> None:
    storage = DatabaseStorage(database, RateLimitCountDao(database))
    limiter = RateLimiter(storage, MemoryStorage())
    await limiter.hit(LOGIN, "ada")
    statements: list[str] = []
    for engine in engines.sources:
        event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    standing = await limiter.hit(LOGIN, "ada")
    assert standing is not None
    assert standing.remaining == 8
    assert len(statements) == 1
    # Whoever asks later is told what others have counted meanwhile.
    await asyncio.create_task(storage.incr("k", 60))
    assert await storage.get("k") == 1
    await asyncio.create_task(storage.incr("k", 60))
    assert await storage.get("k") == 2
