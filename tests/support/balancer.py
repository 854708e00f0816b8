"""A small balancer: it sends each request to one of the servers that say they are ready, over connections it keeps."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
from support.accounts import HEADERS
from support.server import NO_TLS, PATIENCE

PROBE_SECONDS = 0.25


class Balancer:
    """Sends requests to servers in turn.

    Attributes:
        ready: The addresses of the servers whose last probe has succeeded.
    """

    def __init__(self, addresses: Sequence[str], connections: int) -> None:
        self._clients = {
            address: httpx.AsyncClient(
                base_url=address,
                timeout=PATIENCE,
                limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
                trust_env=False,
                verify=NO_TLS,
                headers=HEADERS,
            )
            for address in addresses
        }
        self._probes = httpx.AsyncClient(timeout=1, trust_env=False, verify=NO_TLS)
        self._turns = itertools.count()
        self.ready: list[str] = []

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request once: one that fails is not sent to another server."""
        address = self.ready[next(self._turns) % len(self.ready)]
        return await self._clients[address].request(method, path, **options)

    async def probe(self) -> None:
        """Ask all servers whether they are ready."""
        answers = await asyncio.gather(*map(self._is_ready, self._clients))
        self.ready = [address for address, is_ready in zip(self._clients, answers, strict=True) if is_ready]

    async def _is_ready(self, address: str) -> bool:
        with suppress(httpx.TransportError):
            return (await self._probes.get(f"{address}/health/ready")).status_code == httpx.codes.OK
        return False

    async def probe_for_ever(self) -> None:
        while True:
            await self.probe()
            await asyncio.sleep(PROBE_SECONDS)

    async def close(self) -> None:
        for client in (*self._clients.values(), self._probes):
            await client.aclose()


@asynccontextmanager
async def balance(addresses: Sequence[str], connections: int) -> AsyncIterator[Balancer]:
    balancer = Balancer(addresses, connections)
    await balancer.probe()
    probing = asyncio.create_task(balancer.probe_for_ever())
    try:
        yield balancer
    finally:
        probing.cancel()
        await asyncio.wait({probing})
        await balancer.close()
