"""Enqueues the jobs of schedules, once for each tick however many workers there are."""

from datetime import datetime, timedelta
from itertools import islice

from carboy.jobs.cron import Cron
from carboy.jobs.daos import JobDao
from carboy.jobs.declaring import Job
from carboy.jobs.kinds import JobKinds
from carboy.jobs.services import Clock, Jobs
from carboy.services import Service, transactional
from carboy.services.transactions import UnitOfWork

MOST_AHEAD = timedelta(hours=1)
"""How far clocks may differ. A tick that was fired further ahead was fired by a clock that has been set back since."""


class Scheduler(Service):
    """Fires schedules. A schedule that is seen for the first time begins with its next tick."""

    def __init__(self, unit_of_work: UnitOfWork, dao: JobDao, jobs: Jobs, kinds: JobKinds, clock: Clock) -> None:
        super().__init__(unit_of_work)
        self._dao = dao
        self._jobs = jobs
        self._scheduled = [job for job in kinds if job.declared.schedule is not None]
        self._clock = clock
        self._next: dict[str, datetime] = {}
        """When each is to be looked at again, so that the database is asked at ticks alone."""
        self._looked_at: datetime | None = None

    async def fire(self) -> None:
        """Enqueue the jobs whose tick has come since somebody fired them last."""
        now = self._clock()
        if self._looked_at is not None and now < self._looked_at:
            self._next.clear()
        self._looked_at = now
        for job in self._scheduled:
            if job.name not in self._next or self._next[job.name] <= now:
                await self._fire(job, now)
                assert job.declared.schedule is not None  # noqa: S101 - it narrows the type.
                self._next[job.name] = next(job.declared.schedule.ticks(now))

    def next_tick(self) -> datetime | None:
        """Return the moment at which the next schedule fires."""
        return min(self._next.values(), default=None)

    @transactional
    async def _fire(self, job: Job[...], now: datetime) -> None:
        last = await self._dao.last_tick(job.name)
        if last is None:
            await self._dao.begin_schedule(job.name, now)
            return
        assert job.declared.schedule is not None  # noqa: S101 - as above.
        if _is_beyond(job.declared.schedule, last, now):
            await self._dao.advance_schedule(job.name, last, now)
            return
        ticks = job.declared.schedule.between(last, now)
        # Whoever moves the schedule forward fires it, in the same transaction.
        if ticks and await self._dao.advance_schedule(job.name, last, ticks[-1]):
            for tick in job.declared.schedule.firing(ticks, now):
                await self._jobs.enqueue(job.options(at=tick))


def _is_beyond(schedule: Cron, last: datetime, now: datetime) -> bool:
    """Tell whether the last tick lies so far ahead that to wait until time has come there would leave ticks out.

    One tick alone is waited for, as it has been fired: what runs once a day does not run twice.
    """
    return last - now > MOST_AHEAD and all(tick <= last for tick in islice(schedule.ticks(now), 2))
