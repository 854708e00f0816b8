"""Enqueues jobs, and tells what became of them."""

import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import ParamSpec, Protocol

from carboy.jobs.context import current_context
from carboy.jobs.daos import JobDao
from carboy.jobs.declaring import Job
from carboy.jobs.errors import JobNotFoundError, JobStateError
from carboy.jobs.kinds import JobKinds
from carboy.jobs.policies import rank_of
from carboy.jobs.schemas import Enqueued, JobProgress, JobRead, QueueCount, State
from carboy.jobs.signals import JobSignals
from carboy.schemas.events import Event
from carboy.services import Service, UnitOfWork, read_only, transactional
from carboy.services.channels import Readings
from carboy.telemetry.tracing import span

P = ParamSpec("P")
Clock = Callable[[], datetime]
Monotonic = Callable[[], float]
"""A clock in seconds that nobody sets."""


def utc_now() -> datetime:
    return datetime.now(UTC)


def seconds_since_boot() -> float:
    """Return seconds that no change of the system's clock changes."""
    # It goes on while a machine sleeps, when others may take over what is leased; not every system has it.
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class JobUnitOfWork(UnitOfWork, Protocol):
    """A unit of work that gives a hint after it has committed."""

    def after_commit(self, hint: Callable[[], None]) -> None:
        """Call something after the current transaction has committed."""


