"""What is really sent to the database: reading costs no transaction, and a repeated statement one message."""

import sqlite3
from collections.abc import AsyncIterator
from typing import Any

import aiosqlite
import pytest
import pytest_asyncio
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError
from support.counting import CountingService
from support.databases import database_settings
from support.proxy import Proxy
from support.users import registration

from app.users.daos import UserDao
from app.users.errors import UserNotFoundError
from carboy.db import Database, create_engines, create_session_factory


@pytest_asyncio.fixture
async def counting(proxy: Proxy) -> AsyncIterator[CountingService]:
    database = Database(create_engines(database_settings(proxy.url)), create_session_factory())
    yield CountingService(database, UserDao(database))
    await database.close()


async def test_a_read_from_postgresql_is_one_round_trip(proxy: Proxy, counting: CountingService) -> None:
    user = await counting.add()
    await counting.get(user.id)
    proxy.sent.clear()
    for _ in range(3):
        await counting.get(user.id)
    messages = proxy.sent_messages()
    assert messages.count("S") == 3, "A client waits for the answer to each."
    assert "Q" not in messages, "Other statements, such as BEGIN and ROLLBACK, go as simple queries."


async def test_a_write_to_postgresql_is_one_transaction(proxy: Proxy, counting: CountingService) -> None:
    user = await counting.add()
    await counting.increment(user.id)
    proxy.sent.clear()
    await counting.increment(user.id)
    assert (proxy.sent.count(b"BEGIN"), proxy.sent.count(b"COMMIT"), proxy.sent.count(b"ROLLBACK")) == (1, 1, 0)
    assert proxy.sent_messages().count("S") == 2


@pytest_asyncio.fixture
async def traced(sqlite_url: str) -> AsyncIterator[tuple[CountingService, list[str]]]:
    """A service on SQLite, and all statements that SQLite itself has run for it."""
    statements: list[str] = []
    engines = create_engines(database_settings(sqlite_url))

    def trace(connection: Any, _record: object) -> None:
        driver: sqlite3.Connection = connection.driver_connection._conn  # noqa: SLF001 - there is no other way in.
        driver.set_trace_callback(statements.append)

    for engine in (engines.reader, engines.writer):
        event.listen(engine.sync_engine, "connect", trace)
    database = Database(engines, create_session_factory())
    yield CountingService(database, UserDao(database)), statements
    await database.close()


async def test_a_read_from_sqlite_is_one_statement(traced: tuple[CountingService, list[str]]) -> None:
    counting, statements = traced
    user = await counting.add()
    await counting.get(user.id)
    statements.clear()
    await counting.get(user.id)
    assert [statement.partition(" ")[0] for statement in statements] == ["SELECT"]


async def test_a_read_from_sqlite_rolls_nothing_back(
    traced: tuple[CountingService, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    counting, _ = traced
    user = await counting.add()
    await counting.get(user.id)
    rollbacks = 0
    roll_back = aiosqlite.Connection.rollback

    async def counted(connection: aiosqlite.Connection) -> None:
        nonlocal rollbacks
        rollbacks += 1
        await roll_back(connection)

    # SQLite is not told of it, but each is a hop to the connection's thread and back.
    monkeypatch.setattr(aiosqlite.Connection, "rollback", counted)
    await counting.get(user.id)
    assert rollbacks == 0
    with pytest.raises(UserNotFoundError):
        await counting.increment(user.id + 1)
    assert rollbacks > 0


async def test_a_write_to_sqlite_locks_before_it_reads(traced: tuple[CountingService, list[str]]) -> None:
    counting, statements = traced
    user = await counting.add()
    statements.clear()
    await counting.increment(user.id)
    # What a trigger does is told too, as comments, and after each of them the statement again.
    told = dict.fromkeys(statement for statement in statements if not statement.startswith("--"))
    assert [statement.partition("\n")[0].partition(" ")[0] for statement in told] == [
        "BEGIN",
        "SELECT",
        "UPDATE",
        "COMMIT",
    ]
    assert statements[0] == "BEGIN IMMEDIATE"


async def test_an_error_names_the_statement_without_its_values(service: CountingService) -> None:
    row = registration("ada", full_name="secret", created_at=None)
    with pytest.raises(IntegrityError) as raised:
        await service.unit_of_work.write(lambda: service.users.add(row))
    assert "INSERT INTO users" in str(raised.value)
    assert "secret" not in str(raised.value)
