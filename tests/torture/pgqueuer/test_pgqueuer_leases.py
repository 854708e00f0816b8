"""PgQueuer's leases: who runs a job, and how often."""

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import uuid4

from pgqueuer import JobId, Queries, RetryRequested
from pgqueuer.models import Job
from pgqueuer.ports.repository import EntrypointExecutionParameter
from pgqueuer.types import QueueEntrypoint, QueueManagerId
from support.carboy_server import PROJECT
from support.pgqueuer import LEASE, Handler, Script, not_met, queue, until, work_off, working

ATTEMPTS, MOST_CLAIMS = 2, 3


def killed(url: str) -> str:
    """Let a worker process claim the job that kills it, and return which one that was."""
    command = [sys.executable, "-m", "support.pgqueuer", url, str(ATTEMPTS - 1)]
    paths = {"PYTHONPATH": f"{PROJECT}/src:{PROJECT}/tests:{PROJECT}"}
    return subprocess.run(  # noqa: S603 - it is the test's own.
        command, cwd=PROJECT, env=os.environ | paths, stdout=subprocess.PIPE, text=True, check=False
    ).stdout.strip()


async def test_the_job_of_a_killed_worker_is_rescued_on_an_idle_queue(
    url: str, queries: Queries, script: Script
) -> None:
    [job_id] = await queries.enqueue("poison", b"a")
    assert await asyncio.to_thread(killed, url) == str(job_id)
    async with queue(url, {"poison": script.act}) as made, working(made):
        await until(lambda: is_gone(queries, job_id))
    assert [job.id for job in script.runs] == [job_id]


async def is_gone(queries: Queries, job_id: JobId) -> bool:
    return await queries.queue_job_by_id(job_id) is None


@not_met("a rescue counts no attempt, so that a job which kills its workers never ends")
async def test_a_job_that_kills_its_workers_ends_after_its_last_attempt(url: str, queries: Queries) -> None:
    await queries.enqueue("poison", b"a")
    claims = 0
    while claims < MOST_CLAIMS and await asyncio.to_thread(killed, url) != "":
        claims += 1
        await until(lambda: is_nobodys(queries))
    assert claims == ATTEMPTS


async def is_nobodys(queries: Queries) -> bool:
    return len(await queries.browse_queue(statuses=["picked"])) == len(await queries.stale_jobs(LEASE))


async def test_a_job_of_any_length_runs_once_while_its_worker_lives(url: str, queries: Queries, script: Script) -> None:
    [job_id] = await queries.enqueue("act", b"long")
    beats = set()

    async def has_beaten() -> bool:
        job = await queries.queue_job_by_id(job_id)
        assert job is not None
        beats.add(job.heartbeat)
        return max(beats) - min(beats) > 3 * LEASE

    async with (
        queue(url, {"act": script.wait}) as one,
        queue(url, {"act": script.wait}) as other,
        working(one),
        working(other),
    ):
        await until(has_beaten)
        script.released[b"long"].set()
        await until(lambda: is_gone(queries, job_id))
    assert script.ran == [b"long"]


@asynccontextmanager
async def stopped(url: str, resumes: Handler) -> AsyncIterator[tuple[threading.Event, "asyncio.Task[None]"]]:
    """Yield a worker that stands still in its job, as a process does that is stopped, and what lets it go on.

    Args:
        url: Its database.
        resumes: How the job goes on, in the worker's thread.
    """
    stands, goes_on = threading.Event(), threading.Event()

    async def stand(job: Job) -> None:
        stands.set()
        goes_on.wait()
        await resumes(job)

    worker = asyncio.create_task(asyncio.to_thread(asyncio.run, work_off(url, {"act": stand})))
    assert await asyncio.to_thread(stands.wait, 10)
    try:
        yield goes_on, worker
    finally:
        goes_on.set()
        await worker


@not_met("a worker that was stopped beyond its lease deletes the row while another one works on it")
async def test_who_has_lost_the_lease_cannot_complete_the_job(url: str, queries: Queries, script: Script) -> None:
    [job_id] = await queries.enqueue("act", b"a")
    async with (
        stopped(url, script.act) as (goes_on, worker),
        queue(url, {"act": script.wait}) as other,
        working(other),
    ):
        await script.started[b"a"].wait()
        goes_on.set()
        await worker
        found = await queries.queue_job_by_id(job_id)
        script.released[b"a"].set()
    assert found is not None
    assert found.status == "picked"


async def taken_by_another(queries: Queries) -> Job:
    """Claim the job whose lease has lapsed."""
    await until(lambda: is_nobodys(queries))
    kinds = {QueueEntrypoint("act"): EntrypointExecutionParameter(0)}
    [job] = await queries.dequeue(1, kinds, QueueManagerId(uuid4()), None, LEASE)
    return job


@not_met("the retry of a worker that was stopped beyond its lease starts a job that another one works on")
async def test_who_has_lost_the_lease_cannot_retry_the_job(url: str, queries: Queries, script: Script) -> None:
    async def retry_once(job: Job) -> None:
        await script.act(job)
        if job.attempts == 0:
            raise RetryRequested

    await queries.enqueue("act", b"a")
    async with stopped(url, retry_once) as (goes_on, worker):
        await taken_by_another(queries)
        goes_on.set()
        await worker
    assert len(script.runs) == 1


@not_met("a worker that was stopped beyond its lease works on, and its heartbeats count as those of the new owner")
async def test_who_has_lost_the_lease_is_cancelled(url: str, queries: Queries) -> None:
    cancelled, ends = asyncio.Event(), threading.Event()

    async def go_on(_job: Job) -> None:
        try:
            await asyncio.to_thread(ends.wait)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    await queries.enqueue("act", b"a")
    async with stopped(url, go_on) as (goes_on, _):
        taken = await taken_by_another(queries)
        goes_on.set()

        async def has_beaten() -> bool:
            found = await queries.queue_job_by_id(taken.id)
            return cancelled.is_set() or (found is not None and found.heartbeat > taken.heartbeat)

        with suppress(TimeoutError):
            await until(has_beaten)
        ends.set()
    assert cancelled.is_set()
