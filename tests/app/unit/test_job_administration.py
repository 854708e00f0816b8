"""What operators do to background jobs, which is written down."""

from collections.abc import AsyncIterator

import pytest
from support.accounts import ADMIN

from app.audit.schemas import AuditEventQuery
from app.operations.services import JobAdministration
from carboy.jobs import job
from carboy.jobs.errors import JobNotFoundError, JobStateError
from carboy.jobs.kinds import JobKinds
from carboy.jobs.schemas import JobQuery, KindCount, State
from carboy.testing import override
from containers import Container


@job(name="tidy")
async def tidy(room: str) -> None:
    """Tidy a room up."""


@job(name="paint")
async def paint(room: str) -> None:
    """Paint a room."""


@pytest.fixture
async def administration(container: Container) -> AsyncIterator[JobAdministration]:
    with override(container, job_kinds=JobKinds(tidy, paint)):
        for room in ("hall", "attic", "cellar"):
            await container.jobs().enqueue(tidy, room)
        await container.jobs().enqueue(paint, "hall")
        yield container.job_administration()


async def test_jobs_are_listed_newest_first_by_state_and_kind(administration: JobAdministration) -> None:
    first = await administration.list_jobs(JobQuery(kind="tidy", limit=2))
    assert [one.id for one in first.items] == [3, 2]
    rest = await administration.list_jobs(JobQuery(kind="tidy", limit=2, cursor=first.next_cursor))
    assert [one.id for one in rest.items] == [1]
    await administration.cancel(ADMIN, 2)
    cancelled = await administration.list_jobs(JobQuery(state=State.CANCELLED))
    assert [one.id for one in cancelled.items] == [2]


async def test_jobs_are_counted_by_kind_and_state_without_those_that_are_done(
    administration: JobAdministration, container: Container
) -> None:
    await administration.cancel(ADMIN, 2)
    assert await administration.counts() == [
        KindCount("paint", State.WAITING, 1),
        KindCount("tidy", State.CANCELLED, 1),
        KindCount("tidy", State.WAITING, 2),
    ]


async def test_what_is_done_to_a_job_is_written_down(administration: JobAdministration, container: Container) -> None:
    await administration.cancel(ADMIN, 1)
    await administration.retry(ADMIN, 1)
    assert (await administration.get_job(1)).state is State.WAITING
    await administration.drop(ADMIN, 1)
    with pytest.raises(JobNotFoundError):
        await administration.get_job(1)
    events = (await container.audit_service().list_events(AuditEventQuery())).items
    assert [(one.event, one.target, one.details) for one in events] == [
        (f"job.{what}", "job 1", {"kind": "tidy"}) for what in ("cancelled", "retried", "dropped")
    ]


async def test_what_cannot_be_done_is_not_written_down(administration: JobAdministration, container: Container) -> None:
    with pytest.raises(JobStateError):
        await administration.retry(ADMIN, 1)
    with pytest.raises(JobNotFoundError):
        await administration.drop(ADMIN, 99)
    assert (await container.audit_service().list_events(AuditEventQuery())).items == []
