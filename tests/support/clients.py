"""A client of an API, and what the tests of clients need."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import BaseModel
from support.asgi import eventually
from support.upstream import Upstream

from carboy.clients import ApiClient, HttpClient
from carboy.config.settings import ClientSettings
from carboy.errors import NotFoundError

SETTINGS = ClientSettings(
    connect_timeout=1,
    read_timeout=0.2,
    total_timeout=10,
    attempts=3,
    retry_after_max=2,
    max_calls=4,
    breaker_failures=5,
    breaker_open_seconds=60,
    max_answer_bytes=100_000,
    user_agent="carboy-tests",
)


class CityNotFoundError(NotFoundError):
    code, message = "city_not_found", "There is no such city."


class Weather(BaseModel):
    degrees: float


class WeatherClient(ApiClient):
    name = "weather"

    async def weather(self, city: str, **params: str) -> Weather:
        return await self.get("cities", city, answer=Weather, params=params, errors={404: CityNotFoundError})

    async def report(self, degrees: float, key: str | None = None) -> Weather:
        return await self.post("reports", answer=Weather, json={"degrees": degrees}, idempotency_key=key)


class FollowingClient(WeatherClient):
    max_redirects = 2


@asynccontextmanager
async def http_client(**changes: Any) -> AsyncIterator[HttpClient]:
    http = HttpClient(SETTINGS.model_copy(update=changes))
    http.open()
    try:
        yield http
    finally:
        await http.close()


async def seen(upstream: Upstream, number: int) -> None:
    """Wait until so many requests have arrived."""
    await eventually(lambda: len(upstream.received) >= number)


def state_of(client: ApiClient) -> str:
    """Return the state of a client's circuit, as a type that a second look may find different."""
    return client.breaker.state