class Jobs(Service):
    """Says that something shall happen if, and only if, the current transaction commits: it enqueues a job."""

    def __init__(
        self, unit_of_work: JobUnitOfWork, jobs: JobDao, kinds: JobKinds, signals: JobSignals, clock: Clock = utc_now
    ) -> None:
        super().__init__(unit_of_work)
        self._committing = unit_of_work
        self._jobs = jobs
        self._kinds = kinds
        self._signals = signals
        self._clock = clock

    async def enqueue(self, job: Job[P], /, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        """Enqueue a job in the current transaction, or in one of its own.

        A transaction that is rolled back leaves no job; one that has committed has it done, whatever is killed when.

        Args:
            job: Its kind, with `Job.options` if this one differs.
            *args: The payload, as the function takes it, without what is injected.
            **kwargs: The same.

        Raises:
            TypeError: The payload does not fit the function.
            pydantic.ValidationError: A part of it is not of its type.
            RuntimeError: The container does not know the kind.
        """
        self._kinds.require(job)
        with span(f"enqueue {job.name}", "producer", **{"messaging.destination.name": job.declared.queue}):
            return await self._add(self._row(job, job.payload.write(args, kwargs)))

    @transactional
    async def _add(self, row: Mapping[str, object]) -> Enqueued:
        enqueued = await self._jobs.enqueue(row)
        if enqueued.is_new:
            self._committing.after_commit(self._signals.work.give)
        return enqueued

    def _row(self, job: Job[...], payload: str) -> Mapping[str, object]:
        declared, timing = job.declared, job.timing
        priority = declared.priority if timing.priority is None else timing.priority
        deadline = declared.deadline if timing.deadline is None else timing.deadline
        now = self._clock()
        due_at = (timing.at or now) + timedelta(seconds=timing.delay)
        unique = declared.unique
        return {
            "kind": job.name,
            "queue": declared.queue,
            "payload": payload,
            "payload_version": declared.version,
            "state": State.WAITING,
            "priority": priority,
            "scheduled_at": due_at,
            "due_at": due_at,
            "rank_at": rank_of(due_at, priority),
            "deadline_at": None if deadline is None else due_at + timedelta(seconds=deadline),
            "unique_key": None if unique is None else unique.key(payload),
            "unique_until": None if unique is None else unique.until,
            "idempotency_key": uuid.uuid4().hex,
            "context": current_context(),
            "created_at": now,
            "updated_at": now,
            "history": [],
        }

    @read_only
    async def status(self, job_id: int) -> JobRead:
        """Return where a job stands.

        Raises:
            JobNotFoundError: There is none with this id, or retention has removed it.
        """
        return await self._jobs.get(job_id)

    async def follow(self, job_id: int, last: str | None = None) -> AsyncGenerator[Event[JobProgress], None] | None:
        """Return how far a job comes, event by event, to its end; None for a client that has seen that.

        It is what a view answers with: ``EventStream(await jobs.follow(job_id, last))``. Whether the client may know of
        this job is for the view, or its service, to say before.

        Args:
            job_id: The job's.
            last: The `LastEventId` of a client that comes again.

        Raises:
            JobNotFoundError: There is none with this id, or retention has removed it.
        """
        now = JobProgress.model_validate(await self.status(job_id))
        return None if now.has_ended and now.event_id == last else self._follow(job_id, last)

    async def _follow(self, job_id: int, last: str | None) -> AsyncGenerator[Event[JobProgress], None]:
        with suppress(JobNotFoundError):
            async for job in Readings(self._signals.changes(job_id), lambda: self.status(job_id)):
                now = JobProgress.model_validate(job)
                if now.event_id != last:
                    last = now.event_id
                    yield Event(now, id=last)
                if now.has_ended:
                    return

    @transactional
    async def cancel(self, job_id: int) -> JobRead:
        """Cancel a job: at once if it waits, at its worker's next heartbeat if it runs.

        Raises:
            JobNotFoundError: There is none with this id.
            JobStateError: It has ended.
        """
        if not await self._jobs.end_waiting(job_id, self._clock()):
            if not await self._jobs.ask_to_cancel(job_id):
                await self._refuse(job_id, "cannot be cancelled")
            self._committing.after_commit(self._signals.cancel.give)
        self._committing.after_commit(partial(self._signals.changed, job_id))
        return await self._jobs.get(job_id)

    @transactional
    async def retry(self, job_id: int) -> JobRead:
        """Let a dead or cancelled job be run again, with all its attempts.

        Raises:
            JobNotFoundError: There is none with this id.
            JobStateError: It waits, runs or is done.
        """
        if not await self._jobs.retry(job_id, self._clock()):
            await self._refuse(job_id, "cannot be retried")
        self._committing.after_commit(self._signals.work.give)
        self._committing.after_commit(partial(self._signals.changed, job_id))
        return await self._jobs.get(job_id)

    @transactional
    async def drop(self, job_id: int) -> None:
        """Delete a job, and all that is known of it.

        Raises:
            JobNotFoundError: There is none with this id.
            JobStateError: It runs.
        """
        if not await self._jobs.drop(job_id):
            await self._refuse(job_id, "cannot be dropped")
        self._committing.after_commit(partial(self._signals.changed, job_id))

    async def _refuse(self, job_id: int, what: str) -> None:
        job = await self._jobs.get(job_id)
        raise JobStateError(f"Job {job_id} is {job.state} and {what}.")

    @transactional
    async def pause(self, queue: str) -> bool:
        """Let nothing more of a queue be begun; return False if it was so already."""
        return await self._jobs.pause(queue)

    @transactional
    async def resume(self, queue: str) -> bool:
        """Undo `pause`; return False if the queue was not paused."""
        if not await self._jobs.resume(queue):
            return False
        self._committing.after_commit(self._signals.work.give)
        return True

    @read_only
    async def paused(self) -> list[str]:
        """Return the names of the paused queues."""
        return await self._jobs.paused()

    @read_only
    async def counts(self) -> list[QueueCount]:
        """Return how many jobs each queue has that wait or run."""
        return await self._jobs.counts(self._clock())

    @read_only
    async def newest(self, *, states: Sequence[State], kind: str | None, limit: int) -> Sequence[JobRead]:
        """Return the jobs that were enqueued last, of these states, or of all if there are none, and of this kind."""
        return await self._jobs.newest(states, kind, limit=limit)
