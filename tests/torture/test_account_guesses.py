"""10,000 guesses from 2,000 addresses: no more of them are looked at than the limits say, and no owner is kept out."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator

import httpx
import pytest
from support.databases import database_settings
from support.people import NOBODY, OTHER, PASSWORD, add_person

from app.settings import Settings
from carboy.testing import override
from containers import Container

GUESSES, ADDRESSES, NAMES, AT_ONCE = 10_000, 2000, 500, 20
HOME = "198.51.100.7"
A_NAME, IN_ALL, WINDOW = 50, 1000, 300
"""The limits login_from_unknown, in an hour, and guesses_by_all, in the seconds of its window."""


@pytest.fixture
def container(loaded_settings: Settings, database_url: str) -> Iterator[Container]:
    container = Container()
    http = loaded_settings.http.model_copy(update={"trusted_hops": 1})
    changes = {"database": database_settings(database_url), "http": http}
    with override(container, settings=loaded_settings.model_copy(update=changes)):
        yield container


async def guess(client: httpx.AsyncClient, address: str, name: str, password: str = OTHER) -> int:
    body = {"login": name, "password": password}
    answer = await client.post("/api/auth/login", json=body, headers=NOBODY | {"X-Forwarded-For": address})
    return answer.status_code


async def flood(client: httpx.AsyncClient, names: list[str]) -> Counter[int]:
    """Send half of the guesses, at one name after the other, each from another address than the one before."""
    statuses: Counter[int] = Counter()

    async def send(guesses: range) -> None:
        for number in guesses:
            place = number % ADDRESSES
            statuses[await guess(client, f"10.0.{place // 250}.{place % 250}", names[number % len(names)])] += 1

    await asyncio.gather(*(send(range(first, GUESSES // 2, AT_ONCE)) for first in range(AT_ONCE)))
    return statuses


@pytest.mark.timeout(3600)
async def test_no_more_guesses_are_looked_at_than_the_limits_say(
    client: httpx.AsyncClient, container: Container, tell: Callable[[str], None]
) -> None:
    await add_person(container)
    assert await guess(client, HOME, "ada", PASSWORD) == 200
    hasher, began = container.password_hasher(), time.perf_counter()
    for names, most in ((["ada"], A_NAME), ([f"name{number}" for number in range(NAMES)], IN_ALL)):
        before = hasher.count
        statuses = await flood(client, names)
        evaluated, windows = hasher.count - before, 1 + int((time.perf_counter() - began) // WINDOW)
        told = f"{evaluated} looked at, {dict(statuses)}, {time.perf_counter() - began:.0f} s"
        tell(f"{statuses.total()} guesses at {len(names)} names: {told}")
        assert statuses[401] == evaluated <= most * windows
        assert set(statuses) == {401, 429}
        assert await guess(client, HOME, "ada", PASSWORD) == 200, "The owner comes in from where a session is."
