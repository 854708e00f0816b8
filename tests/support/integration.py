"""Real databases: each test that asks for one runs on SQLite, and on PostgreSQL when that can be reached."""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
import pytest_asyncio
from support.accounts import add_services
from support.counting import CountingService
from support.databases import (
    Trips,
    Write,
    database_settings,
    drop_leftovers,
    empty_tables,
    migrated,
    migrated_file,
    new_postgresql_database,
    why_unreachable,
)
from support.proxy import Proxy, proxy_to
from support.shared import SharedApplication

from app.settings import Settings
from app.users.daos import UserDao
from carboy.db import Database, Engines, create_engines, create_session_factory
from carboy.testing import MemoryDatabase
from containers import Container

REQUIRED_VARIABLE = "CARBOY_TEST_REQUIRE_POSTGRESQL"
"""Set it where PostgreSQL must be there, so that tests that do not run are a failure."""


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "carboy.db"
    shutil.copy(migrated_file(tmp_path_factory), path)
    add_services(path)
    return path


@pytest.fixture(scope="session")
def postgresql_database() -> Iterator[str]:
    reason = why_unreachable()
    if reason is not None:
        if os.environ.get(REQUIRED_VARIABLE):
            pytest.fail(f"PostgreSQL is required and cannot be reached: {reason}")
        pytest.skip(f"NOT TESTED ON POSTGRESQL: {reason}")
    drop_leftovers()
    with new_postgresql_database() as url:
        yield migrated(url)


@pytest_asyncio.fixture
async def postgresql_url(postgresql_database: str) -> str:
    await empty_tables(postgresql_database)
    return postgresql_database


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "carboy.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite+aiosqlite:///{path}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest_asyncio.fixture
async def engines(database_url: str) -> AsyncIterator[Engines]:
    engines = create_engines(database_settings(database_url))
    yield engines
    await engines.dispose()


@pytest.fixture
def database(engines: Engines) -> Database:
    return Database(engines, create_session_factory())


@pytest.fixture
def service(database: Database) -> CountingService:
    return CountingService(database, UserDao(database))


@pytest_asyncio.fixture
async def proxy(postgresql_url: str) -> AsyncIterator[Proxy]:
    async with proxy_to(postgresql_url) as proxy:
        yield proxy


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def contract_url(request: pytest.FixtureRequest) -> str | None:
    """The URL of a database, or None for the one in memory: a contract test holds for each."""
    return None if request.param == "memory" else request.getfixturevalue(f"{request.param}_url")


@pytest_asyncio.fixture
async def contract_database(contract_url: str | None) -> AsyncIterator[Database]:
    if contract_url is None:
        yield MemoryDatabase()
    else:
        database = Database(create_engines(database_settings(contract_url)), create_session_factory())
        yield database
        await database.close()


@pytest.fixture
def contract_users(contract_database: Database) -> UserDao:
    return UserDao(contract_database)


@pytest.fixture
def write(contract_database: Database) -> Write:
    """Run one step as a unit of work."""
    return contract_database.write


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Trips:
    """Return a function that counts how often a step asks a connection's thread."""
    asked = 0
    ask = aiosqlite.Connection._execute  # noqa: SLF001 - each call of it is one trip.

    async def counted(connection: aiosqlite.Connection, *args: Any, **options: Any) -> Any:
        nonlocal asked
        asked += 1
        return await ask(connection, *args, **options)  # type: ignore[no-untyped-call]

    async def count(step: Callable[[], Awaitable[Any]]) -> int:
        before = asked
        await step()
        return asked - before

    monkeypatch.setattr(aiosqlite.Connection, "_execute", counted)
    return count


@pytest.fixture
def container(
    request: pytest.FixtureRequest,
    shared: SharedApplication,
    loaded_settings: Settings,
    settings: Settings,
    database_url: str,
) -> Iterator[Container]:
    """The shared container, as in unit tests, with a real database."""
    real = settings.model_copy(update={"database": database_settings(database_url)})
    with shared.container_with(request.node, is_usual=settings is loaded_settings, settings=real) as container:
        yield container
