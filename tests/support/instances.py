"""Several instances of the application on one database, and clients that meet each of their processes."""

import itertools
import signal
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import httpx
from support.accounts import HEADERS
from support.carboy_server import HYPERCORN_WORKERS, CarboyServer, altered_settings, launch
from support.server import PATIENCE

WORKERS = 2
"""Of each instance."""
APP = "support.streaming_asgi:asgi"


@contextmanager
def instances(folder: Path, environment: Mapping[str, str], count: int = 2) -> Iterator[list[CarboyServer]]:
    """Serve `support.streaming` by several instances, each with two workers and a port of its own.

    Args:
        folder: Where a file may be written.
        environment: Variables that all have.
        count: How many.
    """
    # A connection that a test keeps is not to be closed while others are used: its process is the one it is about.
    command = (*altered_settings(folder, HYPERCORN_WORKERS[:-1], keep_alive_timeout=120), APP)
    with ExitStack() as stack:
        servers = [stack.enter_context(launch(command, environment)) for _ in range(count)]
        for server in servers:
            server.wait_until_ready()
        yield servers
        for server in servers:
            server.signal(signal.SIGTERM)
        for server in servers:
            server.wait()


class EachInTurn(httpx.AsyncBaseTransport):
    """Sends each request to the next process, over a connection that it keeps to it.

    Attributes:
        processes: Their ids, in the order of their turns.
    """

    def __init__(self, connections: Mapping[int, tuple[int, httpx.AsyncHTTPTransport]]) -> None:
        self.processes = [*connections]
        self._connections = connections
        self._turns = itertools.cycle(self.processes)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        port, transport = self._connections[next(self._turns)]
        request.url = request.url.copy_with(port=port)
        return await transport.handle_async_request(request)


@asynccontextmanager
async def everybody(servers: Sequence[CarboyServer]) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client whose requests go to all processes in turn, the instances alternating.

    In the end it makes sure that its connections still lead to those processes.
    """
    async with AsyncExitStack() as stack:
        met = [await _meet(server, stack) for server in servers]
        turns = [pid for together in zip(*met, strict=True) for pid in together]
        found = {pid: connection for one in met for pid, connection in one.items()}
        transport = EachInTurn({pid: found[pid] for pid in turns})
        async with httpx.AsyncClient(transport=transport, base_url=servers[0].url, timeout=PATIENCE) as client:
            yield client
            told = [(await client.get("/api/streams/process")).json()["pid"] for _ in turns]
            # From whose turn it is on.
            first = transport.processes.index(told[0])
            assert told == transport.processes[first:] + transport.processes[:first]


async def _meet(server: CarboyServer, stack: AsyncExitStack) -> dict[int, tuple[int, httpx.AsyncHTTPTransport]]:
    """Connect until each process of a server has taken a connection, which of them does being chance."""
    met: dict[int, tuple[int, httpx.AsyncHTTPTransport]] = {}
    limits = httpx.Limits(max_connections=1, keepalive_expiry=None)
    deadline = time.monotonic() + PATIENCE
    while len(met) < WORKERS:
        assert time.monotonic() < deadline, f"Only {[*met]} answer"
        transport = await stack.enter_async_context(httpx.AsyncHTTPTransport(limits=limits, trust_env=False))
        asked = httpx.Request("GET", f"{server.url}/api/streams/process", headers=HEADERS)
        answer = await transport.handle_async_request(asked)
        await answer.aread()
        met.setdefault(answer.json()["pid"], (server.port, transport))
    return met
