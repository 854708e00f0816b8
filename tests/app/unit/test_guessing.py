"""How often passwords are guessed is bounded, and nobody locks an owner out by it (ASVS 5.0 6.1.1)."""

import asyncio
from collections import Counter

import httpx
import pytest
from support.people import NOBODY, OTHER, PASSWORD, RecordedMails, add_person, ask_for_reset, bearer

from app.settings import Settings
from containers import Container

HOME, ELSEWHERE = "198.51.100.7", "203.0.113.9"
ADDRESSES = [f"192.0.2.{number}" for number in range(1, 61)]


@pytest.fixture
def settings(loaded_settings: Settings) -> Settings:
    """Believe a proxy where requests come from, and take few guesses in all."""
    http = loaded_settings.http.model_copy(update={"trusted_hops": 1})
    limits = loaded_settings.limits.model_copy(update={"rates": ("guesses_by_all=70/5 minutes",)})
    return loaded_settings.model_copy(update={"http": http, "limits": limits})


def at(address: str) -> dict[str, str]:
    return NOBODY | {"X-Forwarded-For": address}


async def guess(client: httpx.AsyncClient, address: str, name: str = "ada", password: str = OTHER) -> httpx.Response:
    return await client.post("/api/auth/login", json={"login": name, "password": password}, headers=at(address))


async def guess_everywhere(client: httpx.AsyncClient, name: str) -> Counter[int]:
    """Guess twice from each of many addresses, those of a round at once."""
    return await guess_at(client, [(address, name) for address in ADDRESSES * 2])


async def guess_at(client: httpx.AsyncClient, guesses: list[tuple[str, str]]) -> Counter[int]:
    statuses: Counter[int] = Counter()
    for first in range(0, len(guesses), 30):
        answers = await asyncio.gather(*(guess(client, *one) for one in guesses[first : first + 30]))
        statuses.update(answer.status_code for answer in answers)
    return statuses


async def test_many_addresses_together_guess_at_one_name_as_often_as_the_limit_says(
    client: httpx.AsyncClient, container: Container, mails: RecordedMails
) -> None:
    await add_person(container)
    assert (await guess(client, HOME, password=PASSWORD)).status_code == 200
    before = container.password_hasher().count
    assert await guess_everywhere(client, "ada") == {401: 49, 429: 71}
    assert container.password_hasher().count == before + 49
    # The owner comes in from where a session is, and by a link from anywhere.
    assert (await guess(client, HOME, password=PASSWORD)).status_code == 200
    assert (await guess(client, ELSEWHERE, password=PASSWORD)).status_code == 429
    # To ask for a link is no way round: it takes the link.
    await ask_for_reset(client, container)
    assert (await guess(client, ELSEWHERE)).status_code == 429
    body = {"token": mails.token(), "password": OTHER}
    assert (await client.post("/api/auth/password-reset/confirm", json=body, headers=at(ELSEWHERE))).status_code == 204
    assert (await guess(client, ELSEWHERE)).status_code == 200


async def test_where_the_owner_has_a_session_others_guess_no_more_than_elsewhere(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    home = (await guess(client, HOME, password=PASSWORD)).json()
    answers = [(await guess(client, HOME)).status_code for _ in range(12)]
    assert answers == [401] * 9 + [429] * 3
    # What has begun goes on.
    assert (await client.get("/api/me", headers=bearer(home))).status_code == 200


async def test_a_flood_of_guesses_at_many_names_is_bounded_and_keeps_no_owner_out(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    assert (await guess(client, HOME, password=PASSWORD)).status_code == 200
    before = container.password_hasher().count
    flood = await guess_at(client, [(ADDRESSES[number % 60], f"nobody{number}") for number in range(100)])
    assert flood == {401: 69, 429: 31}
    assert container.password_hasher().count == before + 69
    assert (await guess(client, HOME, password=PASSWORD)).status_code == 200
    # Nor does it close the ways that take no password.
    answer = await client.post("/api/auth/password-reset", json={"email": "ada@example.org"}, headers=at(ELSEWHERE))
    assert answer.status_code == 200


async def test_a_locked_name_is_answered_alike_whether_anybody_has_it(
    client: httpx.AsyncClient, container: Container
) -> None:
    await add_person(container)
    found = []
    for name in ("ada", "bob"):
        for _ in range(10):
            await guess(client, ELSEWHERE, name)
        before = container.password_hasher().count
        answer = await guess(client, ELSEWHERE, name, PASSWORD)
        assert container.password_hasher().count == before
        body = {key: value for key, value in answer.json().items() if key != "request_id"}
        varying = {"x-request-id", "ratelimit", "retry-after"}
        found.append((answer.status_code, body, {k: v for k, v in answer.headers.items() if k not in varying}))
    assert found[0][0] == 429
    assert found[0] == found[1]
