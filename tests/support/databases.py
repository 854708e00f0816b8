"""Databases for tests: a SQLite file always, PostgreSQL when a server can be reached."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from pydantic import SecretStr
from sqlalchemy import make_url, select, text
from support.accounts import ROLES, SERVICES
from support.made_once import made_once

from carboy.config.settings import DatabaseSettings
from carboy.db import Database, create_engines, create_session_factory, migrate
from carboy.models import Base

POSTGRESQL_VARIABLE = "CARBOY_TEST_POSTGRESQL_URL"
POSTGRESQL_URL = os.environ.get(POSTGRESQL_VARIABLE, "postgresql+asyncpg://postgres@127.0.0.1:5432/postgres")
"""A database of a server in which the tests may create another."""

NAME_PREFIX = "carboy_test_"
LONGEST_RUN_SECONDS = 3600
"""A test database that is older than this is used by no run, but left over by one that was killed."""

SMALL_BYTES = 65536
CHANGED_TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relname = ANY($1) AND (relpages > 0 OR pg_relation_size(oid) > $2)
"""
DISCONNECT_OTHERS = """
SELECT pg_terminate_backend(pid, 5000)
FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
RESTARTED_IDS = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"

HURRIED = 0.8
"""The acquire_timeout of production, in seconds, for tests of what happens when no connection is to be had."""

Write = Callable[[Callable[[], Awaitable[Any]]], Awaitable[Any]]
"""Runs a step as a unit of work."""
Trips = Callable[[Callable[[], Awaitable[Any]]], Awaitable[int]]
"""Runs a step and returns how often it asked the thread of a SQLite connection."""


def database_settings(url: str, **changes: Any) -> DatabaseSettings:
    """Return settings that are patient: on a busy machine, a crowd that waits for its turn is not told to come back."""
    values: dict[str, Any] = {
        "pool_size": 5,
        "acquire_timeout": 20.0,
        "statement_timeout": 10.0,
        "require_migrated": True,
    } | changes
    return DatabaseSettings(url=SecretStr(url), **values)


def migrated(url: str) -> str:
    """Bring a database to the newest revision by the migrations that users run, and return its URL."""
    asyncio.run(migrate.run(create_engines(database_settings(url)), "app", migrate.upgrade, "head"))
    return url


def migrated_file(factory: pytest.TempPathFactory) -> Path:
    """Return a SQLite file at the newest revision, which is only copied: the processes of a run share it."""
    folder = made_once(factory, "migrated", lambda folder: migrated(f"sqlite+aiosqlite:///{folder}/carboy.db"))
    return folder / "carboy.db"


def with_services(url: str) -> str:
    """Add the services of `support.accounts` to a database that has been migrated, and return its URL."""

    async def add() -> None:
        database = Database(create_engines(database_settings(url)), create_session_factory())
        for statement in SERVICES:
            await database.write(partial(database.execute, text(statement), {}, writes=True))
        await database.close()

    asyncio.run(add())
    return url


def why_unreachable() -> str | None:
    """Return why PostgreSQL cannot be reached, or None if it can."""
    try:
        asyncio.run(_on_server("SELECT 1"))
    except (OSError, asyncpg.PostgresError) as error:
        return f"{POSTGRESQL_VARIABLE}={POSTGRESQL_URL}: {error}"
    return None


@contextmanager
def new_postgresql_database(options: str = "") -> Iterator[str]:
    """Create an empty database, and drop it at the end whoever is still connected.

    Args:
        options: What else CREATE DATABASE is told.
    """
    name = f"{NAME_PREFIX}{int(time.time())}_{uuid.uuid4().hex[:12]}"
    asyncio.run(_on_server(f"CREATE DATABASE {name} {options}"))
    # To wait for the disk at each commit would keep what survives a loss of power, which no test brings about.
    asyncio.run(_on_server(f"ALTER DATABASE {name} SET synchronous_commit = off"))
    try:
        yield make_url(POSTGRESQL_URL).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_on_server(f"DROP DATABASE {name} WITH (FORCE)"))


@contextmanager
def new_tablespace(folder: Path) -> Iterator[str]:
    """Let PostgreSQL keep databases in a folder of its own on this machine, and yield the name for it."""
    name = f"{NAME_PREFIX}{uuid.uuid4().hex[:12]}"
    asyncio.run(_on_server(f"CREATE TABLESPACE {name} LOCATION '{folder}'"))
    try:
        yield name
    finally:
        asyncio.run(_on_server(f"DROP TABLESPACE {name}"))


def drop_leftovers() -> None:
    """Drop the databases of runs that were killed; those of runs that go on at the same time are younger."""
    oldest = f"{NAME_PREFIX}{int(time.time()) - LONGEST_RUN_SECONDS}_"
    # The times in the names have ten digits each, so that their order is that of the names.
    found = "SELECT datname FROM pg_database WHERE datname ~ $1 AND datname < $2"
    for (name,) in asyncio.run(_on_server(found, f"^{NAME_PREFIX}[0-9]{{10}}_", oldest)):
        # Another process of this run may be at it too.
        with suppress(asyncpg.PostgresError):
            asyncio.run(_on_server(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))


def _on_server(statement: str, *values: str) -> Coroutine[Any, Any, list[asyncpg.Record]]:
    return _execute(POSTGRESQL_URL, statement, *values)


async def empty_tables(url: str) -> None:
    """Remove all rows but those of `support.accounts`, and begin ids anew: faster than a new database for each test.

    To truncate a table makes new files for it and its indexes, which takes a hundred times as long as to delete a few
    rows. Tables that have grown or were analysed are truncated, as what is left of them would change plans.
    """
    tables = [table.name for table in Base.metadata.sorted_tables]
    async with _connected(url) as connection:
        changed = [name for (name,) in await connection.fetch(CHANGED_TABLES, tables, SMALL_BYTES)]
        emptied = [f"TRUNCATE {', '.join(changed)} CASCADE"] if changed else []
        emptied += [f"DELETE FROM {name}" for name in reversed(tables) if name not in changed]  # noqa: S608 - our tables.
        await connection.execute("; ".join((*emptied, RESTARTED_IDS, *ROLES, *SERVICES)))


async def drop_all(url: str) -> None:
    """Leave nothing in a database of PostgreSQL, whoever is still connected."""
    async with _connected(url) as connection:
        await connection.execute(DISCONNECT_OTHERS)
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")


async def rows_of(database: Database, table: str) -> list[dict[str, Any]]:
    """Return the rows of a table that are committed, by their ids."""
    statement = select(Base.metadata.tables[table]).order_by("id")
    return [dict(row._mapping) for row in await database.read(lambda: database.execute(statement))]  # noqa: SLF001 - SQLAlchemy's own name for what is public.


async def _execute(url: str, statement: str, *values: str) -> list[asyncpg.Record]:
    async with _connected(url) as connection:
        return await connection.fetch(statement, *values)


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        yield connection
    finally:
        await connection.close()
