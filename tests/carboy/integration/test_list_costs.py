"""What a page of a list costs SQLite, in steps of its virtual machine: as much at any place of the list."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import event, text
from support.databases import database_settings

from app.users.daos import UserDao
from app.users.schemas import UserRead
from carboy.daos.keyset import Place
from carboy.db import Database, create_engines, create_session_factory

ROWS = 5000
FEW = ROWS // 5
"""Steps that are too few to look at many more rows than the ten of a page."""
FILL = """
INSERT INTO users (username, username_key, email, email_key, active, created_at, updated_at, version)
WITH RECURSIVE numbers(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers WHERE i < :rows)
SELECT i, printf('%05d', i), i, printf('%05d', i), true, {moment}, '2026-11-25 00:00:00.000000', 1 FROM numbers
"""
MOMENTS = {
    "created one by one": "printf('2026-11-25 00:00:00.%06d', i)",
    "imported at one moment": "'2026-11-25 00:00:00.000000'",
}
Cost = Callable[..., Awaitable[tuple[list[UserRead], int]]]


@pytest_asyncio.fixture(params=MOMENTS)
async def cost(request: pytest.FixtureRequest, sqlite_url: str) -> AsyncIterator[Cost]:
    """Ask for a page, and return its rows and the steps that it took."""
    steps = 0

    def step() -> None:
        nonlocal steps
        steps += 1

    def count(connection: Any, _record: object) -> None:
        connection.driver_connection._conn.set_progress_handler(step, 1)  # noqa: SLF001 - there is no other way in.

    engines = create_engines(database_settings(sqlite_url))
    event.listen(engines.reader.sync_engine, "connect", count)
    async with engines.writer.begin() as connection:
        await connection.execute(text(FILL.format(moment=MOMENTS[request.param])), {"rows": ROWS})
    database = Database(engines, create_session_factory())
    users = UserDao(database)

    async def cost(sort: str, place: Place | None) -> tuple[list[UserRead], int]:
        nonlocal steps
        await database.read(lambda: users.page(limit=10, sort=sort, place=place))
        steps = 0
        found = await database.read(lambda: users.page(limit=10, sort=sort, place=place))
        return found.records, steps

    yield cost
    await database.close()


KEYS: dict[str, Callable[[UserRead], object]] = {
    "id": lambda user: user.id,
    "created": lambda user: user.created_at,
    "username": lambda user: f"{user.id:05}",
    "email": lambda user: f"{user.id:05}",
}


@pytest.mark.parametrize("sort", ["id", "-id", "created", "-created", "username", "-username", "email", "-email"])
async def test_a_page_costs_the_same_anywhere(cost: Cost, sort: str) -> None:
    [first, *_], steps = await cost(sort, None)
    assert steps < FEW
    name = sort.removeprefix("-")
    for number in (1, ROWS // 2, ROWS):
        user = first.model_copy(update={"id": number})
        if first.created_at.microsecond != 0:
            user = user.model_copy(update={"created_at": first.created_at.replace(microsecond=number)})
        key = (KEYS[name](user), user.id) if name == "created" else (KEYS[name](user),)
        for backward in (False, True):
            _, steps = await cost(sort, Place(key, backward))
            assert steps < FEW
