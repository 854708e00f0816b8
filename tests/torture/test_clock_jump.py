"""The clock is set by hours, forward and back, while two servers work: no request fails, no job is lost or runs twice.

It needs libfaketime. Their clock is set, never the machine's.
"""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from support.accounts import HEADERS
from support.carboy_server import HYPERCORN, PRODUCTION, CarboyServer, serve
from support.databases import database_settings
from support.false_clock import SEEN_SECONDS, FalseClock, library
from support.figures import Keep
from support.people import NOBODY, OTHER, add_person, bearer, log_in
from support.plain_client import PlainClient
from support.users import registration

from app.settings import Settings
from carboy.di.lifecycle import opened
from carboy.testing import override
from containers import Container

SERVED = (*HYPERCORN[:-1], "support.clocked_asgi:asgi")
LEASE_SECONDS, LONG_SECONDS = 20, 30
"""The lease of a job, and how long each 25th one runs."""
SETTINGS = PRODUCTION | {
    "CARBOY_JOBS__EMBEDDED": "true",
    "CARBOY_JOBS__LEASE_SECONDS": str(LEASE_SECONDS),
    "CARBOY_DATABASE__ACQUIRE_TIMEOUT": "20",
    "CARBOY_LIMITS__RATES": "login=3/5 minutes",
    "LONG_SECONDS": str(LONG_SECONDS),
    "PYTHONPATH": "tests",
}
HOURS = 3 * 3600
STEPS = (0, HOURS, 0, -HOURS, 0)
"""By how much the clock differs from the machine's, one after the other."""
DWELL_SECONDS = 20.0
CLIENTS = 2
MOST_SECONDS = 30.0
"""Far less than the clock is set by, and more than a machine takes that is busy with other work."""
LOGINS = 4
"""More wrong ones than the limit has."""


class Load:
    """What clients ask for all the time, and what they are answered."""

    def __init__(self, server: CarboyServer) -> None:
        self._url = server.url
        self.answers: Counter[int] = Counter()
        self.slowest = 0.0
        self.enqueued = 0

    async def ask(self, name: str) -> None:
        """Read and write."""
        async with PlainClient.of(self._url) as client:
            for number in itertools.count():
                body = json.dumps(registration(f"{name}-{number}")).encode() if number % 4 == 0 else b""
                path = "/api/users" if body else "/api/users?limit=1"
                await self._send(client, "POST" if body else "GET", path, body)
                await asyncio.sleep(0.2)

    async def enqueue(self) -> None:
        """Enqueue two jobs a second."""
        async with PlainClient.of(self._url) as client:
            while True:
                self.enqueued += 1
                await self._send(client, "POST", f"/rolling/jobs/{self.enqueued}")
                await asyncio.sleep(0.5)

    async def _send(self, client: PlainClient, method: str, path: str, body: bytes = b"") -> None:
        began = time.monotonic()
        self.answers[await client.request(method, path, body)] += 1
        self.slowest = max(self.slowest, time.monotonic() - began)

    def start(self) -> list[asyncio.Task[None]]:
        works = (*(self.ask(f"c{number}") for number in range(CLIENTS)), self.enqueue())
        return [asyncio.create_task(work) for work in works]


async def stopped(tasks: list[asyncio.Task[None]]) -> list[BaseException]:
    """End a load, and return what has ended it before."""
    failed = [error for task in tasks if task.done() and (error := task.exception())]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return failed


async def add_ada(settings: Settings, database_url: str) -> None:
    container = Container()
    with override(container, settings=settings.model_copy(update={"database": database_settings(database_url)})):
        async with opened(container):
            await add_person(container)


async def live(client: httpx.AsyncClient, tokens: dict[str, str] | None) -> tuple[dict[str, str], int | None]:
    """Log in, and then guess until that is limited; return the tokens, and what those of before are answered."""
    before = None if tokens is None else (await client.get("/api/me", headers=tokens)).status_code
    answer = await log_in(client)
    assert answer.status_code == 200, answer.text
    for _ in range(LOGINS):
        guessed = await client.post("/api/auth/login", json={"login": "ada", "password": OTHER}, headers=NOBODY)
    assert guessed.status_code == 429
    return bearer(answer.json()), before


def noted(ledger: Path) -> dict[str, Counter[int]]:
    """Return how often each number was noted, by what."""
    found: dict[str, Counter[int]] = {"begin": Counter(), "end": Counter(), "strike": Counter()}
    for line in ledger.read_text(encoding="ascii").splitlines():
        what, number = line.split()
        found[what][int(number)] += 1
    return found


@pytest.fixture
def clock(tmp_path: Path, tell: Callable[[str], None]) -> FalseClock:
    if (preloaded := library()) is None:
        tell("NOT RUN: a clock that is set, as libfaketime is not installed (Debian's package faketime)")
        pytest.skip("libfaketime is not installed")
    return FalseClock(tmp_path / "clock", preloaded)


@pytest.mark.timeout(1200)
async def test_nothing_fails_or_runs_twice_though_the_clock_is_set_by_hours(
    database_url: str, settings: Settings, tmp_path: Path, clock: FalseClock, keep: Keep
) -> None:
    await add_ada(settings, database_url)
    ledger = tmp_path / "ledger"
    ledger.touch()
    environment = SETTINGS | clock.environment | {"CARBOY_DATABASE__URL": database_url, "LEDGER": str(ledger)}
    ticks, expired, tokens = [], [], None
    with serve(SERVED, environment) as server, serve(SERVED, environment):
        load = Load(server)
        running = load.start()
        async with httpx.AsyncClient(base_url=server.url, timeout=60, trust_env=False, headers=HEADERS) as client:
            for seconds in STEPS:
                clock.set(seconds)
                await asyncio.sleep(2 * SEEN_SECONDS)
                began, before = clock.now(), noted(ledger)["strike"]
                tokens, status = await live(client, tokens)
                expired.append(status)
                await asyncio.sleep(DWELL_SECONDS)
                new = noted(ledger)["strike"] - before
                ticks.append(sum(began - DWELL_SECONDS < tick <= clock.now() for tick in new))
        failed = await stopped(running)
        deadline = time.monotonic() + 60
        while len(noted(ledger)["end"]) < load.enqueued and time.monotonic() < deadline:  # noqa: ASYNC110 - a file tells.
            await asyncio.sleep(0.5)
        log = server.output()
    found = noted(ledger)
    again = sum(count > 1 for count in found["begin"].values())
    keep(
        f"clock set {len(STEPS) - 1} times by {HOURS // 3600} h: {dict(load.answers)}, the slowest after "
        f"{load.slowest:.2f} s; {load.enqueued} jobs, {len(found['end'])} done, {again} begun again; ticks fired at "
        f"each time {ticks}; tokens of before {expired}",
        {
            "requests failed": (sum(load.answers[status] for status in set(load.answers) - {200, 201, 204}), 0),
            "jobs run twice": (again, 0),
            "jobs lost": (load.enqueued - len(found["end"]), 0),
        },
    )
    assert failed == []
    assert set(load.answers) == {200, 201, 204}, log
    assert load.slowest < MOST_SECONDS
    assert set(found["end"]) == set(range(1, load.enqueued + 1)), log
    assert again == 0, log
    assert min(ticks) >= 2
    # Valid for 15 minutes of the wall clock: over after the clock was set forward, not after it was set back.
    assert expired == [None, 401, 200, 200, 401]
