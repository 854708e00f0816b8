"""Two processes on one database: what one revokes, the other refuses with the very next request."""

from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from support.accounts import HEADERS
from support.carboy_server import HYPERCORN, PRODUCTION, serve
from support.databases import database_settings
from support.people import PASSWORD, add_person, bearer, log_in

from app.settings import Settings
from carboy.di.lifecycle import opened
from carboy.testing import override
from containers import Container

ROUNDS = 50
WAYS = ("logout", "role", "disable")
UNLIMITED = {"CARBOY_LIMITS__ENABLED": "false"}


def client_at(url: str) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=url, timeout=20, trust_env=False, headers=HEADERS)


async def make_people(settings: Settings, database_url: str) -> int:
    container = Container()
    real = settings.model_copy(update={"database": database_settings(database_url)})
    with override(container, settings=real):
        async with opened(container):
            await add_person(container, "bob", is_administrator=True)
            return await add_person(container, is_administrator=True)


async def status(client: httpx.AsyncClient, headers: dict[str, str]) -> int:
    return (await client.get("/api/users?limit=1", headers=headers)).status_code


async def revoke(client: httpx.AsyncClient, way: str, account: int, tokens: dict[str, str]) -> int:
    """Revoke what somebody has, and return what their next request is to get."""
    if way == "logout":
        await client.post("/api/auth/logout", headers=tokens)
    elif way == "role":
        await client.put(f"/api/accounts/{account}/roles", json={"roles": ["member"]})
        return 403
    else:
        await client.patch("/api/users/2", json={"active": False})
    return 401


async def restore(client: httpx.AsyncClient, account: int) -> None:
    await client.put(f"/api/accounts/{account}/roles", json={"roles": ["member", "administrator"]})
    await client.patch("/api/users/2", json={"active": True})


@pytest.mark.timeout(900)
async def test_what_one_process_revokes_is_refused_by_the_other(
    database_url: str, settings: Settings, tell: Callable[[str], None]
) -> None:
    account = await make_people(settings, database_url)
    environment = {"CARBOY_DATABASE__URL": database_url} | PRODUCTION | UNLIMITED
    refused: Counter[str] = Counter()
    with serve(HYPERCORN, environment) as one, serve(HYPERCORN, environment) as other:
        async with client_at(one.url) as here, client_at(other.url) as there:
            for way in WAYS * ROUNDS:
                tokens = bearer((await log_in(here, "ada", PASSWORD)).json())
                assert await status(there, tokens) == 200
                expected = await revoke(here, way, account, tokens)
                refused[way] += await status(there, tokens) == expected
                await restore(here, account)
    tell(f"{ROUNDS} of each: refused by the other process with the next request {dict(refused)}")
    assert refused == dict.fromkeys(WAYS, ROUNDS)
