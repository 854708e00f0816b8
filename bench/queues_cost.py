"""What the jobs of a contender take: processor time of its process and of the server that keeps them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import asyncpg
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


@contextmanager
def measuring(count: int, pids: list[int], into: dict[str, Any], name: str) -> Iterator[None]:
    own, server, began = time.process_time(), _seconds_of(pids), time.perf_counter()
    yield
    own, server = time.process_time() - own, _seconds_of(pids) - server
    into[name] = asdict(Took(own * 1e6 / count, server * 1e6 / count, count / (time.perf_counter() - began)))


def _seconds_of(pids: list[int]) -> float:
    fields = [Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split() for pid in pids]
    return sum(int(one[11]) + int(one[12]) for one in fields) / TICKS_PER_SECOND


async def server_pids(url: str) -> list[int]:
    """Return the processes that serve a database: each connection has one on PostgreSQL, Redis has one, SQLite none."""
    if url.startswith("redis:"):
        from redis.asyncio import Redis  # noqa: PLC0415

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
