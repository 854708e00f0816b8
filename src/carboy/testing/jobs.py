"""Jobs in tests: recorded, run at once, or drained."""

import uuid
from datetime import datetime, timedelta
from typing import Any, NamedTuple, ParamSpec

from dependency_injector.containers import Container
from pydantic_core import from_json

from carboy.jobs import Enqueued, Job, Jobs
from carboy.jobs.performing import Performer
from carboy.jobs.schemas import ClaimedJob
from carboy.jobs.worker import Worker

P = ParamSpec("P")


class Recorded(NamedTuple):
    """A job that was enqueued: the name of its kind, and its payload."""

    kind: str
    payload: dict[str, Any]


class RecordedJobs(Jobs):
    """Notes what is enqueued, and runs nothing: ``override(container, jobs=RecordedJobs())``.

    It notes at the call: also what a transaction enqueues that is rolled back later. Use `drain` where that matters.
    """

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []

    async def enqueue(self, job: Job[P], /, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        self.recorded.append(Recorded(job.name, from_json(job.payload.write(args, kwargs))))
        return Enqueued(len(self.recorded), is_new=True)


class InlineJobs(Jobs):
    """Runs each job where it is enqueued, in its transaction; what its handler raises is raised there.

    ``override(container, jobs=InlineJobs(container))``.
    """

    def __init__(self, container: Container) -> None:
        self._container = container
        self._number = 0

    async def enqueue(self, job: Job[P], /, *args: P.args, **kwargs: P.kwargs) -> Enqueued:
        self._number += 1
        performer: Performer = self._container.job_performer()
        await performer.perform(self._claimed(job, job.payload.write(args, kwargs)), _report)
        return Enqueued(self._number, is_new=True)

    def _claimed(self, job: Job[...], payload: str) -> ClaimedJob:
        now = self._container.clock()()
        return ClaimedJob(
            id=self._number,
            kind=job.name,
            queue=job.declared.queue,
            payload=payload,
            payload_version=job.declared.version,
            priority=0,
            attempt=1,
            claims=1,
            lapses=0,
            created_at=now,
            scheduled_at=now,
            due_at=now,
            deadline_at=None,
            idempotency_key=uuid.uuid4().hex,
            context={},
            history=[],
            owner="inline",
        )


async def _report(_fraction: float, _text: str | None) -> None:
    """Tell nobody."""


class ManualClock:
    """A clock that stands still until a test sets it: ``override(container, clock=ManualClock(...))``.

    Args:
        now: Where it stands; any moment of the past will do.
    """

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._seconds = 0.0

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        """Return the seconds that have passed: those of `forward`, not those by which ``now`` was set."""
        return self._seconds

    def forward(self, seconds: float) -> None:
        """Let seconds pass."""
        self.now += timedelta(seconds=seconds)
        self._seconds += seconds


async def drain(container: Container) -> int:
    """Run all jobs that are due, by schedule too, and those that they enqueue, and return how many runs that were.

    A retry after a delay is not due yet: set the container's ``clock`` forward for it.
    """
    worker: Worker = container.job_worker()
    await worker.fire()
    runs = 0
    while number := await worker.claim():
        runs += number
        await worker.until_idle()
    return runs
