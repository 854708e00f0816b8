"""SQLAlchemy finds in `OneHopConnection` what it finds in aiosqlite's own connection, in fewer trips to the thread."""

import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import (
    Column,
    DateTime,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    event,
    insert,
    inspect,
    make_url,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.util import await_only
from support.databases import Trips
from support.users import registration

from app.users.models import User
from carboy.db.sqlite_connection import AdaptedConnection, OneHopConnection

things = Table(
    "things",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String, unique=True),
    Column("size", Float),
    Column("number", Integer),
    Column("data", LargeBinary),
    Column("moment", DateTime),
)
FULL = {
    "name": "full",
    "size": 0.1,
    "number": 2**62,
    "data": b"\x00\xff",
    "moment": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC).replace(tzinfo=None),
}
EMPTY = {"name": None, "size": None, "number": None, "data": None, "moment": None}


@pytest.fixture
def path(sqlite_template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(sqlite_template, tmp_path / "contract.db"))


@pytest_asyncio.fixture(params=["stock", "one hop"])
async def engine(request: pytest.FixtureRequest, path: Path) -> AsyncIterator[AsyncEngine]:
    url = f"sqlite+aiosqlite:///{path}"
    engine = create_async_engine(url) if request.param == "stock" else one_hop_engine(path)
    async with engine.begin() as connection:
        await connection.run_sync(things.metadata.create_all)
    yield engine
    await engine.dispose()


def one_hop_engine(path: Path) -> AsyncEngine:
    url = make_url(f"sqlite+aiosqlite:///{path}")

    def connect() -> AdaptedConnection:
        connection = OneHopConnection(path, timeout=5.0, check_same_thread=False)
        return AdaptedConnection(url.get_dialect().import_dbapi(), await_only(connection))

    return create_async_engine(url, creator=connect)


async def test_values_of_each_type_come_back_as_they_went_in(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(things), [FULL, EMPTY])
        rows = (await connection.execute(select(things).order_by(things.c.id))).mappings().all()
    assert [{name: row[name] for name in FULL} for row in rows] == [FULL, EMPTY]


async def test_a_result_without_rows_has_its_columns(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        result = await connection.execute(select(things))
        assert (list(result.keys()), result.all()) == (list(things.c.keys()), [])


async def test_rows_are_counted_and_new_ids_told(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        added = await connection.execute(insert(things).values(name="a"))
        assert added.inserted_primary_key == (1,)
        await connection.execute(insert(things), [{"name": name} for name in "bcd"])
        assert (await connection.execute(update(things).values(number=1))).rowcount == 4
        assert (await connection.execute(text("DELETE FROM things WHERE id > 2"))).rowcount == 2
        returned = await connection.execute(update(things).values(number=2).returning(things.c.id))
        assert sorted(returned.scalars()) == [1, 2]


async def test_rows_are_fetched_one_at_a_time_in_parts_and_streamed(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(things), [{"number": number} for number in range(10)])
        numbers = select(things.c.number).order_by(things.c.id)
        result = await connection.execute(numbers)
        assert result.fetchone() == (0,)
        assert result.fetchmany(3) == [(1,), (2,), (3,)]
        assert [number for (number,) in result] == [4, 5, 6, 7, 8, 9]
        streamed = await connection.stream(numbers)
        assert await streamed.fetchone() == (0,)
        assert await streamed.fetchmany(2) == [(1,), (2,)]
        assert [number async for (number,) in streamed] == [3, 4, 5, 6, 7, 8, 9]
        parts = (await connection.stream(numbers, execution_options={"yield_per": 4})).partitions()
        assert [len(part) async for part in parts] == [4, 4, 2]


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("INSERT INTO things (name) VALUES ('taken')", IntegrityError),
        ("SELECT nothing FROM things", OperationalError),
        ("NONSENSE", OperationalError),
    ],
)
async def test_a_failed_statement_is_the_same_error(
    engine: AsyncEngine, statement: str, error: type[Exception]
) -> None:
    async with engine.begin() as connection:
        await connection.execute(insert(things).values(name="taken"))
        with pytest.raises(error) as raised:
            await connection.execute(text(statement))
        assert type(raised.value.__cause__).__name__ == error.__name__
        # The connection goes on.
        assert (await connection.execute(select(things.c.name))).scalars().all() == ["taken"]


async def test_a_rollback_undoes_its_own_changes_only(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(insert(things).values(name="first"))
        await connection.commit()
        await connection.execute(insert(things).values(name="second"))
        await connection.rollback()
        await connection.execute(insert(things).values(name="third"))
    async with engine.connect() as connection:
        assert (await connection.execute(select(things.c.name))).scalars().all() == ["first"]


async def test_a_session_works_with_entities(engine: AsyncEngine) -> None:
    async with AsyncSession(engine, expire_on_commit=False) as session:
        user = User(**registration("ada", username_key="ada", email_key="ada@example.org"))
        session.add(user)
        await session.commit()
        await session.refresh(user)
        user.full_name = "Ada"
        await session.commit()
    async with AsyncSession(engine) as session:
        found = await session.get(User, user.id)
        assert found is not None
        assert (found.username, found.full_name, found.created_at.tzinfo) == ("ada", "Ada", UTC)


async def test_the_schema_can_be_looked_at_and_the_engine_used_again(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        names = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert {"things", "users"} <= set(names)
    await engine.dispose()
    async with engine.connect() as connection:
        assert await connection.scalar(text("SELECT 1")) == 1


async def test_a_statement_is_one_trip_and_begin_goes_with_the_first(path: Path, trips: Trips) -> None:
    engine = one_hop_engine(path)
    event.listen(engine.sync_engine, "begin", _begin_immediately)
    try:
        async with engine.connect() as connection:
            assert await trips(lambda: connection.execute(text("SELECT 1"))) == 1
            assert await trips(lambda: _many(connection, 5)) == 5
            assert await trips(connection.commit) == 1
            assert await trips(connection.begin) == 0
            assert await trips(connection.rollback) == 0, "Nothing was begun, so that nothing is to be rolled back."
            await connection.execute(text("SELECT 1"))
            assert await trips(connection.rollback) == 1
    finally:
        await engine.dispose()


def _begin_immediately(connection: Any) -> None:
    connection.connection.driver_connection.begin_with_next_statement(1.0)


async def _many(connection: AsyncConnection, times: int) -> None:
    for _ in range(times):
        await connection.execute(text("SELECT 1"))
