"""PgQueuer's jobs and transactions: a rollback leaves none."""

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, cast

import asyncpg
import pytest
import pytest_asyncio
from pgqueuer import AsyncpgDriver, Queries
from pgqueuer.ports.driver import Driver
from support.databases import database_settings
from support.pgqueuer import dsn, not_met

from carboy.db import Database, create_engines, create_session_factory


@pytest_asyncio.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(create_engines(database_settings(url)), create_session_factory())
    yield database
    await database.close()


class UnitDriver:
    """What an enqueue needs of a driver, for it to be a part of the current unit of work."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        session = await self._database.session(writes=True)
        found = await (await session.connection()).exec_driver_sql(query, args)
        return [{**row} for row in found.mappings()]


async def test_a_rollback_takes_the_job_along(url: str, queries: Queries) -> None:
    connection = await asyncpg.connect(dsn(url))
    transaction = connection.transaction()
    await transaction.start()
    await Queries(AsyncpgDriver(connection)).enqueue("act", b"never")
    await transaction.rollback()
    await connection.close()
    assert await queries.queue_size() == []


async def enqueue_and_fail(database: Database, driver: Callable[[], Coroutine[Any, Any, Driver]]) -> None:
    async def work() -> None:
        await Queries(await driver()).enqueue("act", b"never")
        raise KeyError

    with pytest.raises(KeyError):
        await database.write(work)


@not_met("on the connection of a session that has run no statement yet, a job stays after a rollback")
async def test_a_rollback_takes_the_job_along_that_was_the_first_statement(
    database: Database, queries: Queries
) -> None:
    async def driver() -> Driver:
        connection = await (await database.session(writes=True)).connection()
        raw: Any = (await connection.get_raw_connection()).driver_connection
        return AsyncpgDriver(raw)

    await enqueue_and_fail(database, driver)
    assert await queries.queue_size() == []


async def test_with_a_driver_of_our_own_an_enqueue_is_a_part_of_the_unit(database: Database, queries: Queries) -> None:
    async def driver() -> Driver:
        return cast("Driver", UnitDriver(database))

    await enqueue_and_fail(database, driver)
    assert await queries.queue_size() == []
    own = Queries(await driver())
    await database.write(lambda: own.enqueue("act", b"once"))
    assert [one.count for one in await queries.queue_size()] == [1]
