"""Migrations: they agree with the models, go up and down, exclude each other, and leave nothing half-done."""

import asyncio
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, ForeignKey, Integer, String, inspect, make_url, text
from support.databases import database_settings

from carboy.db import Database, Engines, Migrations, create_engines, create_session_factory, migrate
from carboy.db.histories import Histories, MigrationError
from carboy.health.services import HealthService
from carboy.models import Base
from carboy.models.search import search_tables
from carboy.schemas.emails import fold_email

VERSIONS = {"alembic_version", "carboy_version"}
MOMENTS = text("SELECT created_at, updated_at FROM users")
TESTS = Path(__file__).parents[2]
MIGRATE = """
import asyncio, sys
from support.databases import database_settings
from carboy.db import create_engines, migrate

print("ready", flush=True)
sys.stdin.readline()
asyncio.run(migrate.run(create_engines(database_settings(sys.argv[1])), "app", migrate.upgrade, "head"))
"""


@pytest.fixture
def empty(empty_url: str) -> Engines:
    return create_engines(database_settings(empty_url))


async def look(engines: Engines, at: Callable[[Connection], Any]) -> Any:
    async with engines.migrator.begin() as connection:
        return await connection.run_sync(at)


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) - {"sqlite_sequence", *search_tables(connection)}


def columns(connection: Connection) -> set[str]:
    return {column["name"] for column in inspect(connection).get_columns("users")}


def types(table: str, connection: Connection) -> dict[str, Any]:
    return {column["name"]: column["type"] for column in inspect(connection).get_columns(table)}


def sleep_half_a_second(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_sleep(0.5)"))
    else:
        # SQLite cannot sleep, but it can be kept busy.
        numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000)"
        connection.execute(text(f"{numbers} SELECT max(i) FROM n"))  # noqa: S608 - both parts stand here.


async def is_ready(engines: Engines) -> bool:
    database = Database(engines, create_session_factory())
    service = HealthService({"database": database, "migrations": Migrations(database, "app")})
    try:
        return (await service.check()).status == "ok"
    finally:
        await engines.dispose()


async def test_migrations_and_models_agree(empty: Engines) -> None:
    await migrate.run(empty, "app", migrate.upgrade, "head")
    # It raises when there is a difference.
    await migrate.run(empty, "app", migrate.check)


async def test_migrations_and_models_agree_on_collations(empty: Engines) -> None:
    # The check above does not compare them.
    await migrate.run(empty, "app", migrate.upgrade, "head")
    for table in Base.metadata.sorted_tables:
        reflected = await look(empty, partial(types, table.name))
        for column in table.columns:
            kinds = (reflected[column.name], column.type.dialect_impl(empty.reader.dialect))
            found, expected = (getattr(kind, "collation", None) for kind in kinds)
            assert found == expected, column


async def test_a_difference_between_migrations_and_models_is_noticed(empty: Engines) -> None:
    await migrate.run(empty, "app", migrate.upgrade, "head")
    await look(empty, lambda connection: connection.execute(text("ALTER TABLE users ADD COLUMN extra TEXT")))
    with pytest.raises(MigrationError, match="extra"):
        await migrate.run(empty, "app", migrate.check)


async def test_migrations_go_down_and_up_again(empty: Engines) -> None:
    await migrate.run(empty, "app", migrate.upgrade, "head")
    assert await look(empty, tables) == {*VERSIONS, *Base.metadata.tables}
    await migrate.run(empty, "app", migrate.downgrade, "base")
    await migrate.run(empty, "app", migrate.downgrade_kit, "base")
    assert await look(empty, tables) == VERSIONS
    await migrate.run(empty, "app", migrate.upgrade, "head")
    await migrate.run(empty, "app", migrate.check)


async def test_an_application_is_ready_only_once_its_database_is_migrated(empty: Engines) -> None:
    assert not await is_ready(empty)
    await migrate.run(empty, "app", migrate.upgrade, "head")
    assert await is_ready(empty)
    await migrate.run(empty, "app", migrate.downgrade, "base")
    assert not await is_ready(empty)


