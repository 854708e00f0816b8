"""PgQueuer's workers as its documentation has them, for tests of which promises of a job it keeps."""

import asyncio
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from typing import Any

import asyncpg
import pytest
from pgqueuer import AsyncpgPoolDriver, PgQueuer, Queries
from pgqueuer.executors import DatabaseRetryEntrypointExecutor
from pgqueuer.models import Job
from pgqueuer.types import QueueExecutionMode
from sqlalchemy import make_url

Handler = Callable[[Job], Awaitable[None]]

SOON = timedelta(milliseconds=50)
"""How often workers of tests look for jobs by themselves."""
LEASE = timedelta(seconds=0.6)
"""After how long without a heartbeat they take a job of another one."""
DRAINS: dict[str, Any] = {"mode": QueueExecutionMode.drain}
"""Work off what there is, and return."""


def not_met(what: str, raises: type[BaseException] = AssertionError) -> pytest.MarkDecorator:
    """Mark a test of what PgQueuer does not do, so that it fails on the day that PgQueuer does it.

    Args:
        what: What it does instead.
        raises: What the test fails by. Whatever else it raises is a failure of the test.
    """
    found = f"PgQueuer {version('pgqueuer')}: {what}. If it is mended, revisit docs/adr/0019-jobs.md."
    return pytest.mark.xfail(strict=True, raises=raises, reason=found)


def dsn(url: str) -> str:
    """Return asyncpg's URL of a database."""
    return make_url(url).set(drivername="postgresql", query={}).render_as_string(hide_password=False)


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Queries]:
    """Open PgQueuer's statements on a database."""
    async with asyncpg.create_pool(dsn(url), min_size=1, max_size=5) as pool:
        yield Queries(AsyncpgPoolDriver(pool))


@asynccontextmanager
async def queue(url: str, handlers: dict[str, Handler], **options: Any) -> AsyncIterator[PgQueuer]:
    """Make what ``pgq run`` is given: a queue with an entrypoint for each handler, which has these options."""
    async with opened(url) as queries:
        made = PgQueuer(queries.driver)
        for name, handler in handlers.items():
            made.entrypoint(name, **options)(handler)
        yield made


@asynccontextmanager
async def working(made: PgQueuer, **options: Any) -> AsyncIterator["asyncio.Task[None]"]:
    """Let a worker work, and stop it as SIGTERM does. What it fails by is raised."""
    defaults = {"dequeue_timeout": SOON, "heartbeat_timeout": LEASE}
    task = asyncio.create_task(made.run(**(defaults | options)))
    try:
        yield task
    finally:
        made.shutdown.set()
        await asyncio.wait({task})
    if not task.cancelled():
        task.result()


async def work_off(url: str, handlers: dict[str, Handler], **options: Any) -> None:
    """Run what waits, and what comes of it, to its end."""
    async with queue(url, handlers, **options) as made:
        await made.run(**DRAINS, dequeue_timeout=SOON, heartbeat_timeout=LEASE)


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 10) -> None:
    """Wait until something of the database is so.

    Raises:
        TimeoutError: It is not in time.
    """
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - there is no event for it.
            await asyncio.sleep(0.02)


class Script:
    """What handlers do, as a test says, and which jobs ran.

    Attributes:
        runs: The job of each run, in order, as its handler saw it.
    """

    def __init__(self) -> None:
        self.runs: list[Job] = []
        self.started: defaultdict[bytes, asyncio.Event] = defaultdict(asyncio.Event)
        self.released: defaultdict[bytes, asyncio.Event] = defaultdict(asyncio.Event)

    @property
    def ran(self) -> list[bytes]:
        """The payload of each run."""
        return [job.payload or b"" for job in self.runs]

    async def act(self, job: Job) -> None:
        """Note the run."""
        self.runs.append(job)

    async def wait(self, job: Job) -> None:
        """Note the run, and go on when the test says so."""
        await self.act(job)
        self.started[job.payload or b""].set()
        await self.released[job.payload or b""].wait()

    async def fail(self, job: Job) -> None:
        await self.act(job)
        raise ValueError("no luck")


def retrying(attempts: int, delay: timedelta = timedelta(0)) -> dict[str, Any]:
    """Return options of an entrypoint that is retried, whose dead letters are kept."""
    executor = partial(DatabaseRetryEntrypointExecutor, max_attempts=attempts, initial_delay=delay)
    return {"executor_factory": executor, "on_failure": "hold"}


async def _killed(job: Job) -> None:
    print(job.id, flush=True)  # noqa: T201 - it is what the test reads.
    os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    # A worker process that its job kills: `python -m support.pgqueuer URL ATTEMPTS`.
    asyncio.run(work_off(sys.argv[1], {"poison": _killed}, **retrying(int(sys.argv[2]))))
