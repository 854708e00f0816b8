"""One process that enqueues jobs and then works them off: ``python -m bench.queues_peers NAME URL COUNT``.

It prints, as JSON, what each of the two took. All do the same: a job is stored before its enqueue returns, ten run at
once, and each counts one up.
"""

# ruff: noqa: PLC0415 - each process has one contender, and imports no other.

import asyncio
import json
import logging
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Annotated, Any

import asyncpg
import uvloop
from dependency_injector import providers
from dependency_injector.wiring import Provide

from bench.queues_cost import dsn, measuring
from carboy.jobs import INJECTED, job
from containers import Container

AT_ONCE = 10


class Counted:
    """Counts jobs, and says when all are done."""

    def __init__(self, count: int) -> None:
        self.left = count
        self.total = 0
        self.all = asyncio.Event()

    def one(self, number: int) -> None:
        self.total += number
        self.left -= 1
        if self.left == 0:
            self.all.set()


@dataclass
class Peer:
    """A contender that is open: how it enqueues a number, and how it works until it is left."""

    enqueue: Callable[[int], Awaitable[Any]]
    working: Callable[[], Any]


@job(name="count")
async def count_one(number: int, counted: Annotated[Counted, Provide["counted"]] = INJECTED) -> None:
    """Count one up."""
    counted.one(number)


class CountingContainer(Container):
    __self__ = Container.__self__
    counted = providers.Singleton(Counted, count=0)


@asynccontextmanager
async def carboy(url: str, counted: Counted) -> AsyncIterator[Peer]:
    os.environ |= {
        "CARBOY_ENV": "production",
        "CARBOY_DATABASE__URL": url,
        "CARBOY_SECURITY__SECRET_KEY": "the benchmark signs nothing by this",
        "CARBOY_JOBS__QUEUES": f"default:{AT_ONCE},mail:1",
    }
    container = CountingContainer()
    container.counted.override(providers.Object(counted))
    container.job_kinds.add_args(count_one)
    jobs = container.jobs()
    await container.notices().open()
    yield Peer(lambda number: jobs.enqueue(count_one, number), container.job_worker().working)
    await container.notices().close()
    await container.database().close()


@asynccontextmanager
async def pgqueuer(url: str, counted: Counted) -> AsyncIterator[Peer]:
    from pgqueuer import PgQueuer
    from pgqueuer.db import AsyncpgPoolDriver
    from pgqueuer.queries import Queries

    async with asyncpg.create_pool(dsn(url), min_size=2, max_size=10) as pool:
        driver = AsyncpgPoolDriver(pool)
        queries, queue = Queries(driver), PgQueuer(driver)
        await queries.install()

        @queue.entrypoint("count")
        async def count(job: Any) -> None:
            counted.one(int(job.payload))

        yield Peer(
            lambda number: queries.enqueue("count", b"%d" % number),
            lambda: _during(queue.run(batch_size=AT_ONCE, max_concurrent_tasks=2 * AT_ONCE)),
        )


@asynccontextmanager
async def procrastinate(url: str, counted: Counted) -> AsyncIterator[Peer]:
    from procrastinate import App, PsycopgConnector

    app = App(connector=PsycopgConnector(conninfo=dsn(url), min_size=2, max_size=10))

    @app.task(name="count")
    async def count(number: int) -> None:
        counted.one(number)

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        yield Peer(
            lambda number: count.defer_async(number=number),
            lambda: _during(app.run_worker_async(concurrency=AT_ONCE, install_signal_handlers=False)),
        )


@asynccontextmanager
async def taskiq(url: str, counted: Counted) -> AsyncIterator[Peer]:
    from redis.asyncio import Redis
    from taskiq.api import run_receiver_task
    from taskiq_redis import RedisStreamBroker

    queue = f"bench-{os.getpid()}"
    broker = RedisStreamBroker(url, queue_name=queue, max_connection_pool_size=20)

    @broker.task("count")
    async def count(number: int) -> None:
        counted.one(number)

    await broker.startup()
    yield Peer(count.kiq, lambda: _during(run_receiver_task(broker, max_async_tasks=AT_ONCE)))
    await broker.shutdown()
    # What is done stays in it for ever.
    async with Redis.from_url(url) as redis:
        await redis.delete(queue)


PEERS: dict[str, Callable[[str, Counted], Any]] = {
    "carboy": carboy,
    "pgqueuer": pgqueuer,
    "procrastinate": procrastinate,
    "taskiq-redis": taskiq,
}


@asynccontextmanager
async def _during(work: Any) -> AsyncIterator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        with suppress(BaseException):
            await task


async def measure(name: str, url: str, count: int) -> dict[str, Any]:
    warm = count // 10
    took: dict[str, Any] = {}
    counted = Counted(count + warm)
    async with PEERS[name](url, counted) as peer:
        for number in range(warm):
            await peer.enqueue(number)
        async with measuring(count, url, took, "enqueue"):
            for number in range(count):
                await peer.enqueue(number)
        async with peer.working(), measuring(counted.left, url, took, "work"):
            await asyncio.wait_for(counted.all.wait(), 300)
    return took


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    print(json.dumps(uvloop.run(measure(sys.argv[1], sys.argv[2], int(sys.argv[3])))))
