"""Many clients that send their bodies slowly or not to the end: they starve nobody, and take little memory."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import httpx
import pytest
from support.accounts import HEADER_LINE, HEADERS
from support.carboy_server import HOST, HYPERCORN, PRODUCTION, CarboyServer, serve
from support.figures import Keep
from support.server import NO_TLS, memory_of

MEGABYTE = 1_000_000
HEAD = (
    f"POST /api/users HTTP/1.1\r\nhost: a\r\n{HEADER_LINE.decode()}content-type: application/json\r\n"
    "content-length: {}\r\n\r\n"
)

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def clients(server: CarboyServer, count: int, length: int) -> AsyncIterator[list[Client]]:
    """Connect clients that have sent the head of a request and no body."""
    opened: list[Client] = []
    try:
        for _ in range(count):
            reader, writer = await asyncio.open_connection(HOST, server.port)
            writer.write(HEAD.format(length).encode())
            opened.append((reader, writer))
        yield opened
    finally:
        for _, writer in opened:
            writer.close()


async def send(client: Client, body: bytes) -> None:
    # Whoever has been refused may be cut off while it sends.
    with suppress(ConnectionError):
        client[1].write(body)
        await client[1].drain()


async def p99(server: CarboyServer, requests: int = 2000) -> float:
    """Return what a client that is not slow waits at most for 99 of 100 answers, in milliseconds."""
    times = []
    async with httpx.AsyncClient(
        base_url=server.url, trust_env=False, verify=NO_TLS, timeout=20, headers=HEADERS
    ) as client:
        for _ in range(requests):
            begun = time.perf_counter()
            assert (await client.get("/api/users?limit=1")).status_code == 200
            times.append(time.perf_counter() - begun)
    return sorted(times)[requests * 99 // 100] * 1000


async def trickle(slow: list[Client], size: int, seconds: float) -> None:
    """Let each client in turn send a little, all of them once in so many seconds, for ever."""
    while True:
        for client in slow:
            await send(client, b"x" * size)
            await asyncio.sleep(seconds / len(slow))


@pytest.mark.timeout(300)
async def test_a_thousand_slow_clients_do_not_slow_the_others(database_url: str, keep: Keep) -> None:
    with serve(HYPERCORN, {"CARBOY_DATABASE__URL": database_url} | PRODUCTION) as server:
        await p99(server, 200)
        alone = [await p99(server)]
        async with clients(server, 1000, MEGABYTE) as slow:
            # Twice the least rate, so that they stay.
            trickling = asyncio.create_task(trickle(slow, 5000, 5))
            among_slow = [await p99(server) for _ in range(2)]
            trickling.cancel()
            assert sum(reader.at_eof() for reader, _ in slow) == 0
        alone.append(await p99(server))
    keep(
        f"p99 alone {alone[0]:.1f} and {alone[1]:.1f} ms, among 1,000 slow clients {min(among_slow):.1f} ms",
        {"ms, p99 among slow clients": (min(among_slow), 2 * max(alone))},
    )
    assert min(among_slow) <= 2 * max(alone)


@pytest.mark.timeout(300)
async def test_sixty_unfinished_bodies_of_ten_megabytes_take_little_memory(database_url: str, keep: Keep) -> None:
    environment = {"CARBOY_DATABASE__URL": database_url, "CARBOY_HTTP__MAX_BODY_BYTES": "20000000"} | PRODUCTION
    with serve(HYPERCORN, environment) as server:
        await p99(server, 200)
        before = memory_of(server.process.pid, "VmRSS")
        async with clients(server, 60, 10 * MEGABYTE) as slow:
            await asyncio.gather(*(send(client, b"x" * (10 * MEGABYTE - 1)) for client in slow))
            await assert_all_are_408(slow)
            peak = memory_of(server.process.pid, "VmHWM")
    keep(
        f"60 unfinished bodies of 10 MB: {before / MEGABYTE:.0f} MB before, {peak / MEGABYTE:.0f} MB at most",
        {"MB for 60 unfinished bodies": (peak / MEGABYTE, 300)},
    )
    assert peak < 300 * MEGABYTE


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("per_second", "most"),
    [(50 * MEGABYTE, 300 * MEGABYTE), (None, 900 * MEGABYTE)],
    ids=["at 50 MB a second", "at once"],
)
async def test_eight_hundred_bodies_that_go_on_byte_by_byte_are_cut_off(
    database_url: str, keep: Keep, per_second: int | None, most: int
) -> None:
    """What comes faster than it can be read, hypercorn holds before the application can ask for it: all of it."""
    with serve(HYPERCORN, {"CARBOY_DATABASE__URL": database_url} | PRODUCTION) as server:
        await p99(server, 200)
        before = memory_of(server.process.pid, "VmRSS")
        async with clients(server, 800, MEGABYTE) as slow:
            await send_all(slow, 511 * 1024, per_second)
            trickling = asyncio.create_task(trickle(slow, 1, 5))
            seconds = await assert_all_are_408(slow)
            trickling.cancel()
            peak = memory_of(server.process.pid, "VmHWM")
    keep(
        f"800 bodies of 511 KiB, {per_second or 'all'} bytes a second, and a byte each 5 s: cut off after "
        f"{seconds:.0f} s, {before / MEGABYTE:.0f} MB before, {peak / MEGABYTE:.0f} MB at most",
        {
            "s until 800 slow bodies are cut off": (seconds, 30),
            "MB for 800 slow bodies": (peak / MEGABYTE, most / MEGABYTE),
        },
    )
    # The server takes seconds to read what they have sent, for which no client is blamed.
    assert seconds < 30
    assert peak < most


async def send_all(slow: list[Client], size: int, per_second: int | None) -> None:
    """Let all clients send so many bytes each: at once, or in turn, a little at a time, as fast as a network may be."""
    if per_second is None:
        await asyncio.gather(*(send(client, b"x" * size) for client in slow))
        return
    begun, pieces = time.perf_counter(), 73
    for number in range(1, pieces + 1):
        for client in slow:
            await send(client, b"x" * (size // pieces))
        until = begun + number * len(slow) * (size // pieces) / per_second
        await asyncio.sleep(until - time.perf_counter())


async def assert_all_are_408(slow: list[Client]) -> float:
    """Wait until all are answered, check that they are told that they were too slow, and return the seconds it took."""
    begun = time.perf_counter()
    heads = await asyncio.gather(*(reader.readuntil(b"\r\n") for reader, _ in slow))
    assert {head[:12] for head in heads} == {b"HTTP/1.1 408"}
    return time.perf_counter() - begun
