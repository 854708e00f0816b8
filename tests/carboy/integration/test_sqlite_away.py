"""A SQLite file that cannot be had is 503, and all is well again when it can."""

# ruff: noqa: ASYNC240
# Nothing else runs on the loop while a file is moved.

import asyncio
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from sqlalchemy import make_url, text
from support.databases import HURRIED, database_settings
from support.requests import assert_unavailable
from support.users import registration

from carboy.config.settings import Settings
from carboy.db import create_engines
from carboy.testing import override
from containers import Container


@pytest.fixture
def container(settings: Settings, sqlite_url: str) -> Iterator[Container]:
    container = Container()
    hurried = database_settings(sqlite_url, acquire_timeout=HURRIED, statement_timeout=0.3)
    real = settings.model_copy(update={"database": hurried})
    with override(container, settings=real):
        yield container


@pytest.fixture
def path(sqlite_url: str) -> Path:
    return Path(make_url(sqlite_url).database or "")


async def assert_away(client: httpx.AsyncClient) -> None:
    await assert_unavailable(client.get("/api/users"))
    await assert_unavailable(client.post("/api/users", json=registration("meanwhile")))
    assert (await client.get("/health/ready")).status_code == 503


async def assert_works(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.post("/api/users", json=registration(name))).status_code == 201
    assert (await client.get("/api/users", params={"username": name})).json()["items"][0]["username"] == name
    assert (await client.get("/health/ready")).status_code == 200


@pytest.mark.parametrize("is_open", [False, True], ids=["before the first request", "while it is open"])
async def test_a_file_that_is_removed_is_not_made_anew(client: httpx.AsyncClient, path: Path, *, is_open: bool) -> None:
    if is_open:
        await assert_works(client, "before")
    elsewhere = path.with_name("elsewhere.db")
    path.rename(elsewhere)
    await assert_away(client)
    assert not path.exists()
    elsewhere.rename(path)
    await assert_works(client, "after")


async def test_a_folder_that_is_missing(client: httpx.AsyncClient, path: Path) -> None:
    elsewhere = path.parent.with_name(f"{path.parent.name}-elsewhere")
    path.parent.rename(elsewhere)
    await assert_away(client)
    elsewhere.rename(path.parent)
    await assert_works(client, "after")


async def test_a_folder_in_the_place_of_the_file(client: httpx.AsyncClient, path: Path) -> None:
    elsewhere = path.with_name("elsewhere.db")
    path.rename(elsewhere)
    path.mkdir()
    await assert_away(client)
    path.rmdir()
    elsewhere.rename(path)
    await assert_works(client, "after")


async def test_a_file_that_is_replaced_is_read_from_the_next_request_on(
    client: httpx.AsyncClient, path: Path, sqlite_template: Path
) -> None:
    await assert_works(client, "before")
    restored = path.with_name("restored.db")
    shutil.copy(sqlite_template, restored)
    # Whoever replaces a database removes the journal that belongs to the old one.
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    restored.rename(path)
    assert (await client.get("/api/users")).json()["items"] == []
    await assert_works(client, "after")


async def test_a_write_lock_that_another_process_keeps(client: httpx.AsyncClient, path: Path) -> None:
    await assert_works(client, "before")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for name in ("ada", "bob"):
            request = client.post("/api/users", json=registration(name))
            await assert_unavailable(request, "database_busy")
        assert (await client.get("/api/users")).status_code == 200
        assert (await client.get("/health/ready")).status_code == 200
        other.execute("COMMIT")
        await assert_works(client, "ada")


async def test_a_file_that_is_no_database_is_not_ready(client: httpx.AsyncClient, path: Path) -> None:
    path.write_bytes(b"This is not a database. " * 100)
    assert (await client.get("/health/ready")).status_code == 503


async def test_the_first_connection_of_all_waits_while_another_process_writes(tmp_path: Path) -> None:
    path = tmp_path / "new.db"
    engines = create_engines(database_settings(f"sqlite+aiosqlite:///{path}", statement_timeout=30.0))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")

        async def connect() -> str:
            async with engines.reader.connect() as connection:
                return str((await connection.execute(text("PRAGMA journal_mode"))).scalar_one())

        connecting = asyncio.create_task(connect())
        done, _ = await asyncio.wait([connecting], timeout=0.3)
        assert not done, done
        other.execute("ROLLBACK")
        assert await connecting == "wal"
    await engines.dispose()
