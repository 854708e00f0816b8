"""PostgreSQL's connections that answer but can no longer be used as they are: the next request must not meet them."""

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import text
from support.counting import CountingService
from support.databases import database_settings

from app.users.daos import UserDao
from carboy.db import Database, Engines, create_engines, create_session_factory
from carboy.errors import DatabaseBusyError, DatabaseUnavailableError


@pytest_asyncio.fixture
async def single(postgresql_url: str) -> AsyncIterator[Engines]:
    engines = create_engines(database_settings(postgresql_url, pool_size=1))
    yield engines
    await engines.dispose()


@pytest.fixture
def database(single: Engines) -> Database:
    return Database(single, create_session_factory())


@pytest.fixture
def service(database: Database) -> CountingService:
    return CountingService(database, UserDao(database))


@pytest.mark.parametrize("begins", [False, True])
async def test_a_begin_that_was_cancelled_spoils_no_later_request(
    service: CountingService,
    monkeypatch: pytest.MonkeyPatch,
    begins: bool,  # noqa: FBT001 - pytest gives it by name.
) -> None:
    user = await service.add()
    execute = asyncpg.Connection.execute
    left = [1]

    async def cancelled(self: Any, query: str, *args: Any, **options: Any) -> str:
        if query.startswith("BEGIN") and left:
            left.pop()
            if begins:
                await execute(self, query, *args, **options)
                with suppress(asyncpg.PostgresError):
                    await execute(self, "SELECT 1 / 0")
            raise asyncpg.QueryCanceledError("canceling statement due to user request")
        return await execute(self, query, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "execute", cancelled)
    with pytest.raises(DatabaseBusyError):
        await service.increment(user.id)
    for count in range(1, 4):
        await service.increment(user.id)
        assert await service.count(user.id) == count


async def test_a_begin_that_failed_for_another_reason_spoils_no_later_request(
    service: CountingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await service.add()
    execute = asyncpg.Connection.execute
    left = [1]

    async def fails(self: Any, query: str, *args: Any, **options: Any) -> str:
        if query.startswith("BEGIN") and left:
            left.pop()
            raise asyncpg.OutOfMemoryError("out of memory")
        return await execute(self, query, *args, **options)

    monkeypatch.setattr(asyncpg.Connection, "execute", fails)
    with pytest.raises(DatabaseUnavailableError):
        await service.increment(user.id)
    for count in range(1, 4):
        await service.increment(user.id)
        assert await service.count(user.id) == count


async def test_a_column_that_changes_its_type_under_load_fails_no_request(
    service: CountingService, single: Engines
) -> None:
    user = await service.add()
    await service.get(user.id)
    await service.increment(user.id)

    async def resize(characters: int) -> None:
        async with single.migrator.begin() as connection:
            await connection.execute(text(f"ALTER TABLE users ALTER COLUMN username TYPE varchar({characters})"))

    try:
        for characters, step in enumerate((service.get, service.increment, service.get, service.increment), start=90):
            await resize(characters)
            await step(user.id)
    finally:
        await resize(80)
    assert await service.count(user.id) == 3


async def fail_with(database: Database, sqlstate: str) -> None:
    statement = f"DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '{sqlstate}'; END $$"
    await database.execute(text(statement))


@pytest.mark.parametrize(
    "sqlstate", ["08006", "25006", "25P03", "25P04", "26000", "42P05", "57P01", "57P02", "57P03", "57P04", "57P05"]
)
async def test_work_on_a_connection_that_is_of_no_more_use_runs_again_on_another(
    database: Database, sqlstate: str
) -> None:
    connections = []

    async def work() -> None:
        [(connection,)] = await database.execute(text("SELECT pg_backend_pid()"))
        connections.append(connection)
        if len(connections) == 1:
            await fail_with(database, sqlstate)

    await database.write(work)
    assert len(set(connections)) == 2


async def test_work_that_loses_its_second_connection_too_is_given_up(database: Database) -> None:
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        await fail_with(database, "57P01")

    with pytest.raises(DatabaseUnavailableError):
        await database.write(work)
    assert attempts == 2, "Each further attempt would burden the server with one more connection."


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "53300", "53400", "58030", "58P01"])
async def test_a_server_that_lacks_something_is_unavailable(database: Database, sqlstate: str) -> None:
    with pytest.raises(DatabaseUnavailableError):
        await database.write(lambda: fail_with(database, sqlstate))


@pytest.mark.timeout(10)
async def test_a_statement_that_takes_too_long_is_cancelled_at_the_server(postgresql_url: str) -> None:
    engines = create_engines(database_settings(postgresql_url, pool_size=1, statement_timeout=0.5))
    database = Database(engines, create_session_factory())
    with pytest.raises(DatabaseBusyError):
        await database.read(lambda: database.execute(text("SELECT pg_sleep(30)")))
    # Those of other tests are idle, if there are any.
    others = text(
        "SELECT pid FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND state = 'active'"
    )
    while await database.read(lambda: database.execute(others)):
        pass
    await engines.dispose()
