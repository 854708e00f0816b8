"""What is revoked is refused from the very next request on, in another worker too (ASVS 5.0 7.4)."""

from collections.abc import AsyncIterator

import httpx
import pytest_asyncio
from support.people import NOBODY, OTHER, PASSWORD, add_person, bearer, headers_of, tokens_of
from support.stolen import reset_link

from app.security import Actor, Permission
from carboy.config.settings import Settings
from carboy.security.actor import Credentials
from carboy.security.errors import InvalidTokenError
from carboy.testing import override
from containers import Container


class Worker:
    """Another process of the application, as far as it decides who comes in."""

    def __init__(self, container: Container) -> None:
        self._container = container

    async def actor(self, token: str) -> Actor | None:
        """Return whom it takes the owner of a token for; None if it refuses the token."""
        try:
            found: Actor = await self._container.authenticator().authenticate(Credentials(bearer=token))
        except InvalidTokenError:
            return None
        return found

    async def knows(self, *tokens: str) -> list[bool]:
        return [await self.actor(token) is not None for token in tokens]


@pytest_asyncio.fixture
async def other(container: Container) -> AsyncIterator[Worker]:
    settings: Settings = container.settings()
    another = Container()
    with override(another, settings=settings):
        yield Worker(another)
        await another.database().close()


async def test_ending_a_session_ends_it_in_all_workers(
    client: httpx.AsyncClient, container: Container, other: Worker
) -> None:
    await add_person(container)
    here, there = await tokens_of(client), await tokens_of(client)
    tokens = [here["access_token"], there["access_token"]]
    key = (await client.post("/api/me/api-keys", json={"name": "ci"}, headers=bearer(here))).json()
    assert await other.knows(*tokens, key["key"]) == [True, True, True]
    await client.post("/api/auth/logout", headers=bearer(there))
    assert await other.knows(*tokens) == [True, False]
    await client.delete(f"/api/me/api-keys/{key['id']}", headers=bearer(here))
    assert await other.knows(key["key"]) == [False]
    again = (await tokens_of(client))["access_token"]
    assert await other.knows(again) == [True]
    change = {"current_password": PASSWORD, "new_password": OTHER}
    assert (await client.post("/api/me/password", json=change, headers=bearer(here))).status_code == 204
    assert await other.knows(here["access_token"], again) == [True, False]
    body = {"token": await reset_link(client, container, "ada"), "password": PASSWORD}
    await client.post("/api/auth/password-reset/confirm", json=body, headers=NOBODY)
    assert await other.knows(here["access_token"]) == [False]


async def test_what_administrators_take_is_taken_in_all_workers(
    client: httpx.AsyncClient, container: Container, other: Worker
) -> None:
    account = await add_person(container, is_administrator=True)
    await add_person(container, "bob", is_administrator=True)
    token = (await headers_of(client))["Authorization"].removeprefix("Bearer ")
    before = await other.actor(token)
    assert before is not None
    assert before.may(Permission.USERS_WRITE)
    assert (await client.put(f"/api/accounts/{account}/roles", json={"roles": []})).status_code == 200
    after = await other.actor(token)
    assert after is not None
    assert not after.may(Permission.USERS_WRITE)
    assert (await client.patch("/api/users/1", json={"active": False})).status_code == 200
    assert await other.knows(token) == [False]
    await client.patch("/api/users/1", json={"active": True})
    assert await other.knows(token) == [False], "The session is over, not asleep."
