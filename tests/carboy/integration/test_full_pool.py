"""When no connection is free, the answer is 503 within about a second, and all is well again at once after."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from support.databases import HURRIED, database_settings
from support.requests import assert_unavailable, timed
from support.users import registration

from carboy.config.settings import Settings
from carboy.db import Database
from carboy.testing import override
from containers import Container

pytestmark = pytest.mark.alone

POOL_SIZE = 5


@pytest.fixture
def container(settings: Settings, database_url: str) -> Iterator[Container]:
    container = Container()
    hurried = database_settings(database_url, pool_size=POOL_SIZE, acquire_timeout=HURRIED)
    with override(container, settings=settings.model_copy(update={"database": hurried})):
        yield container


async def hold(
    unit: Callable[[Callable[[], Awaitable[None]]], Coroutine[Any, Any, None]], database: Database, times: int
) -> Callable[[], Awaitable[None]]:
    """Take connections and keep them; return what ends this."""
    release = asyncio.Event()
    holding = asyncio.Barrier(times + 1)

    async def keep() -> None:
        await (await database.session()).execute(text("SELECT 1"))
        await holding.wait()
        await release.wait()

    tasks = [asyncio.create_task(unit(keep)) for _ in range(times)]
    await holding.wait()

    async def end() -> None:
        release.set()
        await asyncio.gather(*tasks)

    return end


async def test_a_full_pool_answers_503_and_recovers_at_once(client: httpx.AsyncClient, container: Container) -> None:
    database = container.database()
    end = await hold(database.read, database, POOL_SIZE)
    await assert_unavailable(client.get("/api/users"))
    assert (await client.get("/health/ready")).status_code == 503
    await end()
    answer, seconds = await timed(client.get("/api/users"))
    assert (answer.status_code, seconds < 1) == (200, True)
    assert (await client.get("/health/ready")).status_code == 200


async def test_many_requests_at_a_full_pool_are_all_answered_in_time(
    client: httpx.AsyncClient, container: Container
) -> None:
    database = container.database()
    end = await hold(database.read, database, POOL_SIZE)
    await asyncio.gather(*(assert_unavailable(client.get("/api/users/1"), within=3) for _ in range(100)))
    await end()
    assert (await client.get("/api/users/1")).status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_the_one_writer_of_sqlite_answers_503_and_readers_go_on(
    client: httpx.AsyncClient, container: Container
) -> None:
    database = container.database()
    end = await hold(database.write, database, 1)
    await assert_unavailable(client.post("/api/users", json=registration("ada")))
    assert (await client.get("/api/users")).json()["items"] == []
    assert (await client.get("/health/ready")).status_code == 200
    await end()
    answer, seconds = await timed(client.post("/api/users", json=registration("ada")))
    assert (answer.status_code, seconds < 1) == (201, True)
