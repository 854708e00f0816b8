from collections.abc import Sequence

from app.audit.schemas import Event
from app.audit.services import Audit, audited
from app.security import Actor
from carboy.jobs.daos import JobDao
from carboy.jobs.schemas import JobQuery, JobRead, KindCount
from carboy.jobs.services import Jobs
from carboy.schemas.base import Page
from carboy.services import Cursors, Service, UnitOfWork, read_only


class JobAdministration(Service):
    """Shows background jobs to operators, and writes down what they do to them."""

    def __init__(self, unit_of_work: UnitOfWork, jobs: Jobs, rows: JobDao, cursors: Cursors, audit: Audit) -> None:
        super().__init__(unit_of_work)
        self._jobs = jobs
        self._rows = rows
        self._cursors = cursors
        self._audit = audit

    @read_only
    async def list_jobs(self, query: JobQuery) -> Page[JobRead]:
        """Return one page of jobs.

        Raises:
            InvalidCursorError: The cursor is forged, or belongs to another list or sort.
        """
        return await self._cursors.page(self._rows, query)

    @read_only
    async def counts(self) -> Sequence[KindCount]:
        """Return how many jobs of each kind are in each state, without those that are done."""
        return await self._rows.counts_by_kind()

    @read_only
    async def get_job(self, job_id: int) -> JobRead:
        """Return a job.

        Raises:
            JobNotFoundError: There is none with this id, or retention has removed it.
        """
        return await self._jobs.status(job_id)

    @audited
    async def retry(self, actor: Actor, job_id: int) -> None:
        """Let a dead or cancelled job be run again, with all its attempts.

        Raises:
            JobNotFoundError: There is none with this id.
            JobStateError: It waits, runs or is done.
        """
        job = await self._jobs.retry(job_id)
        await self._record(Event.JOB_RETRIED, actor, job)

    @audited
    async def cancel(self, actor: Actor, job_id: int) -> None:
        """Cancel a job: at once if it waits, at its worker's next heartbeat if it runs.

        Raises:
            JobNotFoundError: There is none with this id.
            JobStateError: It has ended.
        """
        job = await self._jobs.cancel(job_id)
        await self._record(Event.JOB_CANCELLED, actor, job)

    @audited
    async def drop(self, actor: Actor, job_id: int) -> None:
        """Delete a job, and all that is known of it but this event.

        Raises:
            JobNotFoundError: There is none with this id.
            JobStateError: It runs.
        """
        job = await self._jobs.status(job_id)
        await self._jobs.drop(job_id)
        await self._record(Event.JOB_DROPPED, actor, job)

    async def _record(self, event: Event, actor: Actor, job: JobRead) -> None:
        await self._audit.record(event, actor, target=f"job {job.id}", kind=job.kind)
