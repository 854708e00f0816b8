"""Workers on each database, with a clock that tests set."""

from collections.abc import Iterator

import pytest
from support.jobs import BEGIN, JOBS, JobContainer, Script, another_worker

from carboy.config.settings import Settings
from carboy.db import Database
from carboy.jobs import Jobs
from carboy.jobs.kinds import JobKinds
from carboy.jobs.worker import Worker
from carboy.testing import ManualClock, override

QUEUES = ("default:4", "mail:1")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(BEGIN)


@pytest.fixture
def job_container(settings: Settings, contract_database: Database, clock: ManualClock) -> Iterator[JobContainer]:
    container = JobContainer()
    jobs = settings.jobs.model_copy(update={"queues": QUEUES, "grace_seconds": 0.05, "unknown_seconds": 100.0})
    with override(
        container,
        settings=settings.model_copy(update={"jobs": jobs}),
        database=contract_database,
        clock=clock,
        monotonic=clock.monotonic,
        job_kinds=JobKinds(*JOBS),
    ):
        yield container


@pytest.fixture
def script(job_container: JobContainer) -> Script:
    return job_container.script()


@pytest.fixture
def jobs(job_container: JobContainer) -> Jobs:
    return job_container.jobs()


@pytest.fixture
def worker(job_container: JobContainer) -> Worker:
    return job_container.job_worker()


@pytest.fixture
def other(job_container: JobContainer) -> Worker:
    return another_worker(job_container)
