"""Readiness says what is wrong with the schema, and does not say that of the database."""

from pathlib import Path

import httpx
import pytest
from flask import Flask
from sqlalchemy import text
from support.databases import database_settings
from support.migrating import newest, write_revision

from carboy.config.settings import Settings
from carboy.db import Database, create_engines, create_session_factory, migrate
from carboy.server import create_asgi
from carboy.testing import override
from carboy.testing.client import client_of
from containers import Container


@pytest.fixture
def database_url(empty_url: str, tmp_path: Path) -> str:
    (tmp_path / "var").mkdir()
    return empty_url


async def upgrade(url: str, revision: str = "head") -> None:
    await migrate.run(create_engines(database_settings(url)), "app", migrate.upgrade, revision)


async def execute(url: str, statement: str) -> None:
    database = Database(create_engines(database_settings(url)), create_session_factory())
    await database.write(lambda: database.execute(text(statement), writes=True))
    await database.close()


async def readiness(container: Container, app: Flask) -> tuple[int, dict[str, str]]:
    """Return the answer of a process that starts now."""
    container.migrations.reset()
    container.health_service.reset()
    async with client_of(create_asgi(container, app)) as client:
        answer: httpx.Response = await client.get("/health/ready")
    return answer.status_code, answer.json()["checks"]


async def test_a_schema_that_is_older_than_the_code_is_not_ready_and_the_database_is_not_blamed(
    container: Container, app: Flask, database_url: str
) -> None:
    await upgrade(database_url, "5d0c7be1a942")
    assert await readiness(container, app) == (503, {"database": "ok", "migrations": "behind"})
    await upgrade(database_url)
    assert await readiness(container, app) == (200, {"database": "ok", "migrations": "ok"})


async def test_a_process_becomes_ready_when_its_database_is_migrated(
    container: Container, client: httpx.AsyncClient, database_url: str
) -> None:
    await upgrade(database_url, "f2a675760b18")
    assert (await client.get("/health/ready")).json()["checks"]["migrations"] == "behind"
    await upgrade(database_url)
    assert (await client.get("/health/ready")).status_code == 200


async def test_tables_of_the_kit_that_are_behind_count_too(container: Container, app: Flask, database_url: str) -> None:
    await upgrade(database_url)
    await migrate.run(create_engines(database_settings(database_url)), "app", migrate.downgrade_kit, "base")
    assert await readiness(container, app) == (503, {"database": "ok", "migrations": "behind"})


async def test_a_database_that_was_never_migrated_is_behind(
    container: Container, app: Flask, database_url: str
) -> None:
    await migrate.run(create_engines(database_settings(database_url)), "app", lambda _: None)
    assert await readiness(container, app) == (503, {"database": "ok", "migrations": "behind"})


async def test_a_search_index_for_which_there_is_no_migration_is_missed(
    container: Container, app: Flask, database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await upgrade(database_url)
    is_sqlite = database_url.startswith("sqlite")
    await execute(database_url, "DROP TABLE users_search" if is_sqlite else "DROP INDEX ix_users_search")
    assert await readiness(container, app) == (503, {"database": "ok", "migrations": "no search index"})
    assert "the search index of users is missing" in caplog.text


async def test_two_heads_are_told_as_such(
    container: Container, app: Flask, database_url: str, migrations: Path, caplog: pytest.LogCaptureFixture
) -> None:
    parent = newest()
    write_revision(migrations, "aaaa", parent)
    write_revision(migrations, "bbbb", parent)
    await upgrade(database_url, "heads")
    assert await readiness(container, app) == (503, {"database": "ok", "migrations": "two heads"})
    assert "flask db merge" in caplog.text
    migrate.run_offline("app", migrate.merge, "join")
    await upgrade(database_url)
    assert await readiness(container, app) == (200, {"database": "ok", "migrations": "ok"})


async def test_a_version_before_stays_ready_while_a_later_one_migrates(
    container: Container, app: Flask, database_url: str, migrations: Path
) -> None:
    parent = newest()
    one, other = (write_revision(migrations, name, parent) for name in ("aaaa", "bbbb"))
    await upgrade(database_url, "heads")
    one.unlink()
    other.unlink()
    assert await readiness(container, app) == (200, {"database": "ok", "migrations": "ok"})


async def test_a_configuration_may_leave_the_schema_out(
    container: Container, app: Flask, database_url: str, settings: Settings
) -> None:
    await upgrade(database_url, "f2a675760b18")
    lenient = database_settings(database_url, require_migrated=False)
    with override(container, settings=settings.model_copy(update={"database": lenient})):
        assert await readiness(container, app) == (200, {"database": "ok"})


async def test_a_broken_table_of_versions_is_not_taken_for_a_missing_one(
    container: Container, app: Flask, database_url: str
) -> None:
    await upgrade(database_url)
    await execute(database_url, "ALTER TABLE alembic_version RENAME COLUMN version_num TO number")
    assert await readiness(container, app) == (503, {"database": "ok", "migrations": "unavailable"})
