"""Measures streams of events that are open and mostly idle: ``python -m bench.streams [COUNT]``.

One worker of hypercorn has them all. Each stream follows a topic of its own and reads a row at each look, every half
minute, and at each publication; heartbeats go out each 15 seconds. The last COUNT / 10 follow one topic together.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.servers import ROOT, SECRET_KEY, Server

IDLE_SECONDS = 60
RETRY_SECONDS = 3.0
TOGETHER = 20
"""How many connections are opened at once: each reads its row, and a pool has ten connections."""


class Follower:
    """A client of a stream, which counts its events and comes again when the stream ends, as browsers do.

    Attributes:
        told: When it was told last.
        is_open: Whether it has a stream at the moment.
        visits: How many it has had.
    """

    def __init__(self, port: int, topic: str) -> None:
        self.events = self.heartbeats = self.visits = 0
        self.told = 0.0
        self.is_open = False
        self._port, self._topic = port, topic
        self._first = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def begin(self, turns: asyncio.Semaphore) -> None:
        """Follow the topic when it is its turn, and return at the first event."""
        async with turns:
            self._following = asyncio.create_task(self._follow())
            await asyncio.wait({asyncio.create_task(self._first.wait())}, timeout=1)
        await self._first.wait()

    def leave(self) -> None:
        if self._following is not None:
            self._following.cancel()

    async def _follow(self) -> None:
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
            try:
                writer.write(f"GET /watch/{self._topic} HTTP/1.1\r\nHost: bench\r\n\r\n".encode())
                self.visits, self.is_open = self.visits + 1, True
                await self._read(reader)
            finally:
                self.is_open = False
                writer.transport.abort()
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        while (line := await reader.readline()) not in {b"", b"0\r\n"}:
            if line.startswith(b"data:"):
                self.events, self.told = self.events + 1, time.perf_counter()
                self._first.set()
            self.heartbeats += line == b":\n"


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve the application of this measurement with one process, on a SQLite database of its own."""
    port, log = 8765, folder / "log"
    environment = os.environ | {
        "CARBOY_ENV": "production",
        "CARBOY_DATABASE__URL": f"sqlite+aiosqlite:///{folder}/carboy.db",
        "CARBOY_SECURITY__SECRET_KEY": SECRET_KEY,
        "CARBOY_HTTP__DRAIN_SECONDS": "0",
        "CARBOY_JOBS__EMBEDDED": "false",
    }
    flask = [sys.executable, "-m", "flask", "--app", "asgi", "db", "upgrade"]
    subprocess.run(flask, cwd=ROOT, env=environment, check=True, capture_output=True)
    command = [sys.executable, "-m", "carboy", "--config", "hypercorn.toml", "--bind", f"127.0.0.1:{port}"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "bench.streams_app:asgi"], cwd=ROOT, env=environment, stdout=output, stderr=output
        )
        server = Server("carboy", process, port, log)
        try:
            server.wait_until_it_answers(120)
            yield server
        finally:
            process.kill()
            process.wait()


async def measure(server: Server, count: int) -> None:
    crowd = count // 10
    for _ in range(200):
        await publish(server.port, "nobody")
    empty, began, used = server.memory_bytes(), time.perf_counter(), server.cpu_seconds()
    followers = await follow(server, count, crowd)
    print(
        f"{count} streams are open after {time.perf_counter() - began:.1f} s and "
        f"{(server.cpu_seconds() - used) * 1000 / count:.2f} ms of processor time each"
    )
    full = server.memory_bytes()
    each = (full - empty) / count / 1e3
    print(f"memory: {empty / 1e6:.0f} MB before, {full / 1e6:.0f} MB with them: {each:.1f} kB each")
    await idle(server, followers)
    await tell(server, followers[-crowd:])
    for one in followers:
        one.leave()
    await asyncio.sleep(10)
    print(f"memory: {server.memory_bytes() / 1e6:.0f} MB ten seconds after all have left")
    again = await follow(server, count, crowd)
    print(f"memory: {server.memory_bytes() / 1e6:.0f} MB with as many again")
    for one in again:
        one.leave()


async def follow(server: Server, count: int, crowd: int) -> list[Follower]:
    """Open streams, and return when each has had its first event."""
    topics = [*(f"topic-{number}" for number in range(count - crowd)), *["news"] * crowd]
    followers = [Follower(server.port, topic) for topic in topics]
    turns = asyncio.Semaphore(TOGETHER)
    await asyncio.gather(*(one.begin(turns) for one in followers))
    return followers


async def idle(server: Server, followers: list[Follower]) -> None:
    used, beats = server.cpu_seconds(), sum(one.heartbeats for one in followers)
    await asyncio.sleep(IDLE_SECONDS)
    share = (server.cpu_seconds() - used) / IDLE_SECONDS
    beats = sum(one.heartbeats for one in followers) - beats
    print(f"idle: {share:.1%} of a core over {IDLE_SECONDS} s, in which {beats} heartbeats arrived")
    again = sum(one.visits - 1 for one in followers)
    print(f"{sum(one.is_open for one in followers)} are open; {again} times one came again, as the database was busy")


async def tell(server: Server, crowd: list[Follower]) -> None:
    seen, used, began = [one.events for one in crowd], server.cpu_seconds(), time.perf_counter()
    await publish(server.port, "news")
    while any(one.events == before for one, before in zip(crowd, seen, strict=True)):  # noqa: ASYNC110 - it is over soon.
        await asyncio.sleep(0.01)
    last = max(one.told for one in crowd) - began
    spent = (server.cpu_seconds() - used) * 1000 / len(crowd)
    print(f"one publication: the last of {len(crowd)} followers was told after {last:.2f} s, {spent:.2f} ms each")


async def publish(port: int, topic: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(
        f"POST /watch/{topic} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    )
    assert b" 204 " in await reader.readline()  # noqa: S101 - a measurement of errors is none.
    writer.close()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as server:
        asyncio.run(measure(server, count))


if __name__ == "__main__":
    main()
