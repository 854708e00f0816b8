"""A database that can be read but not written to: writes are 503, readiness says so, and no connection stays so."""

import asyncio
import errno
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import asyncpg
import httpx
import pytest
from sqlalchemy import event, make_url, text
from support.databases import database_settings
from support.requests import assert_unavailable
from support.users import registration

from carboy.config.settings import Settings
from carboy.db import postgresql, sqlite_connection
from carboy.errors import DatabaseUnavailableError
from carboy.testing import override
from containers import Container

POOL_SIZE = 3
READ_ONLY = "default_transaction_read_only"

Step = Callable[[], Awaitable[None]]


@pytest.fixture
def container(settings: Settings, database_url: str) -> Iterator[Container]:
    container = Container()
    small = settings.model_copy(update={"database": database_settings(database_url, pool_size=POOL_SIZE)})
    with override(container, settings=small):
        yield container


@pytest.fixture
def demote(container: Container) -> Step:
    """Make all open connections read-only, as a failover does that keeps them: new ones reach the new primary."""
    database = container.database()
    together = asyncio.Barrier(POOL_SIZE)

    async def demote_one() -> None:
        session = await database.session()
        await session.execute(text(f"SET {READ_ONLY} = on"))
        await together.wait()

    async def demote_all() -> None:
        await asyncio.gather(*(database.read(demote_one) for _ in range(POOL_SIZE)))

    return demote_all


@asynccontextmanager
async def without_primary(url: str) -> AsyncIterator[None]:
    """Make all new connections to a database of PostgreSQL read-only, as if none of its servers were the primary."""
    target = make_url(url)
    dsn = target.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"ALTER DATABASE {target.database} SET {READ_ONLY} = on")
    try:
        yield
    finally:
        await connection.execute("SET transaction_read_only = off")
        await connection.execute(f"ALTER DATABASE {target.database} RESET {READ_ONLY}")
        await connection.close()


async def assert_works(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.post("/api/users", json=registration(name))).status_code == 201
    assert (await client.get("/health/ready")).status_code == 200


async def assert_only_reads(client: httpx.AsyncClient) -> None:
    await assert_unavailable(client.post("/api/users", json=registration("meanwhile")))
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]) == (503, {"database": "unavailable", "migrations": "ok"})
    assert (await client.get("/api/users")).status_code == 200


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
class TestPostgresql:
    async def test_no_write_notices_that_its_connection_has_become_read_only(
        self, client: httpx.AsyncClient, demote: Step
    ) -> None:
        await assert_works(client, "before")
        await demote()
        answers = [client.post("/api/users", json=registration(f"user{number}")) for number in range(2 * POOL_SIZE)]
        assert [answer.status_code for answer in await asyncio.gather(*answers)] == [201] * 2 * POOL_SIZE

    async def test_readiness_replaces_connections_that_have_become_read_only(
        self, client: httpx.AsyncClient, demote: Step
    ) -> None:
        await demote()
        # Otherwise a server to which nobody sends writes any more would never be ready again.
        assert (await client.get("/health/ready")).status_code == 200

    async def test_a_server_that_stays_read_only(
        self, client: httpx.AsyncClient, demote: Step, database_url: str
    ) -> None:
        await assert_works(client, "before")
        async with without_primary(database_url):
            await demote()
            for _ in range(2):
                await assert_only_reads(client)
        await assert_works(client, "after")
        assert (await client.get("/api/users", params={"username": "meanwhile"})).json()["items"] == []

    async def test_no_server_that_may_be_written_to(
        self, settings: Settings, client: httpx.AsyncClient, container: Container, database_url: str
    ) -> None:
        primary = database_settings(f"{database_url}?target_session_attrs=read-write")
        with override(container, settings=settings.model_copy(update={"database": primary})):
            async with without_primary(database_url):
                await assert_unavailable(client.get("/api/users"))
                assert (await client.get("/health/ready")).status_code == 503
            await assert_works(client, "after")
            await container.database().close()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
class TestSqlite:
    async def test_no_write_notices_a_connection_that_was_opened_while_the_disk_was_read_only(
        self, client: httpx.AsyncClient, container: Container
    ) -> None:
        def open_for_reading(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute("PRAGMA query_only=ON")
            cursor.close()

        event.listen(container.engines().writer.sync_engine, "connect", open_for_reading, once=True)
        await assert_works(client, "ada")

    async def test_a_full_disk(
        self, client: httpx.AsyncClient, container: Container, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        await assert_works(client, "before")

        async def fill() -> None:
            [(pages,)] = await container.database().execute(text("PRAGMA page_count"), writes=True)
            await container.database().execute(text(f"PRAGMA max_page_count = {pages}"), writes=True)

        def refuse(**_options: object) -> NoReturn:
            raise OSError(errno.ENOSPC, "No space left on device")

        await container.database().write(fill)
        with monkeypatch.context() as patched:
            patched.setattr(sqlite_connection, "TemporaryFile", refuse)
            statuses = [
                (await client.post("/api/users", json=registration(f"u{n}", full_name="x" * 100))).status_code
                for n in range(200)
            ]
            assert set(statuses) == {201, 503}
            await assert_only_reads(client)
        assert (await client.get("/health/ready")).status_code == 200


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_readiness_tells_that_the_disk_of_postgresql_is_full_until_there_is_room(
    client: httpx.AsyncClient, container: Container, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = container.database()
    full, refused = (text(f"DO $$ BEGIN RAISE {what}; END $$") for what in ("disk_full", "insufficient_privilege"))
    monkeypatch.setattr(postgresql, "FILL_A_LITTLE", full)
    assert (await client.get("/health/ready")).status_code == 200, "Nobody has met a full disk."
    with pytest.raises(DatabaseUnavailableError):
        await database.write(lambda: database.execute(full, writes=True))
    assert [(await client.get("/health/ready")).status_code for _ in range(2)] == [503, 503]
    monkeypatch.undo()
    assert (await client.get("/health/ready")).status_code == 200
    with pytest.raises(DatabaseUnavailableError):
        await database.write(lambda: database.execute(full, writes=True))
    # Whoever may not look finds out by the next write.
    monkeypatch.setattr(postgresql, "FILL_A_LITTLE", refused)
    assert (await client.get("/health/ready")).status_code == 200
