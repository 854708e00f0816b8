"""The application while an API that one of its routes calls is down: the rest goes on as before."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import pytest_asyncio
from flask import Flask
from support.calling import CallingContainer, create_calling_app
from support.clients import SETTINGS, WeatherClient, seen
from support.upstream import Upstream, answer, stall

from carboy.config.settings import Settings
from carboy.di.wiring import unwire
from carboy.server import create_asgi
from carboy.testing import MemoryDatabase, client_of, override

CALLS = 30


@pytest_asyncio.fixture
async def upstream() -> AsyncIterator[Upstream]:
    upstream = Upstream()
    upstream.always = answer({"degrees": 21.5})
    async with upstream.serving():
        yield upstream


@pytest.fixture
def container(settings: Settings, upstream: Upstream, monkeypatch: pytest.MonkeyPatch) -> Iterator[CallingContainer]:
    monkeypatch.setenv("WEATHER_URL", upstream.url)
    changed = settings.model_copy(update={"clients": SETTINGS.model_copy(update={"read_timeout": 5.0})})
    container = CallingContainer()
    with override(container, settings=changed, database=MemoryDatabase()):
        yield container


@pytest_asyncio.fixture
async def client(container: CallingContainer) -> AsyncIterator[httpx.AsyncClient]:
    app: Flask = create_calling_app(container)
    async with client_of(create_asgi(container, app)) as client:
        yield client
    unwire(container)


async def test_a_view_answers_with_what_the_api_says(client: httpx.AsyncClient, upstream: Upstream) -> None:
    assert (await client.get("/api/weather/Oslo")).json() == {"degrees": 21.5}
    upstream.always = answer({}, 404)
    assert (await client.get("/api/weather/Atlantis")).json()["code"] == "city_not_found"
    upstream.always = answer({}, 503, Retry_After="77")
    problem = await client.get("/api/weather/Oslo")
    assert (problem.status_code, problem.json()["code"]) == (503, "upstream_unavailable")
    assert problem.headers["Retry-After"] == "77"
    assert problem.headers["Content-Type"] == "application/problem+json"


async def test_the_rest_of_the_application_goes_on_while_an_api_hangs(
    client: httpx.AsyncClient, container: CallingContainer, upstream: Upstream
) -> None:
    upstream.always = stall
    calls = [asyncio.create_task(client.get("/api/weather/Oslo")) for _ in range(CALLS)]
    await seen(upstream, SETTINGS.max_calls)
    others = [(await client.get("/health/ready")).status_code for _ in range(20)]
    assert others == [200] * 20
    assert not any(call.done() for call in calls)
    assert len(upstream.received) == SETTINGS.max_calls
    # From now on it fails at once, as a server does that is restarted.
    for writer in upstream.writers:
        writer.close()
    upstream.always = answer({}, 500)
    statuses = [response.status_code for response in await asyncio.gather(*calls)]
    assert set(statuses) <= {502, 503}
    assert len(upstream.received) <= SETTINGS.breaker_failures + SETTINGS.max_calls
    weather: WeatherClient = container.weather_client()
    assert weather.breaker.state == "open"
    asked = len(upstream.received)
    assert (await client.get("/api/weather/Oslo")).status_code == 503
    assert len(upstream.received) == asked
    assert (await client.get("/health/ready")).status_code == 200
