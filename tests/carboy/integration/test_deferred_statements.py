"""What a transaction leaves for its end is written with it or not at all: in memory, on SQLite and on PostgreSQL."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from support.databases import Trips, Write, database_settings
from support.users import registration

from app.accounts.daos import AccountDao
from app.users.daos import UserDao
from app.users.errors import UserNotFoundError
from app.users.models import User
from carboy.db import Database, create_engines, create_session_factory
from carboy.db.failures import TransactionConflictError
from carboy.errors import InvalidInputError
from carboy.schemas.base import Record


class Name(Record):
    """A user as its name alone."""

    username: str


async def names(users: UserDao) -> list[str]:
    return [user.username for user in (await users.page(limit=100)).records]


def adding(users: UserDao, *added: str, then: Callable[[], Awaitable[Any]] | None = None) -> Callable[[], Any]:
    """Return a step that leaves users to be added at the commit."""

    async def step() -> list[str]:
        for name in added:
            users.add_at_commit(registration(name))
        seen = await names(users)
        if then is not None:
            await then()
        return seen

    return step


async def test_rows_that_wait_for_the_commit_are_written_by_it_in_their_order(
    contract_database: Database, contract_users: UserDao, write: Write
) -> None:
    assert await write(adding(contract_users, "ada", "bob", "eve")) == []
    assert await contract_database.read(lambda: names(contract_users)) == ["ada", "bob", "eve"]


async def test_rows_of_other_columns_are_written_too(
    contract_database: Database, contract_users: UserDao, write: Write
) -> None:
    async def step() -> None:
        contract_users.add_at_commit(registration("ada"))
        contract_users.add_at_commit({**registration("bob"), "active": False})

    await write(step)
    found = await contract_database.read(lambda: contract_users.page(limit=10))
    assert [(user.username, user.active) for user in found.records] == [("ada", True), ("bob", False)]


async def test_a_row_that_is_refused_at_the_commit_takes_back_the_whole_transaction(
    contract_database: Database, contract_users: UserDao, write: Write
) -> None:
    async def step() -> None:
        await contract_users.add(registration("ada"))
        contract_users.add_at_commit(registration("bob"))
        contract_users.add_at_commit(registration("ada", email="other@example.org"))

    with pytest.raises(IntegrityError):
        await write(step)
    assert await contract_database.read(lambda: names(contract_users)) == []
    await write(adding(contract_users, "eve"))
    assert await contract_database.read(lambda: names(contract_users)) == ["eve"]


async def test_rows_that_wait_are_dropped_with_a_transaction_that_fails(
    contract_database: Database, contract_users: UserDao, write: Write
) -> None:
    with pytest.raises(UserNotFoundError):
        await write(adding(contract_users, "ada", then=lambda: contract_users.get(7)))
    await write(adding(contract_users, "bob"))
    assert await contract_database.read(lambda: names(contract_users)) == ["bob"]


async def test_a_transaction_that_is_retried_writes_its_rows_once(
    contract_database: Database, contract_users: UserDao, write: Write
) -> None:
    attempts = 0

    async def conflict_once() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise TransactionConflictError

    await write(adding(contract_users, "ada", then=conflict_once))
    assert attempts == 2
    assert await contract_database.read(lambda: names(contract_users)) == ["ada"]


async def test_a_statement_may_want_to_see_what_waits(
    contract_database: Database, contract_users: UserDao, write: Write
) -> None:
    async def step() -> list[str]:
        contract_users.add_at_commit(registration("ada"))
        await contract_database.execute_deferred()
        return await names(contract_users)

    assert await write(step) == ["ada"]
    assert await contract_database.read(lambda: names(contract_users)) == ["ada"]


async def test_what_waits_goes_with_the_entities_of_a_session(
    contract_database: Database, contract_users: UserDao, write: Write
) -> None:
    async def step() -> None:
        session = await contract_database.session(writes=True)
        entity = {**registration("ada"), "username_key": "ada", "email_key": "ada@example.org"}
        session.add(User(**entity))
        contract_users.add_at_commit(registration("bob"))

    await write(step)
    assert await contract_database.read(lambda: names(contract_users)) == ["ada", "bob"]


async def test_a_unit_that_only_reads_leaves_nothing_for_its_end(
    contract_database: Database, contract_users: UserDao
) -> None:
    with pytest.raises(RuntimeError, match="only reads"):
        await contract_database.read(adding(contract_users, "ada"))


async def test_a_value_that_no_column_holds_is_refused_at_once(contract_users: UserDao, write: Write) -> None:
    with pytest.raises(InvalidInputError):
        await write(adding(contract_users, "a" * 81))


async def test_a_row_with_collections_does_not_wait(contract_database: Database, write: Write) -> None:
    async def step() -> None:
        AccountDao(contract_database).add_at_commit({"kind": "person", "roles": ["member"]})

    with pytest.raises(TypeError, match="is added at once"):
        await write(step)


async def test_a_row_is_added_and_changed_as_another_record(contract_users: UserDao, write: Write) -> None:
    added = await write(lambda: contract_users.add_as(Name, registration("ada")))
    assert added == Name(id=added.id, username="ada")
    changed = await write(lambda: contract_users.update_as(Name, added.id, {"username": "Ada"}))
    assert changed == Name(id=added.id, username="Ada")
    with pytest.raises(UserNotFoundError):
        await write(lambda: contract_users.update_as(Name, 7, {"username": "Bob"}))


async def test_sqlite_commits_with_the_last_statement(sqlite_url: str, trips: Trips) -> None:
    database = Database(create_engines(database_settings(sqlite_url)), create_session_factory())
    users = UserDao(database)

    async def step() -> None:
        await users.add(registration("ada"))
        users.add_at_commit(registration("bob"))
        users.add_at_commit(registration("eve"))

    async def alone() -> None:
        users.add_at_commit(registration("joe"))

    try:
        await database.write(lambda: users.find(1))
        assert await trips(lambda: database.write(step)) == 2
        assert await trips(lambda: database.write(alone)) == 1
        with pytest.raises(IntegrityError):
            await database.write(alone)
        assert await database.read(lambda: names(users)) == ["ada", "bob", "eve", "joe"]
    finally:
        await database.close()
