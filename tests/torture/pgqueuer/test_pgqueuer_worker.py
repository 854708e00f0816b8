"""PgQueuer's workers: what wakes and stops them, what they do without a database, and with what they cannot read."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta

import pgqueuer
import pytest_asyncio
from pgqueuer import JobId, PgQueuer, Queries
from pgqueuer.types import QueueEntrypoint
from pydantic import ValidationError
from support.pgqueuer import LEASE, SOON, Script, not_met, queue, retrying, until, work_off, working
from support.proxy import Proxy, proxy_to

NEVER = timedelta(minutes=10)
"""For workers that are to be woken, and not to look by themselves."""
A_WHILE = 5.0
"""Seconds in which something must happen that takes milliseconds."""


@pytest_asyncio.fixture
async def proxy(url: str) -> AsyncIterator[Proxy]:
    async with proxy_to(url) as proxy:
        yield proxy


async def is_empty(queries: Queries) -> bool:
    return not await queries.queue_size()


async def test_a_commit_wakes_a_worker_at_once(url: str, queries: Queries, script: Script) -> None:
    async with queue(url, {"act": script.act}) as made, working(made, dequeue_timeout=NEVER):
        for number in range(3):
            await queries.enqueue("act", b"%d" % number)
            await until(lambda: is_empty(queries), A_WHILE)
    assert len(script.runs) == 3


async def test_a_poll_finds_what_no_notice_tells_of(url: str, queries: Queries, script: Script) -> None:
    await queries.driver.execute("ALTER TABLE pgqueuer DISABLE TRIGGER USER")
    async with queue(url, {"act": script.act}) as made, working(made):
        await queries.enqueue("act", b"a")
        await until(lambda: is_empty(queries), A_WHILE)
    assert script.ran == [b"a"]


@not_met("after a restart of the database nothing listens until a poll", TimeoutError)
async def test_a_commit_wakes_a_worker_also_after_a_restart_of_the_database(
    url: str, queries: Queries, script: Script, proxy: Proxy
) -> None:
    options = {"dequeue_timeout": NEVER, "shutdown_on_listener_failure": True}
    async with queue(proxy.url, {"act": script.act}) as made, working(made, **options):
        await queries.enqueue("act", b"before")
        await until(lambda: is_empty(queries), A_WHILE)
        proxy.cut()
        await queries.enqueue("act", b"after")
        await until(lambda: is_empty(queries), A_WHILE)


class Cycles:
    """What ``pgq run --restart-on-failure`` calls, and whether it had to begin anew."""

    def __init__(self, make: Callable[[], AbstractAsyncContextManager[PgQueuer]]) -> None:
        self._make = make
        self.again = asyncio.Event()
        self.shutdown = asyncio.Event()
        self._has_begun = False

    @asynccontextmanager
    async def begin(self, *_: object) -> AsyncIterator[PgQueuer]:
        if self._has_begun:
            self.again.set()
        self._has_begun = True
        async with self._make() as made:
            yield made

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run it as documented for production, and stop it in the end."""
        running = asyncio.create_task(
            pgqueuer.run(
                self.begin,
                dequeue_timeout=SOON,
                heartbeat_timeout=LEASE,
                shutdown_on_listener_failure=True,
                restart_on_failure=True,
                restart_delay=SOON,
                shutdown=self.shutdown,
            )
        )
        try:
            yield
        finally:
            self.shutdown.set()
            await running


@not_met("what ends while the database is away is not written when it is back: the job runs a second time")
async def test_a_job_that_ends_without_the_database_runs_once_if_its_worker_lives(
    url: str, queries: Queries, script: Script, proxy: Proxy
) -> None:
    await queries.enqueue("act", b"a")
    cycles = Cycles(lambda: queue(proxy.url, {"act": script.wait}))
    async with cycles.running():
        await script.started[b"a"].wait()
        proxy.refuse()
        proxy.cut()
        script.released[b"a"].set()
        with suppress(TimeoutError):
            await asyncio.wait_for(cycles.again.wait(), A_WHILE)
        await proxy.listen()
        await until(lambda: is_empty(queries))
    assert script.ran == [b"a"]


async def test_a_worker_that_is_told_to_stop_takes_no_more_and_ends_what_it_has(
    url: str, queries: Queries, script: Script
) -> None:
    await queries.enqueue("act", b"a")
    await queries.enqueue("act", b"b", execute_after=timedelta(seconds=1))

    async def is_due() -> bool:
        return await queries.eligible_queued_work([QueueEntrypoint("act")]) > 0

    async with queue(url, {"act": script.wait}) as made, working(made) as worker:
        await script.started[b"a"].wait()
        made.shutdown.set()
        await until(is_due)
        script.released[b"a"].set()
        await worker
    assert script.ran == [b"a"]
    assert [job.payload for job in await queries.browse_queue()] == [b"b"]


@not_met("a job whose task is cancelled is deleted")
async def test_a_job_that_the_end_of_its_event_loop_cuts_short_goes_back_to_the_queue(
    url: str, queries: Queries, script: Script
) -> None:
    payloads, others = [b"a", b"b", b"c"], asyncio.all_tasks()
    for payload in payloads:
        await queries.enqueue("act", payload)
    async with queue(url, {"act": script.wait}) as made, working(made):
        for payload in payloads:
            await script.started[payload].wait()
        # As asyncio.run does when what it ran is over.
        for task in asyncio.all_tasks() - others:
            task.cancel()
    found = await queries.browse_queue()
    assert [(job.payload, job.status, job.attempts) for job in found] == [(one, "queued", 0) for one in payloads]


@not_met("a job of a kind that no worker has waits for ever")
async def test_an_unknown_kind_is_a_dead_letter(url: str, queries: Queries, script: Script) -> None:
    [gone] = await queries.enqueue("gone", b"a")
    await queries.driver.execute("UPDATE pgqueuer SET created = now() - interval '30 days', execute_after = created")
    await work_off(url, {"act": script.act}, **retrying(1))
    assert await status(queries, gone) != "queued"


async def status(queries: Queries, job_id: JobId) -> str:
    found = await queries.queue_job_by_id(job_id)
    return found.status if found else "gone"


async def test_a_payload_that_cannot_be_read_is_a_dead_letter(url: str, queries: Queries, script: Script) -> None:
    async def read(job: pgqueuer.Job) -> None:
        (job.payload or b"").decode("ascii")

    [job_id] = await queries.enqueue("act", b"\xff")
    await work_off(url, {"act": read}, on_failure="hold")
    assert await status(queries, job_id) == "failed"


@not_met("headers that are no object crash each worker that claims them", ValidationError)
async def test_headers_that_cannot_be_read_stop_no_worker(url: str, queries: Queries, script: Script) -> None:
    await queries.enqueue("act", b"bad", priority=1)
    await queries.driver.execute("UPDATE pgqueuer SET headers = '[]'")
    await queries.enqueue("act", b"good")
    await work_off(url, {"act": script.act})
    assert b"good" in script.ran
