"""The database of unit tests, besides what the contract tests hold it to together with the real ones."""

import asyncio
import contextvars
import gc
import threading
from collections import Counter
from typing import Any

import httpx
import pytest
from sqlalchemy import CheckConstraint, Column, ForeignKey, Integer, MetaData, Table, Text, event, insert, text
from sqlalchemy.exc import IntegrityError
from support.databases import rows_of
from support.requests import assert_unavailable
from support.users import registration

from carboy.db.failures import ConnectionLostError
from carboy.errors import DatabaseUnavailableError
from carboy.testing import MemoryDatabase
from carboy.testing import database as memory_database

metadata = MetaData()
parents = Table("parents", metadata, Column("id", Integer, primary_key=True), Column("name", Text, unique=True))
children = Table(
    "children",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("parent_id", ForeignKey("parents.id"), nullable=False),
    Column("age", Integer, CheckConstraint("age >= 0")),
)
PARENT = insert(parents).values(id=1, name="ada")


@pytest.fixture
def family() -> MemoryDatabase:
    return MemoryDatabase(metadata)


async def run(database: MemoryDatabase, *statements: Any) -> None:
    async def work() -> None:
        for statement in statements:
            await database.execute(statement, writes=True)

    await database.write(work)


async def number(database: MemoryDatabase, table: Table = parents) -> int:
    [(counted,)] = await database.read(lambda: database.execute(text(f"SELECT count(*) FROM {table.name}")))  # noqa: S608 - no input.
    return int(counted)


async def test_databases_have_nothing_in_common(family: MemoryDatabase) -> None:
    await run(family, PARENT)
    assert (await number(family), await number(MemoryDatabase(metadata))) == (1, 0)


@pytest.mark.parametrize(
    "refused",
    [
        insert(parents).values(name="ada"),
        insert(children).values(parent_id=2),
        insert(children).values(parent_id=None),
        insert(children).values(parent_id=1, age=-1),
        parents.delete(),
        parents.update().values(id=2),
    ],
)
async def test_constraints_hold_as_on_a_real_database(family: MemoryDatabase, refused: Any) -> None:
    await run(family, PARENT, insert(children).values(parent_id=1, age=0))
    with pytest.raises(IntegrityError):
        await run(family, refused)
    assert (await number(family), await number(family, children)) == (1, 1)


async def test_what_is_attached_to_the_tables_comes_along() -> None:
    own = MetaData()
    Table("notes", own, Column("id", Integer, primary_key=True))
    trigger = "CREATE TRIGGER twice AFTER INSERT ON notes BEGIN INSERT INTO notes VALUES (9); END"
    event.listen(own, "after_create", lambda _metadata, connection, **_options: connection.exec_driver_sql(trigger))
    database = MemoryDatabase(own)
    await run(database, text("INSERT INTO notes VALUES (1)"))
    assert await number(database, own.tables["notes"]) == 2


async def test_one_without_tables_answers() -> None:
    database = MemoryDatabase(MetaData())
    await database.ping()
    await run(database, text("SELECT 1"))


async def test_a_table_that_is_added_later_is_in_the_next_database() -> None:
    own = MetaData()
    Table("first", own, Column("id", Integer, primary_key=True))
    MemoryDatabase(own)
    second = Table("second", own, Column("id", Integer, primary_key=True))
    assert await number(MemoryDatabase(own), second) == 0


async def test_a_statement_that_does_not_say_that_it_writes_cannot_write(family: MemoryDatabase) -> None:
    with pytest.raises(ConnectionLostError) as raised:
        await family.read(lambda: family.execute(PARENT))
    assert "readonly" in str(raised.value.__cause__)
    assert await number(family) == 0
    await run(family, PARENT)
    assert await number(family) == 1


async def test_sessions_read_and_write(family: MemoryDatabase) -> None:
    async def work(*, writes: bool) -> int:
        session = await family.session(writes=writes)
        if writes:
            await session.execute(PARENT)
        return len((await session.execute(parents.select())).all())

    assert await family.write(lambda: work(writes=True)) == 1
    assert await family.read(lambda: work(writes=False)) == 1


