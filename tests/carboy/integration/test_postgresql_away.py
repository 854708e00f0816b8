"""PostgreSQL behind a network that fails: every way of it is 503 in time, and mends by itself."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from support.databases import HURRIED, database_settings
from support.proxy import Proxy
from support.requests import assert_unavailable
from support.users import registration

from carboy.config.settings import Settings
from carboy.testing import override
from containers import Container

pytestmark = pytest.mark.alone


@pytest.fixture
def container(settings: Settings, proxy: Proxy) -> Iterator[Container]:
    container = Container()
    hurried = database_settings(proxy.url, acquire_timeout=HURRIED, statement_timeout=0.5)
    real = settings.model_copy(update={"database": hurried})
    with override(container, settings=real):
        yield container


async def assert_works(client: httpx.AsyncClient, name: str) -> None:
    assert (await client.post("/api/users", json=registration(name))).status_code == 201
    assert (await client.get("/api/users", params={"username": name})).json()["items"][0]["username"] == name
    assert (await client.get("/health/ready")).status_code == 200


async def test_a_server_that_refuses_connections(client: httpx.AsyncClient, proxy: Proxy) -> None:
    await assert_works(client, "before")
    proxy.refuse()
    proxy.cut()
    for request in (client.get("/api/users"), client.post("/api/users", json=registration("meanwhile"))):
        await assert_unavailable(request)
    ready = await client.get("/health/ready")
    assert (ready.status_code, ready.json()["checks"]) == (
        503,
        {"database": "unavailable", "migrations": "unavailable"},
    )
    assert (await client.get("/health/live")).status_code == 200
    await proxy.listen()
    await assert_works(client, "after")
    assert (await client.get("/api/users", params={"username": "meanwhile"})).json()["items"] == []


async def test_a_server_that_accepts_connections_and_stays_silent(client: httpx.AsyncClient, proxy: Proxy) -> None:
    await assert_works(client, "before")
    proxy.is_silent = True
    proxy.cut()
    for request in (client.get("/api/users"), client.post("/api/users", json=registration("meanwhile"))):
        await assert_unavailable(request)
    assert (await client.get("/health/ready")).status_code == 503
    proxy.is_silent = False
    proxy.cut()
    await assert_works(client, "after")


async def test_a_request_queued_at_a_silent_server_is_answered_in_time(client: httpx.AsyncClient, proxy: Proxy) -> None:
    proxy.is_silent = True
    await asyncio.gather(*(assert_unavailable(client.get("/api/users"), within=1.4) for _ in range(20)))
    proxy.is_silent = False
    proxy.cut()
    await assert_works(client, "after")


async def test_a_server_that_falls_silent_on_open_connections(client: httpx.AsyncClient, proxy: Proxy) -> None:
    await assert_works(client, "before")
    proxy.is_silent = True
    # Here the time limit of statements counts, half a second in this test, and nothing comes on top of it.
    for request in (client.get("/api/users"), client.post("/api/users", json=registration("meanwhile"))):
        await assert_unavailable(request, "database_busy", within=0.9)
    proxy.is_silent = False
    await assert_works(client, "after")


async def test_a_server_that_ends_the_connection_while_it_is_opened(client: httpx.AsyncClient, proxy: Proxy) -> None:
    proxy.cut_at = b"carboy_test_"
    await assert_unavailable(client.get("/api/users"))
    proxy.cut_at = None
    await assert_works(client, "after")


async def test_no_request_notices_a_server_that_restarts(client: httpx.AsyncClient, proxy: Proxy) -> None:
    await asyncio.gather(*(assert_works(client, f"before{number}") for number in range(5)))
    proxy.cut()
    assert (await client.get("/api/users/1")).status_code == 200
    proxy.cut()
    assert (await client.post("/api/users", json=registration("after"))).status_code == 201
    proxy.cut()
    answers = await asyncio.gather(*(client.patch("/api/users/1", json={"full_name": "x"}) for _ in range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert (await client.get("/api/users/1")).json()["version"] == 11


async def test_a_database_that_does_not_exist(
    settings: Settings, client: httpx.AsyncClient, container: Container, postgresql_url: str
) -> None:
    wrong = settings.model_copy(update={"database": database_settings(postgresql_url + "_not")})
    with override(container, settings=wrong):
        await assert_unavailable(client.get("/api/users"))
        assert (await client.get("/health/ready")).status_code == 503
