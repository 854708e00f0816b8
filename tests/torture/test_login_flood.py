"""200 logins a second for a minute: other routes are answered as ever, and what is too much is told to come back."""

import asyncio
import json
import os
import sys
import time

import httpx
import pytest
from support.accounts import HEADERS
from support.carboy_server import HOST, HYPERCORN, PRODUCTION, PROJECT, CarboyServer, serve
from support.figures import Keep
from support.server import NO_TLS

RATE, SECONDS = 200, 60
MOST_MILLISECONDS = 250
BEHIND_A_PROXY = {"CARBOY_HTTP__TRUSTED_HOPS": "1"}
"""So that the logins come from as many addresses, and the limit of one address stops none of them."""


async def p99_while(server: CarboyServer, other: asyncio.Task[bytes] | None, seconds: float) -> tuple[int, float]:
    """Return how often a route without passwords was asked, and what 99 of 100 answers took at most."""
    times, end = [], time.monotonic() + seconds
    async with httpx.AsyncClient(
        base_url=server.url, trust_env=False, verify=NO_TLS, timeout=20, headers=HEADERS
    ) as client:
        while time.monotonic() < end if other is None else not other.done():
            began = time.perf_counter()
            answer = await client.get("/api/users?limit=1")
            assert answer.status_code == 200, answer.text
            times.append(time.perf_counter() - began)
            await asyncio.sleep(0.02)
    return len(times), sorted(times)[len(times) * 99 // 100] * 1000


async def run_flood(server: CarboyServer) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "support.flood", HOST, str(server.port), str(RATE), str(SECONDS)),
        cwd=PROJECT,
        env=os.environ | {"PYTHONPATH": "tests"},
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate()
    return output


@pytest.mark.timeout(600)
async def test_a_flood_of_logins_slows_nobody_else(database_url: str, keep: Keep) -> None:
    environment = {"CARBOY_DATABASE__URL": database_url} | PRODUCTION | BEHIND_A_PROXY
    with serve(HYPERCORN, environment) as server:
        _, alone = await p99_while(server, None, 10)
        flooding = asyncio.create_task(run_flood(server))
        asked, p99 = await p99_while(server, flooding, SECONDS)
        statuses = json.loads(await flooding)
    keep(
        f"{RATE} logins/s for {SECONDS} s: {statuses}; p99 of {asked} others {p99:.0f} ms, {alone:.0f} ms without",
        {"ms, p99 of others": (p99, MOST_MILLISECONDS)},
    )
    assert set(statuses) <= {"401", "429", "503"}
    assert p99 < MOST_MILLISECONDS
