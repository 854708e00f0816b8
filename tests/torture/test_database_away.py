"""The database is away for half a minute under load: requests are answered in time, and all is well again at once."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from support.carboy_server import HOST, HYPERCORN, PRODUCTION, serve
from support.figures import Keep
from support.plain_client import PlainClient
from support.proxy import proxy_to
from support.users import registration

BEFORE_SECONDS, AWAY_SECONDS, AFTER_SECONDS = 5.0, 30.0, 10.0
CLIENTS = 8
MOST_SECONDS = 2.0
"""What an answer may take meanwhile: `database.acquire_timeout` and what a busy machine adds."""

Switch = Callable[[], object]


class Load:
    """Clients that read and write, and when each answer came, with its status and the seconds that it took."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.answers: list[tuple[float, int, float]] = []

    async def run(self, name: str) -> None:
        async with PlainClient(HOST, self._port) as client:
            for number in itertools.count():
                began = time.monotonic()
                if number % 2:
                    status = await client.request("GET", "/api/users?limit=1")
                else:
                    body = json.dumps(registration(f"{name}-{number}")).encode()
                    status = await client.request("POST", "/api/users", body)
                now = time.monotonic()
                self.answers.append((now, status, now - began))
                await asyncio.sleep(0.02)


@asynccontextmanager
async def reachable(url: str) -> AsyncIterator[tuple[str, Switch, Switch]]:
    """Yield a URL of a database, what takes it away, and what brings it back."""
    if url.startswith("sqlite"):
        path = Path(url.partition(":///")[2])
        elsewhere = path.with_name("elsewhere.db")
        yield url, lambda: path.rename(elsewhere), lambda: elsewhere.rename(path)
        return
    async with proxy_to(url) as proxy:

        def take_away() -> None:
            proxy.refuse()
            proxy.cut()

        yield proxy.url, take_away, lambda: asyncio.ensure_future(proxy.listen())


@pytest.mark.timeout(300)
async def test_a_database_that_is_away_for_half_a_minute(database_url: str, keep: Keep) -> None:
    async with reachable(database_url) as (url, take_away, bring_back):
        with serve(HYPERCORN, {"CARBOY_DATABASE__URL": url} | PRODUCTION) as server:
            load = Load(server.port)
            running = [asyncio.create_task(load.run(f"c{client}")) for client in range(CLIENTS)]
            await asyncio.sleep(BEFORE_SECONDS)
            take_away()
            away = time.monotonic()
            await asyncio.sleep(AWAY_SECONDS)
            bring_back()
            back = time.monotonic()
            await asyncio.sleep(AFTER_SECONDS)
            failed = [task.exception() for task in running if task.done()]
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            # Beside the event loop, which passes on what the server says to the database.
            await asyncio.to_thread(server.stop)
    # An answer that came right after the switch belongs to what was before it.
    meanwhile = [one for one in load.answers if away + MOST_SECONDS < one[0] < back]
    after = [one for one in load.answers if one[0] > back]
    statuses = Counter(status for _, status, _ in meanwhile)
    first_good = next(moment for moment, status, _ in after if status in {200, 201}) - back
    last_bad = max((moment - back for moment, status, _ in after if status >= httpx.codes.BAD_REQUEST), default=0.0)
    slowest = max(seconds for *_, seconds in meanwhile)
    keep(
        f"away for {AWAY_SECONDS:.0f} s: {dict(statuses)}, the slowest answer after {slowest:.2f} s; back: "
        f"first success after {first_good:.2f} s, last failure after {last_bad:.2f} s",
        {
            "answers other than 503": (statuses.total() - statuses[503], 0),
            "s, the slowest answer": (slowest, MOST_SECONDS),
            "s until the last failure": (last_bad, MOST_SECONDS),
        },
    )
    assert failed == []
    assert set(statuses) == {503}
    assert slowest < MOST_SECONDS
    assert last_bad < MOST_SECONDS
