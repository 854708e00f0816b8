"""What `Database.execute` returns has types: mypy checks them, and the rows are as it says."""

from typing import Any, assert_type

from sqlalchemy import delete, insert, select, text

from app.users.models import User
from carboy.db import Database

KEYS = {"username_key": "ada", "email": "ada@b.org", "email_key": "ada@b.org", "active": True}


async def test_rows_unpack_into_the_types_of_their_columns(database: Database) -> None:
    async def work() -> None:
        new = insert(User).values(username="ada", **KEYS).returning(User.id, User.username)
        [(identity, name)] = await database.execute(new, writes=True)
        assert_type(identity, int)
        assert_type(name, str)
        for number, full_name in await database.execute(select(User.id, User.full_name)):
            assert_type(number, int)
            assert_type(full_name, str | None)
            assert (number, full_name) == (identity, None)
        [(version,)] = await database.execute(select(User.version).where(User.id == identity))
        assert_type(version, int)
        assert version == 1

    await database.write(work)


async def test_rows_of_text_may_hold_anything(database: Database) -> None:
    async def work() -> None:
        [(one, two)] = await database.execute(text("SELECT 1, 'two'"))
        assert_type(one, Any)
        assert (one, two) == (1, "two")
        [row] = await database.execute(select(User.id.label("one")).union_all(select(text("1"))))
        assert row.one == 1

    await database.read(work)


async def test_a_statement_without_rows_returns_none(database: Database) -> None:
    async def work() -> None:
        assert list(await database.execute(delete(User), writes=True)) == []

    await database.write(work)


async def test_too_many_names_for_a_row_are_an_error_to_mypy(database: Database) -> None:
    async def work() -> None:
        # mypy would complain of the comment if it found no error here.
        assert [one for one, _ in await database.execute(select(User.id))] == []  # type: ignore[misc]

    await database.read(work)
