"""With somebody else's API down, the rest of the service keeps its p99."""

import asyncio
import time
from collections.abc import Callable

import httpx
import pytest
from support.carboy_server import HYPERCORN, PRODUCTION, CarboyServer, serve
from support.figures import Keep
from support.server import NO_TLS
from support.upstream import Behaviour, Upstream, answer, stall

CALLING = (*HYPERCORN[:-1], "support.calling_asgi:asgi")
CALLERS = 10
PAUSE = 0.5
"""Seconds between two calls of a caller, so that there are as many a second whether they fail at once or not."""


async def p99(server: CarboyServer, requests: int = 500) -> float:
    """Return what a client of a route that calls nobody waits at most for 99 of 100 answers, in milliseconds."""
    times = []
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, verify=NO_TLS, timeout=20) as client:
        for _ in range(requests):
            begun = time.perf_counter()
            assert (await client.get("/health/ready")).status_code == 200
            times.append(time.perf_counter() - begun)
    return sorted(times)[requests * 99 // 100] * 1000


async def p99_among_callers(server: CarboyServer, statuses: list[int]) -> float:
    async with httpx.AsyncClient(base_url=server.url, trust_env=False, verify=NO_TLS, timeout=30) as client:

        async def call() -> None:
            while True:
                statuses.append((await client.get("/api/weather/Oslo")).status_code)
                await asyncio.sleep(PAUSE)

        callers = [asyncio.create_task(call()) for _ in range(CALLERS)]
        try:
            return min([await p99(server) for _ in range(2)])
        finally:
            for caller in callers:
                caller.cancel()
            await asyncio.gather(*callers, return_exceptions=True)


@pytest.mark.timeout(300)
async def test_a_service_keeps_its_p99_while_an_api_is_down(
    database_url: str, tell: Callable[[str], None], keep: Keep
) -> None:
    upstream = Upstream()
    async with upstream.serving():
        environment = {"CARBOY_DATABASE__URL": database_url, "WEATHER_URL": upstream.url, "PYTHONPATH": "tests"}
        with serve(CALLING, environment | PRODUCTION) as server:
            await p99(server, 200)
            states: dict[str, Behaviour] = {"well": answer({"degrees": 1}), "hangs": stall, "fails": answer({}, 500)}
            found = {}
            for name, behaviour in states.items():
                upstream.always, upstream.received = behaviour, []
                statuses: list[int] = []
                found[name] = await p99_among_callers(server, statuses)
                tell(
                    f"API {name}: p99 of others {found[name]:.1f} ms, {len(statuses)} calls answered "
                    f"{sorted(set(statuses))}, {len(upstream.received)} reached it"
                )
    told = ", ".join(f"{name} {figure:.1f} ms" for name, figure in found.items())
    keep(f"p99 of others: API {told}", {"ms, p99 of others": (max(found.values()), 2 * found["well"])})
    assert max(found.values()) <= 2 * found["well"]
