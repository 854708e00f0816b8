"""A connection is kept for the next statement or transaction, and kept from nobody."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from support.counting import CountingService
from support.databases import database_settings

from carboy.daos import UserDao
from carboy.db import Database, Engines, create_engines, create_session_factory
from carboy.errors import UserNotFoundError


@pytest_asyncio.fixture
async def small(database_url: str) -> AsyncIterator[Engines]:
    """Yield engines whose pools have one connection each; on PostgreSQL it is the same one for reading and writing."""
    engines = create_engines(database_settings(database_url, pool_size=1))
    yield engines
    await engines.dispose()


@pytest.fixture
def counting(small: Engines) -> CountingService:
    database = Database(small, create_session_factory())
    return CountingService(database, UserDao(database))


async def test_reading_again_asks_nothing_of_the_pool(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    await counting.get(user.id)
    asked: list[object] = []
    event.listen(small.reader.sync_engine.pool, "checkout", lambda *given: asked.append(given))
    for _ in range(3):
        await counting.get(user.id)
    assert asked == []


async def test_writing_again_asks_nothing_of_the_pool(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    asked: list[object] = []
    event.listen(small.writer.sync_engine.pool, "checkout", lambda *given: asked.append(given))
    for _ in range(3):
        await counting.increment(user.id)
    assert asked == []
    assert await counting.count(user.id) == 3


async def test_a_transaction_that_fails_keeps_no_connection(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    returned: list[object] = []
    event.listen(small.writer.sync_engine.pool, "checkin", lambda *given: returned.append(given))
    with pytest.raises(UserNotFoundError):
        await counting.increment(user.id + 1)
    assert len(returned) == 1
    await counting.increment(user.id)
    assert await counting.count(user.id) == 1


async def test_a_transaction_gets_the_connection_that_was_kept(counting: CountingService) -> None:
    user = await counting.add()
    for _ in range(3):
        await counting.get(user.id)
        await counting.increment(user.id)
    assert await counting.count(user.id) == 3


async def test_many_who_read_and_write_share_one_connection(counting: CountingService) -> None:
    user = await counting.add()
    await asyncio.gather(*(step(user.id) for _ in range(10) for step in (counting.get, counting.increment)))
    assert await counting.count(user.id) == 10


async def test_a_statement_that_fails_keeps_no_connection(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    await counting.get(user.id)
    database = Database(small, create_session_factory())
    returned: list[object] = []
    event.listen(small.reader.sync_engine.pool, "checkin", lambda *given: returned.append(given))
    with pytest.raises(DBAPIError):
        await database.read(lambda: database.execute(text("SELECT nothing FROM nowhere")))
    assert len(returned) == 1
    assert await counting.count(user.id) == 0


@pytest.mark.parametrize("holder", [False, True], ids=["connecting", "waiting for a turn"])
async def test_a_task_that_outlives_its_unit_keeps_no_connection(
    small: Engines,
    counting: CountingService,
    holder: bool,  # noqa: FBT001 - pytest gives it by name.
) -> None:
    user = await counting.add()
    await small.dispose()
    database = Database(small, create_session_factory())
    strays: list[asyncio.Task[object]] = []
    may_end = asyncio.Event()

    async def hold() -> None:
        await database.execute(text("SELECT 1"), writes=True)
        await may_end.wait()

    async def leave_behind() -> None:
        strays.append(asyncio.create_task(database.execute(text("UPDATE users SET version = 9"), writes=True)))
        await asyncio.sleep(0)

    holding = asyncio.create_task(database.write(hold)) if holder else None
    await asyncio.sleep(0)
    await database.write(leave_behind)
    may_end.set()
    with pytest.raises(RuntimeError, match="has ended"):
        await strays[0]
    if holding is not None:
        await holding
    await counting.increment(user.id)
    assert (await counting.get(user.id)).version == 2
