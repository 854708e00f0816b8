"""Workers whose database restarts or is away, behind a proxy to PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

import pytest
import pytest_asyncio
from support.databases import database_settings
from support.jobs import JOBS, JobContainer, Script, act
from support.proxy import Proxy
from support.sizes import size

from carboy.config.settings import Settings
from carboy.jobs import Jobs, State
from carboy.jobs.kinds import JobKinds
from carboy.testing import override

pytestmark = pytest.mark.alone
LEASE = size(4, 60)
ABSENCE = LEASE * 0.55
"""Seconds without the database. By then heartbeats have failed, and each try to write an end."""


@contextmanager
def process(settings: Settings, url: str, poll: float) -> Iterator[JobContainer]:
    """What a process of its own has: a container with a database that it shares with others."""
    container = JobContainer()
    jobs = settings.jobs.model_copy(update={"lease_seconds": LEASE, "poll_seconds": poll, "queues": ("default:4",)})
    database = database_settings(url, acquire_timeout=0.5, statement_timeout=1.0)
    with override(
        container,
        settings=settings.model_copy(update={"jobs": jobs, "database": database}),
        job_kinds=JobKinds(*(job for job in JOBS if job.declared.queue == "default")),
    ):
        yield container


@pytest_asyncio.fixture
async def enqueuing(settings: Settings, postgresql_url: str) -> AsyncIterator[Jobs]:
    with process(settings, postgresql_url, poll=30) as container:
        yield container.jobs()
        await container.notices().close()
        await container.database().close()


@pytest_asyncio.fixture
async def working(settings: Settings, proxy: Proxy) -> AsyncIterator[JobContainer]:
    with process(settings, proxy.url, poll=30) as container:
        worker = container.job_worker()
        await container.notices().open()
        async with worker.working():
            yield container
        await container.notices().close()
        await container.database().close()


async def ended(jobs: Jobs, *job_ids: int) -> list[State]:
    """Wait until jobs have ended, and return their states."""
    async with asyncio.timeout(20):
        while True:
            found = [await jobs.status(job_id) for job_id in job_ids]
            if all(one.has_ended for one in found):
                return [one.state for one in found]
            await asyncio.sleep(0.02)


async def test_a_worker_is_woken_by_another_process_also_after_a_restart_of_the_server(
    enqueuing: Jobs, working: JobContainer, proxy: Proxy
) -> None:
    for number in range(3):
        async with asyncio.timeout(10):
            # It polls every 30 seconds, so that only a notice can be in time.
            job_id = (await enqueuing.enqueue(act, str(number))).id
            assert await ended(enqueuing, job_id) == [State.DONE]
        proxy.cut()


@pytest.mark.timeout(60 + ABSENCE + LEASE)
async def test_a_worker_outlives_the_absence_of_its_database_in_claim_work_and_completion(
    enqueuing: Jobs, working: JobContainer, proxy: Proxy
) -> None:
    script: Script = working.script()
    script.blocks("ends meanwhile")
    script.blocks("goes on")
    early, late = [(await enqueuing.enqueue(act, label)).id for label in ("ends meanwhile", "goes on")]
    await asyncio.wait_for(asyncio.gather(*(script.entered[label].wait() for label in list(script.does))), 10)
    proxy.refuse()
    proxy.cut()
    script.released["ends meanwhile"].set()
    new = (await enqueuing.enqueue(act, "enqueued meanwhile")).id
    await asyncio.sleep(ABSENCE)
    assert (await enqueuing.status(early)).state is State.RUNNING
    await proxy.listen()
    assert await ended(enqueuing, early, new) == [State.DONE, State.DONE]
    await asyncio.sleep(LEASE / 2)
    script.released["goes on"].set()
    assert await ended(enqueuing, late) == [State.DONE]
    assert sorted(script.ran) == ["ends meanwhile", "enqueued meanwhile", "goes on"]
    assert script.cancelled == []
