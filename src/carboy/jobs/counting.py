"""Counts the jobs of each queue, for metrics."""

from carboy.jobs.daos import JobDao
from carboy.jobs.metrics import JobMetrics
from carboy.jobs.services import Clock
from carboy.services import Service, UnitOfWork, read_only


class QueueCounter(Service):
    """Counts the jobs that wait and run."""

    def __init__(self, unit_of_work: UnitOfWork, dao: JobDao, metrics: JobMetrics, clock: Clock) -> None:
        super().__init__(unit_of_work)
        self._dao = dao
        self._metrics = metrics
        self._clock = clock

    @read_only
    async def count(self) -> None:
        """Let metrics tell how many jobs each queue has now."""
        self._metrics.queues = await self._dao.counts(self._clock())
