"""What is tried again, and what must not be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import text
from support.counting import CountingService
from support.databases import database_settings
from support.proxy import Proxy
from support.users import registration

from app.users.daos import UserDao
from carboy.db import Database, create_engines, create_session_factory, database
from carboy.db.database import MAX_ATTEMPTS
from carboy.db.failures import ConnectionLostError, TransactionConflictError
from carboy.db.units import TransactionAbortedError


@pytest_asyncio.fixture
async def postgresql(proxy: Proxy) -> AsyncIterator[Database]:
    postgresql = Database(create_engines(database_settings(proxy.url)), create_session_factory())
    yield postgresql
    await postgresql.close()


@pytest.fixture
def users(postgresql: Database) -> UserDao:
    return UserDao(postgresql)


@pytest.fixture
def counting(postgresql: Database, users: UserDao) -> CountingService:
    return CountingService(postgresql, users)


def raising(postgresql: Database, sqlstate: str) -> Callable[[], Awaitable[Any]]:
    statement = text(f"DO $$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '{sqlstate}'; END $$")

    async def fail() -> None:
        await postgresql.execute(statement)

    return fail


async def test_a_deadlock_is_tried_again_and_both_sides_succeed(
    postgresql: Database, counting: CountingService
) -> None:
    ada, bob = await counting.add("ada"), await counting.add("bob")
    attempts = 0
    holding = asyncio.Barrier(2)

    async def lock(first: int, second: int) -> None:
        nonlocal attempts

        async def work() -> None:
            nonlocal attempts
            attempts += 1
            await counting.increment(first)
            if attempts <= 2:
                await holding.wait()
            await counting.increment(second)

        await postgresql.write(work)

    await asyncio.gather(lock(ada.id, bob.id), lock(bob.id, ada.id))
    assert attempts == 3, "PostgreSQL ends a deadlock by the failure of one side."
    assert [await counting.count(user.id) for user in (ada, bob)] == [2, 2]


@pytest.mark.parametrize("sqlstate", ["40001", "40P01"])
@pytest.mark.parametrize("is_caught", [False, True])
async def test_a_conflict_is_tried_again_even_if_the_service_caught_it(
    postgresql: Database, users: UserDao, sqlstate: str, *, is_caught: bool
) -> None:
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        await users.add(registration("ada"))
        if attempts < 3:
            try:
                await raising(postgresql, sqlstate)()
            except TransactionConflictError:
                if not is_caught:
                    raise

    await postgresql.write(work)
    assert attempts == 3
    assert await postgresql.read(users.count) == 1


async def test_a_conflict_in_every_attempt_ends_as_a_busy_database(
    postgresql: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "FIRST_PAUSE_SECONDS", 0.0001)
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        await raising(postgresql, "40001")()

    with pytest.raises(TransactionConflictError) as raised:
        await postgresql.write(work)
    assert attempts == MAX_ATTEMPTS
    assert (raised.value.status, raised.value.code, raised.value.retry_after) == (503, "database_busy", 1)


async def test_other_errors_are_not_tried_again(postgresql: Database) -> None:
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        with pytest.raises(Exception, match="made up"):
            await raising(postgresql, "22012")()

    with pytest.raises(TransactionAbortedError):
        await postgresql.write(work)
    assert attempts == 1


async def test_a_conflict_at_the_commit_is_tried_again(
    postgresql: Database, users: UserDao, postgresql_url: str
) -> None:
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        session = await postgresql.session()
        await users.add(registration("ada"))
        if attempts == 1:
            # A deferred trigger runs within the commit, where serialization failures may come too.
            await session.execute(
                text(
                    "CREATE FUNCTION pg_temp.conflict() RETURNS trigger LANGUAGE plpgsql AS "
                    "$$ BEGIN RAISE EXCEPTION 'made up' USING ERRCODE = '40001'; END $$"
                )
            )
            await session.execute(
                text(
                    "CREATE CONSTRAINT TRIGGER conflict AFTER UPDATE ON users DEFERRABLE INITIALLY DEFERRED "
                    "FOR EACH ROW EXECUTE FUNCTION pg_temp.conflict()"
                )
            )
            await users.update((await users.get_by_username("ada")).id, {"full_name": "x"})

    await postgresql.write(work)
    assert attempts == 2
    assert await postgresql.read(users.count) == 1


async def test_a_connection_that_is_lost_before_the_commit_is_replaced_and_all_is_done_once(
    proxy: Proxy, postgresql: Database, users: UserDao
) -> None:
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        await users.add(registration("ada"))
        if attempts == 1:
            proxy.cut()
        await users.add(registration("bob"))

    await postgresql.write(work)
    assert attempts == 2
    assert [user.username for user in (await postgresql.read(lambda: users.page(limit=9))).records] == ["ada", "bob"]


async def test_a_connection_that_is_lost_during_the_commit_is_not_tried_again(
    proxy: Proxy, counting: CountingService
) -> None:
    user = await counting.add()
    proxy.sent.clear()
    proxy.cut_at = b"COMMIT"
    with pytest.raises(ConnectionLostError) as raised:
        await counting.increment(user.id)
    assert (raised.value.status, raised.value.retry_after) == (503, 1)
    assert proxy.sent.count(b"BEGIN") == 1, "Whether the commit was made is not known: it could be made twice."
    proxy.cut_at = None
    assert await counting.count(user.id) == 0