async def test_processes_that_migrate_at_once_all_succeed(empty: Engines, empty_url: str) -> None:
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-c", MIGRATE, empty_url]
    processes = [
        await asyncio.create_subprocess_exec(
            *command, cwd=TESTS, stdin=pipe, stdout=pipe, stderr=pipe, env={"PYTHONPATH": str(TESTS)}
        )
        for _ in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"ready\n"
    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    errors = [errors.decode() for _, errors in answers]
    assert [process.returncode for process in processes] == [0, 0, 0], errors
    versions = await look(empty, lambda connection: connection.execute(text("SELECT * FROM alembic_version")).all())
    assert len(versions) == 1
    await migrate.run(empty, "app", migrate.check)


async def test_a_migration_that_fails_leaves_nothing_half_done(empty: Engines) -> None:
    await migrate.run(empty, "app", migrate.upgrade, "head")

    def fail(histories: Histories) -> None:
        connection: Connection = histories.app.attributes["connection"]
        operations = Operations(MigrationContext.configure(connection))
        operations.create_table("orders", Column("id", Integer, primary_key=True))
        with operations.batch_alter_table("users") as batch:
            batch.add_column(Column("nickname", String(80)))
        connection.execute(text("DELETE FROM alembic_version"))
        connection.execute(text("SELECT * FROM nowhere"))

    before = await look(empty, columns)
    with pytest.raises(MigrationError, match="nowhere"):
        await migrate.run(empty, "app", fail)
    assert await look(empty, tables) == {*VERSIONS, *Base.metadata.tables}
    assert await look(empty, columns) == before
    assert await is_ready(empty)


async def test_changing_a_table_keeps_the_rows_that_refer_to_it(empty: Engines) -> None:
    await migrate.run(empty, "app", migrate.upgrade, "head")

    def refer(connection: Connection) -> None:
        operations = Operations(MigrationContext.configure(connection))
        operations.create_table(
            "orders",
            Column("id", Integer, primary_key=True),
            Column("user_id", Integer, ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        )
        connection.execute(
            text(
                "INSERT INTO users"
                " (id, username, username_key, email, email_key, active, created_at, updated_at, version)"
                " VALUES (1, 'a', 'a', 'a', 'a', true, '2026-01-01', '2026-01-01', 1)"
            )
        )
        connection.execute(text("INSERT INTO orders VALUES (1, 1)"))

    def change(histories: Histories) -> None:
        operations = Operations(MigrationContext.configure(histories.app.attributes["connection"]))
        with operations.batch_alter_table("users", recreate="auto") as batch:
            batch.alter_column("full_name", type_=String(300))

    await look(empty, refer)
    await migrate.run(empty, "app", change)
    assert await look(empty, lambda connection: connection.execute(text("SELECT user_id FROM orders")).all()) == [(1,)]

    def break_it(histories: Histories) -> None:
        histories.app.attributes["connection"].execute(text("INSERT INTO orders VALUES (2, 99)"))

    with pytest.raises(MigrationError, match="orders"):
        await migrate.run(empty, "app", break_it)
    assert await look(empty, lambda connection: connection.execute(text("SELECT user_id FROM orders")).all()) == [(1,)]


async def test_full_names_of_before_are_found_after(empty: Engines) -> None:
    names = {1: "Ada", 2: None, 3: "Stra\u00dfe", 1500: "\uff21da \u0130"}
    keys = {1: "ada", 2: None, 3: "strasse", 1500: "ada i\u0307"}
    await migrate.run(empty, "app", migrate.upgrade, "f2a675760b18")
    insert = text(
        "INSERT INTO users (id, username, username_key, email, email_key, full_name, active, created_at, updated_at,"
        " version) VALUES (:id, :username, :key, :username, :key, :name, true, '2026-01-01', '2026-01-01', 1)"
    )
    rows = [
        {"id": number, "username": f"u{number}", "key": f"u{number}", "name": names.get(number, "x")}
        for number in range(1, 1501)
    ]
    await look(empty, lambda connection: connection.execute(insert, rows))

    await migrate.run(empty, "app", migrate.upgrade, "head")
    select = text("SELECT id, full_name_key FROM users ORDER BY id")
    found = await look(empty, lambda connection: connection.execute(select).all())
    assert dict(map(tuple, found)) == {number: keys.get(number, "x") for number in range(1, 1501)}

    await migrate.run(empty, "app", migrate.downgrade, "f2a675760b18")
    assert "full_name_key" not in await look(empty, columns)
    again = await look(empty, lambda connection: connection.execute(text("SELECT id, full_name FROM users")).all())
    assert dict(map(tuple, again)) == {number: names.get(number, "x") for number in range(1, 1501)}
    await migrate.run(empty, "app", migrate.upgrade, "head")
    await migrate.run(empty, "app", migrate.check)


async def test_addresses_of_before_are_found_by_their_domain_after(empty: Engines) -> None:
    # The domains of those without a line of their own are the same either way.
    addresses = {
        1: ("Ada@example.org", "ada@example.org", "ada@example.org"),
        2: ("straße@straße.de", "strasse@strasse.de", "strasse@straße.de"),
        3: ("åda@bücher.de", "åda@bücher.de", "åda@bücher.de"),
        1500: ("ada@βόλος.gr", "ada@βόλοσ.gr", "ada@βόλος.gr"),
    }
    usual = ("u{}@example.org",) * 3
    rows = [(number, *(one.format(number) for one in addresses.get(number, usual))) for number in range(1, 1501)]
    await migrate.run(empty, "app", migrate.upgrade, "5d0c7be1a942")
    insert = text(
        "INSERT INTO users (id, username, username_key, email, email_key, active, created_at, updated_at, version)"
        " VALUES (:id, :name, :name_key, :email, :key, true, '2026-01-01', '2026-01-01', 1)"
    )
    values = [
        {"id": number, "name": f"u{number}", "name_key": f"u{number}", "email": email, "key": key}
        for number, email, key, _ in rows
    ]
    await look(empty, lambda connection: connection.execute(insert, values))

    async def keys() -> list[tuple[Any, ...]]:
        select = text("SELECT id, email, email_key FROM users ORDER BY id")
        return [*map(tuple, await look(empty, lambda connection: connection.execute(select).all()))]

    await migrate.run(empty, "app", migrate.upgrade, "head")
    assert await keys() == [(number, email, after) for number, email, _, after in rows]
    assert all(fold_email(str(email)) == after for _, email, _, after in rows)
    await migrate.run(empty, "app", migrate.downgrade, "5d0c7be1a942")
    assert await keys() == [(number, email, before) for number, email, before, _ in rows]


async def test_whole_seconds_of_before_equal_those_that_sql_writes(empty: Engines) -> None:
    await migrate.run(empty, "app", migrate.upgrade, "8c1f04e27d3b")
    insert = text(
        "INSERT INTO users (username, username_key, email, email_key, active, created_at, updated_at, version)"
        " VALUES ('a', 'a', 'a', 'a', true, '2026-01-01 10:00:00.000000', '2026-01-01 10:00:00.100000', 1)"
    )
    await look(empty, lambda connection: connection.execute(insert))
    before = await look(empty, lambda connection: connection.execute(MOMENTS).one())
    await migrate.run(empty, "app", migrate.upgrade, "3e7b52d90c61")
    after = await look(empty, lambda connection: connection.execute(MOMENTS).one())
    if empty.reader.dialect.name == "sqlite":
        assert tuple(after) == ("2026-01-01 10:00:00", "2026-01-01 10:00:00.100000")
    await migrate.run(empty, "app", migrate.downgrade, "8c1f04e27d3b")
    assert await look(empty, lambda connection: connection.execute(MOMENTS).one()) == before


async def test_changing_a_table_lets_no_id_come_again(empty: Engines) -> None:
    await migrate.run(empty, "app", migrate.upgrade, "head")
    insert = text(
        "INSERT INTO users (username, username_key, email, email_key, active, created_at, updated_at, version)"
        " VALUES (:name, :name_key, :email, :email_key, true, '2026-01-01', '2026-01-01', 1) RETURNING id"
    )

    def add(name: str, connection: Connection) -> int:
        return int(
            connection.execute(insert, dict.fromkeys(("name", "name_key", "email", "email_key"), name)).scalar_one()
        )

    def change(histories: Histories) -> None:
        operations = Operations(MigrationContext.configure(histories.app.attributes["connection"]))
        with operations.batch_alter_table("users", recreate="auto") as batch:
            batch.alter_column("full_name", type_=String(300))

    given = [await look(empty, partial(add, name)) for name in "abc"]
    await look(empty, lambda connection: connection.execute(text("DELETE FROM users WHERE username > 'a'")))
    await migrate.run(empty, "app", change)
    assert await look(empty, partial(add, "d")) == max(given) + 1
    await look(empty, lambda connection: connection.execute(text("DELETE FROM users")))
    await migrate.run(empty, "app", change)
    assert await look(empty, partial(add, "e")) == max(given) + 2
    await migrate.run(empty, "app", migrate.downgrade, "base")


@pytest.mark.alone
async def test_a_migration_may_take_longer_than_a_statement_of_a_request(empty_url: str) -> None:
    hurried = create_engines(database_settings(empty_url, statement_timeout=0.2, acquire_timeout=0.4))

    def take_long(histories: Histories) -> None:
        sleep_half_a_second(histories.app.attributes["connection"])

    await migrate.run(hurried, "app", migrate.upgrade, "head")
    await migrate.run(hurried, "app", take_long)


async def test_a_migration_waits_for_another_longer_than_a_request_would(empty_url: str) -> None:
    engines = [create_engines(database_settings(empty_url, statement_timeout=0.1, acquire_timeout=1)) for _ in range(2)]
    await migrate.run(engines[0], "app", migrate.upgrade, "head")
    loop = asyncio.get_running_loop()
    happened: list[str] = []
    others: list[asyncio.Task[None]] = []

    def second(histories: Histories) -> None:
        happened.append("the second begins")

    def first(histories: Histories) -> None:
        others.append(loop.create_task(migrate.run(engines[1], "app", second)))
        sleep_half_a_second(histories.app.attributes["connection"])
        happened.append("the first ends")

    await migrate.run(engines[0], "app", first)
    await others[0]
    assert happened == ["the first ends", "the second begins"]


def test_a_new_sqlite_file_keeps_its_journal_beside_it(tmp_path: Path) -> None:
    url = f"sqlite+aiosqlite:///{tmp_path}/new.db"
    asyncio.run(migrate.run(create_engines(database_settings(url)), "app", migrate.upgrade, "head"))
    with closing(sqlite3.connect(make_url(url).database or "")) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
