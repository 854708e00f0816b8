"""Two servers behind nginx or HAProxy, as deploy/proxy has them, are restarted in turn under load: nothing fails.

What is in flight meanwhile: reads and writes, views that take their time, streams of events, and background jobs.
"""

import asyncio
import itertools
import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from support.carboy_server import HYPERCORN, PRODUCTION, CarboyServer, free_port, launch
from support.figures import Keep
from support.plain_client import PlainClient
from support.proxies import program_of, proxied
from support.server import NO_TLS
from support.users import registration

REQUESTS = 20_000
CLIENTS, SLOW_CLIENTS, FOLLOWERS = 8, 4, 4
SERVED = (*HYPERCORN[:-1], "support.rolling_asgi:asgi")
SETTINGS = PRODUCTION | {
    # The default, and what deploy/proxy reckons with.
    "CARBOY_HTTP__DRAIN_SECONDS": "10",
    "CARBOY_JOBS__EMBEDDED": "true",
    "CARBOY_JOBS__GRACE_SECONDS": "0.1",
    "CARBOY_LIMITS__ENABLED": "false",
    # That a request waits for a connection is not what is tested: the machine has other work, too.
    "CARBOY_DATABASE__ACQUIRE_TIMEOUT": "5",
    "PYTHONPATH": "tests",
}
STOP_SECONDS = 60
"""More than a server takes that has to be ended by force, which its status would tell."""
GOOD = {"200", "201", "204"}


class Run:
    """What has happened so far, and whether the load is over."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.answers: Counter[str] = Counter()
        self.slow: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()
        self.enqueued = 0
        self.over = asyncio.Event()

    async def send(self, client: PlainClient, counts: Counter[str], method: str, path: str, body: bytes = b"") -> None:
        try:
            counts[str(await client.request(method, path, body))] += 1
        except (OSError, asyncio.IncompleteReadError) as error:
            counts[f"{method} {error!r}"] += 1

    async def ask(self, name: str) -> None:
        """Write and read in turn."""
        async with PlainClient.of(self.url) as client:
            for number in itertools.count(1):
                if self.answers.total() >= REQUESTS:
                    break
                if number % 4:
                    await self.send(client, self.answers, "GET", "/api/users?limit=1")
                else:
                    body = json.dumps(registration(f"{name}-{number}")).encode()
                    await self.send(client, self.answers, "POST", "/api/users", body)
        self.over.set()

    async def wait(self) -> None:
        """Ask for what takes two seconds."""
        async with PlainClient.of(self.url) as client:
            while not self.over.is_set():
                await self.send(client, self.slow, "GET", "/rolling/slow")

    async def follow(self) -> None:
        """Follow a stream of events to its end, and come again."""
        pause = 0.0
        async with httpx.AsyncClient(base_url=self.url, timeout=30, trust_env=False, verify=NO_TLS) as client:
            while not self.over.is_set():
                try:
                    async with client.stream("GET", "/rolling/ticks") as answer:
                        assert answer.status_code == 200, answer.status_code
                        async for line in answer.aiter_lines():
                            self.streams["events"] += line.startswith("data:")
                            if line.startswith("retry:"):
                                pause = int(line.removeprefix("retry:")) / 1000
                            if self.over.is_set():
                                break
                    self.streams["ended"] += 1
                except (httpx.TransportError, AssertionError) as error:
                    self.streams[repr(error)] += 1
                if not self.over.is_set():
                    # As browsers do, to whom the server says how long.
                    await asyncio.sleep(min(pause, 3))

    async def enqueue(self) -> None:
        """Enqueue twenty jobs a second."""
        counts: Counter[str] = Counter()
        async with PlainClient.of(self.url) as client:
            while not self.over.is_set():
                await self.send(client, counts, "POST", f"/rolling/jobs/{self.enqueued + 1}")
                self.enqueued = counts["204"]
                await asyncio.sleep(0.05)
        self.answers += counts

    def load(self) -> list[asyncio.Task[None]]:
        works = [self.ask(f"c{number}") for number in range(CLIENTS)]
        works += [self.wait() for _ in range(SLOW_CLIENTS)]
        works += [self.follow() for _ in range(FOLLOWERS)]
        return [asyncio.create_task(work) for work in (*works, self.enqueue())]


class Servers:
    """Two servers, each with a port that it keeps."""

    def __init__(self, held: ExitStack, environment: dict[str, str]) -> None:
        self._held, self._environment = held, environment
        self.ports = [held.enter_context(free_port()) for _ in range(2)]
        self._servers = [self._start(port) for port in self.ports]
        self.restarts = 0

    def _start(self, port: int) -> CarboyServer:
        server = self._held.enter_context(launch(SERVED, self._environment, port=port))
        server.wait_until_ready()
        return server

    def restart(self, index: int) -> None:
        server = self._servers[index]
        server.signal(signal.SIGTERM)
        assert server.process.wait(STOP_SECONDS) == 0, server.output()
        self._servers[index] = self._start(self.ports[index])
        self.restarts += 1

    async def restart_in_turn(self, run: Run) -> None:
        while not run.over.is_set():
            for index in range(len(self.ports)):
                await asyncio.to_thread(self.restart, index)
                # As a supervisor does that waits for a balancer to see the new one.
                await asyncio.sleep(5)


def jobs_in(ledger: Path) -> tuple[set[int], int]:
    """Return the numbers of the jobs that ended, and how many were begun more than once."""
    lines = [line.split() for line in ledger.read_text(encoding="ascii").splitlines()]
    begun = Counter(number for what, number in lines if what == "begin")
    return {int(number) for what, number in lines if what == "end"}, sum(count > 1 for count in begun.values())


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
async def test_nothing_fails_while_servers_behind_a_proxy_are_restarted_in_turn(
    database_url: str, tmp_path: Path, show: Callable[[str], None], keep: Keep, proxy: str
) -> None:
    if program_of(proxy) is None:
        show(f"NOT RUN: {proxy} is not installed")
        pytest.skip(f"{proxy} is not installed")
    ledger, began = tmp_path / "ledger", time.perf_counter()
    ledger.touch()
    with ExitStack() as held:
        servers = Servers(held, SETTINGS | {"CARBOY_DATABASE__URL": database_url, "LEDGER": str(ledger)})
        run = Run(held.enter_context(proxied(proxy, servers.ports)))
        load = run.load()
        await servers.restart_in_turn(run)
        await asyncio.gather(*load)
        deadline = time.monotonic() + 60
        while len(jobs_in(ledger)[0]) < run.enqueued and time.monotonic() < deadline:  # noqa: ASYNC110 - a file tells.
            await asyncio.sleep(0.5)
    done, again = jobs_in(ledger)
    seconds = time.perf_counter() - began
    failed = sum(count for status, count in (run.answers + run.slow).items() if status not in GOOD)
    keep(
        f"{proxy}: {run.answers.total():,} requests in {seconds:.0f} s, {servers.restarts} restarts, "
        f"{dict(run.answers)}; slow ones {dict(run.slow)}; streams {dict(run.streams)}; "
        f"{run.enqueued} jobs, {len(done)} done, {again} of them begun again",
        {"requests failed": (failed, 0), "jobs lost": (run.enqueued - len(done), 0)},
    )
    assert servers.restarts >= 2
    assert set(run.answers) | set(run.slow) <= GOOD
    assert set(run.streams) == {"events", "ended"}
    assert done == set(range(1, run.enqueued + 1))