async def test_those_who_read_during_a_transaction_see_what_was_there_before_it(family: MemoryDatabase) -> None:
    await run(family, PARENT)

    async def look() -> int:
        # A task begins a unit of its own where the current one has ended, which it has for one of another context.
        return await asyncio.get_running_loop().create_task(number(family), context=outside)

    async def work() -> list[int]:
        await family.execute(insert(parents).values(name="bob"), writes=True)
        return [await look(), await look(), await number(family)]

    outside = contextvars.copy_context()
    assert await family.write(work) == [1, 1, 2]
    assert await look() == 2


async def test_who_waits_too_long_for_a_unit_that_writes_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_database, "PATIENCE_SECONDS", 0.01)
    database = MemoryDatabase(metadata)
    outside = contextvars.copy_context()

    async def wait_for_each_other() -> None:
        await database.execute(PARENT, writes=True)
        await asyncio.get_running_loop().create_task(run(database, PARENT), context=outside)

    with pytest.raises(DatabaseUnavailableError, match="in use"):
        await database.write(wait_for_each_other)
    assert await number(database) == 0


async def test_what_is_in_it_stays_when_it_is_closed(family: MemoryDatabase) -> None:
    await run(family, PARENT)
    await family.close()
    assert await number(family) == 1
    await run(family, insert(parents).values(name="bob"))
    assert await number(family) == 2


async def test_any_thread_may_use_it_and_none_is_started(family: MemoryDatabase) -> None:
    before = threading.enumerate()
    await run(family, PARENT)
    assert await number(family) == 1
    assert threading.enumerate() == before
    assert await asyncio.to_thread(asyncio.run, number(family)) == 1


async def test_one_that_is_forgotten_is_closed() -> None:
    MemoryDatabase(metadata)
    # Python would report a connection that is collected before it was closed, which fails a test here.
    gc.collect()


async def test_regular_expressions_are_there(family: MemoryDatabase) -> None:
    await run(family, PARENT)
    rows = await family.read(lambda: family.execute(parents.select().where(parents.c.name.regexp_match("^a.a$"))))
    assert [row.name for row in rows] == ["ada"]


async def test_one_that_cannot_be_reached_is_unavailable(family: MemoryDatabase) -> None:
    family.is_reachable = False
    with pytest.raises(DatabaseUnavailableError):
        await number(family)
    with pytest.raises(DatabaseUnavailableError):
        await run(family, PARENT)
    assert not family.is_reachable
    family.is_reachable = True
    assert await number(family) == 0


async def test_one_that_is_lost_at_the_commit_has_kept_nothing(family: MemoryDatabase) -> None:
    async def work() -> None:
        await family.execute(PARENT, writes=True)
        family.is_reachable = False

    with pytest.raises(DatabaseUnavailableError):
        await family.write(work)
    family.is_reachable = True
    assert await number(family) == 0


async def test_requests_at_the_same_time_are_served_one_write_after_another(client: httpx.AsyncClient) -> None:
    answers = await asyncio.gather(*(client.post("/api/users", json=registration("ada")) for _ in range(10)))
    assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 9}
    others = (client.post("/api/users", json=registration(f"u{index}")) for index in range(10))
    lists = (client.get("/api/users") for _ in range(10))
    statuses = [answer.status_code for answer in await asyncio.gather(*others, *lists)]
    assert statuses == [201] * 10 + [200] * 10
    assert len((await client.get("/api/users")).json()["items"]) == 11


async def test_a_request_without_a_database_is_503(client: httpx.AsyncClient, database: MemoryDatabase) -> None:
    database.is_reachable = False
    await assert_unavailable(client.get("/api/users"), within=60)
    database.is_reachable = True
    assert (await client.post("/api/users", json=registration("ada"))).status_code == 201
    assert [row["username"] for row in await rows_of(database, "users")] == ["ada"]
