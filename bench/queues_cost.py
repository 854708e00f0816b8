"""What the jobs of a contender take: processor time of its process and of the server that keeps them."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import asyncpg
from redis.asyncio import Redis
from sqlalchemy import make_url

from bench.servers import TICKS_PER_SECOND


@dataclass
class Took:
    """What some jobs took, for each of them.

    Attributes:
        microseconds: Processor time of this process.
        server_microseconds: That of the server that keeps them.
        per_second: How many there were in a second.
    """

    microseconds: float
    server_microseconds: float
    per_second: float


@asynccontextmanager
async def measuring(count: int, url: str, into: dict[str, Any], name: str) -> AsyncIterator[None]:
    """Measure what so many jobs take within, by the processes that serve the database at the end."""
    own, server, began = time.process_time(), _seconds_of(await server_pids(url)), time.perf_counter()
    yield
    own, seconds = time.process_time() - own, time.perf_counter() - began
    # A process that was not there before has used all its time since.
    spent = sum(used - server.get(pid, 0.0) for pid, used in _seconds_of(await server_pids(url)).items())
    into[name] = asdict(Took(own * 1e6 / count, spent * 1e6 / count, count / seconds))


def _seconds_of(pids: list[int]) -> dict[int, float]:
    found = {}
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        found[pid] = (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND
    return found


async def server_pids(url: str) -> list[int]:
    """Return the processes that serve a database: each connection has one on PostgreSQL, Redis has one, SQLite none."""
    if url.startswith("redis:"):
        async with Redis.from_url(url) as redis:
            return [(await redis.info("server"))["process_id"]]
    if url.startswith("sqlite"):
        return []
    connection = await asyncpg.connect(dsn(url))
    found = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    pids = [row["pid"] for row in await connection.fetch(found)]
    await connection.close()
    return pids


def dsn(url: str) -> str:
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
