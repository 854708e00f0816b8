"""1,000 requests, each sent ten times at once to a server of two processes: exactly 1,000 rows."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from support.accounts import HEADERS
from support.carboy_server import HYPERCORN_WORKERS, PRODUCTION, serve
from support.figures import Keep
from support.idempotent import CLIENTS, assert_created_once

KEYS = 1000
KEYS_AT_ONCE = 25


async def count_users(client: httpx.AsyncClient) -> int:
    users: set[int] = set()
    address = "/api/users?limit=200"
    while address:
        answer = await client.get(address)
        users.update(user["id"] for user in answer.json()["items"])
        address = answer.links.get("next", {}).get("url", "")
    return len(users)


@pytest.mark.timeout(900)
async def test_a_thousand_requests_sent_ten_times_each_make_a_thousand_users(
    database_url: str, tell: Callable[[str], None], keep: Keep
) -> None:
    told: Counter[str] = Counter()
    began = time.perf_counter()
    limits = httpx.Limits(max_connections=KEYS_AT_ONCE * CLIENTS)
    with serve(HYPERCORN_WORKERS, {"CARBOY_DATABASE__URL": database_url} | PRODUCTION) as server:
        async with httpx.AsyncClient(
            base_url=server.url, limits=limits, timeout=60, trust_env=False, headers=HEADERS
        ) as client:
            for start in range(0, KEYS, KEYS_AT_ONCE):
                keys = range(start, start + KEYS_AT_ONCE)
                await asyncio.gather(*(assert_created_once(client, f"key{key}", told) for key in keys))
                users = await count_users(client)
                tell(f"{keys.stop} keys x {CLIENTS} requests: {users} users; told to come back: {dict(told)}")
                assert users == keys.stop
    keep(
        f"{KEYS:,} requests, {CLIENTS} times each: {users:,} users, in {time.perf_counter() - began:.0f} s",
        {"users too many": (users - KEYS, 0)},
    )
