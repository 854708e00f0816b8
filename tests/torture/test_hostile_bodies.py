"""Clients that send a megabyte of anything, again and again, delay nobody else."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Callable

import httpx
import pytest
from support.accounts import HEADERS
from support.carboy_server import HYPERCORN, PRODUCTION, serve
from support.figures import Keep
from support.hostile import HOSTILE

CLIENTS = 4
PAUSE = 2.0
"""Seconds between two requests of a client: two a second in all."""
SECONDS = 5.0
"""How long each kind of body is sent."""
MOST_MILLISECONDS = 100.0
"""What the health of the server may take at the 99th percentile, on a machine that has nothing else to do."""


async def post(client: httpx.AsyncClient, body: bytes, number: int, end: float) -> None:
    await asyncio.sleep(number * PAUSE / CLIENTS)
    while time.monotonic() < end:
        began = time.monotonic()
        answer = await client.post("/api/users", content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 422
        await asyncio.sleep(began + PAUSE - time.monotonic())


async def ask(client: httpx.AsyncClient, end: float) -> list[float]:
    taken = []
    for number in itertools.count():
        if time.monotonic() > end:
            break
        began = time.perf_counter()
        assert (await client.get("/health/live")).status_code == 200
        taken.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(0.01 if number else 0)
    return taken


@pytest.mark.timeout(600)
async def test_the_health_of_a_server_is_answered_while_a_megabyte_of_anything_is_refused(
    database_url: str, tell: Callable[[str], None], keep: Keep
) -> None:
    with serve(HYPERCORN, {"CARBOY_DATABASE__URL": database_url} | PRODUCTION) as server:
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False, headers=HEADERS) as hostile,
            httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False, headers=HEADERS) as healthy,
        ):
            p99s = {}
            for name, body in {"nothing": None, **HOSTILE}.items():
                end = time.monotonic() + SECONDS
                asking = asyncio.create_task(ask(healthy, end))
                clients = range(CLIENTS if body is not None else 0)
                await asyncio.gather(*(post(hostile, body or b"", number, end) for number in clients))
                taken = statistics.quantiles(await asking, n=100)
                tell(f"{name}: health p50 {taken[49]:.1f} ms, p99 {taken[98]:.1f} ms")
                p99s[name] = taken[98]
    worst = max(p99s, key=lambda name: p99s[name])
    keep(
        f"p99 of health {p99s['nothing']:.0f} ms without, at most {p99s[worst]:.0f} ms ({worst})",
        {"ms, p99 of others": (p99s[worst], MOST_MILLISECONDS)},
    )
    assert max(p99s.values()) <= MOST_MILLISECONDS, p99s
