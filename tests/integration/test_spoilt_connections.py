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

from carboy.daos import UserDao
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
