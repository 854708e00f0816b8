"""Two servers behind a balancer that nobody tells anything are restarted in turn under load: no request fails."""

import asyncio
import time
from collections import Counter
from contextlib import ExitStack

import httpx
import pytest
from support.balancer import Balancer, balance
from support.carboy_server import HYPERCORN, PRODUCTION, CarboyServer, free_port, launch
from support.figures import Keep
from support.users import registration

REQUESTS = 10_000
CLIENTS = 10
DRAINING = PRODUCTION | {"CARBOY_HTTP__DRAIN_SECONDS": "1"}
"""Four times what the balancer takes to see that a server is not ready."""


class Restarting:
    """Two servers, each with a port of its own that it keeps."""

    def __init__(self, held: ExitStack, environment: dict[str, str]) -> None:
        self._held = held
        self._environment = environment
        self.ports = [held.enter_context(free_port()) for _ in range(2)]
        self.servers = [self._start(port) for port in self.ports]
        self.restarts = 0

    def _start(self, port: int) -> CarboyServer:
        server = self._held.enter_context(launch(HYPERCORN, self._environment, port=port))
        server.wait_until_ready()
        return server

    def restart(self, index: int) -> None:
        assert self.servers[index].stop() == 0
        self.servers[index] = self._start(self.ports[index])
        self.restarts += 1


async def ask(balancer: Balancer, name: str, answers: Counter[str]) -> None:
    """Write and read in turn, and count how each request ends."""
    number = 0
    while answers.total() < REQUESTS:
        number += 1
        try:
            if number % 4:
                answer = await balancer.request("GET", "/api/users?limit=1")
            else:
                answer = await balancer.request("POST", "/api/users", json=registration(f"{name}-{number}"))
            answers[str(answer.status_code)] += 1
        except httpx.TransportError as error:
            answers[repr(error)] += 1


async def restart_in_turn(servers: Restarting, balancer: Balancer, load: asyncio.Future[list[None]]) -> None:
    for index in (0, 1) * REQUESTS:
        if load.done():
            return
        await asyncio.to_thread(servers.restart, index)
        while len(balancer.ready) < len(servers.ports):
            await balancer.probe()


@pytest.mark.timeout(900)
async def test_no_request_fails_while_servers_are_restarted_in_turn(database_url: str, keep: Keep) -> None:
    answers: Counter[str] = Counter()
    began = time.perf_counter()
    with ExitStack() as held:
        servers = Restarting(held, DRAINING | {"CARBOY_DATABASE__URL": database_url})
        async with balance([server.url for server in servers.servers], CLIENTS) as balancer:
            load = asyncio.gather(*(ask(balancer, f"c{client}", answers) for client in range(CLIENTS)))
            await restart_in_turn(servers, balancer, load)
            await load
    seconds = time.perf_counter() - began
    failed = sum(count for status, count in answers.items() if status not in {"200", "201"})
    keep(
        f"{answers.total():,} requests in {seconds:.0f} s, {servers.restarts} restarts meanwhile: {dict(answers)}",
        {"requests failed": (failed, 0)},
    )
    assert servers.restarts >= 2
    assert set(answers) == {"200", "201"}
