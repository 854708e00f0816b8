"""Databases for tests: a SQLite file always, PostgreSQL when a server can be reached."""

import asyncio
import os
import uuid
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import asyncpg
from pydantic import SecretStr
from sqlalchemy import make_url

from carboy.db import create_engines, migrate
from carboy.models import Base
from carboy.settings import DatabaseSettings

POSTGRESQL_VARIABLE = "CARBOY_TEST_POSTGRESQL_URL"
POSTGRESQL_URL = os.environ.get(POSTGRESQL_VARIABLE, "postgresql+asyncpg://postgres@127.0.0.1:5432/postgres")
"""A database of a server in which the tests may create another."""

T = TypeVar("T")


def database_settings(url: str, **changes: Any) -> DatabaseSettings:
    values: dict[str, Any] = {"pool_size": 5, "acquire_timeout": 0.8, "statement_timeout": 10.0} | changes
    return DatabaseSettings(url=SecretStr(url), **values)


def migrated(url: str) -> str:
    """Bring a database to the newest revision by the migrations that users run, and return its URL."""
    asyncio.run(migrate.run(create_engines(database_settings(url)), migrate.upgrade, "head"))
    return url


def why_unreachable() -> str | None:
    """Return why PostgreSQL cannot be reached, or None if it can."""
    try:
        asyncio.run(_on_server("SELECT 1"))
    except (OSError, asyncpg.PostgresError) as error:
        return f"{POSTGRESQL_VARIABLE}={POSTGRESQL_URL}: {error}"
    return None


@contextmanager
def new_postgresql_database() -> Iterator[str]:
    """Create an empty database, and drop it at the end whoever is still connected."""
    name = f"carboy_test_{uuid.uuid4().hex[:12]}"
    asyncio.run(_on_server(f"CREATE DATABASE {name}"))
    try:
        yield make_url(POSTGRESQL_URL).set(database=name).render_as_string(hide_password=False)
    finally:
        asyncio.run(_on_server(f"DROP DATABASE {name} WITH (FORCE)"))


async def _on_server(statement: str) -> None:
    dsn = make_url(POSTGRESQL_URL).set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def empty_tables(url: str) -> Coroutine[Any, Any, None]:
    """Remove all rows and begin ids anew, which is faster than a new database for each test."""
    tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
    dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return _execute(dsn, f"TRUNCATE {tables} RESTART IDENTITY CASCADE")


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()
