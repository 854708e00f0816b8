"""Removes jobs that ended long ago, and counts those that are there."""

from dataclasses import dataclass
from datetime import timedelta

from carboy.jobs.daos import JobDao
from carboy.jobs.metrics import JobMetrics
from carboy.jobs.schemas import QueueCount, State
from carboy.jobs.services import Clock
from carboy.services import Service, UnitOfWork, read_only, transactional

PURGE_LIMIT = 1000
"""Rows that one transaction deletes: few enough that nobody waits for it for long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long jobs are kept after their end."""

    done: timedelta
    dead: timedelta
    """Cancelled ones too."""


class Sweeper(Service):
    """Keeps the table of jobs from growing for ever."""

    def __init__(
        self, unit_of_work: UnitOfWork, dao: JobDao, metrics: JobMetrics, retention: Retention, clock: Clock
    ) -> None:
        super().__init__(unit_of_work)
        self._dao = dao
        self._metrics = metrics
        self._retention = retention
        self._clock = clock

    async def sweep(self) -> int:
        """Delete what is to be kept no longer, some at a time, and return how many there were."""
        removed = 0
        for states, age in (
            ([State.DONE], self._retention.done),
            ([State.DEAD, State.CANCELLED], self._retention.dead),
        ):
            while number := await self._purge(states, age):
                removed += number
        self._metrics.queues = await self._count()
        return removed

    @transactional
    async def _purge(self, states: list[State], age: timedelta) -> int:
        return await self._dao.purge(states, self._clock() - age, limit=PURGE_LIMIT)

    @read_only
    async def _count(self) -> list[QueueCount]:
        return await self._dao.counts(self._clock())
