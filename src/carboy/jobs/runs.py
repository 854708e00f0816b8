"""What a handler may know of its run."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from time import monotonic

from carboy.jobs.schemas import ClaimedJob

SECONDS_BETWEEN_REPORTS = 1.0

Report = Callable[[float, str | None], Awaitable[None]]


@dataclass(slots=True)
class JobRun:
    """One run of a job. A handler asks for it by ``run: JobRun = INJECTED``."""

    _job: ClaimedJob
    _report: Report
    _reported_at: float = 0.0

    @property
    def id(self) -> int:
        """The job's."""
        return self._job.id

    @property
    def idempotency_key(self) -> str:
        """Names this job to whoever must not do its work twice. It is the same in each of its runs."""
        return self._job.idempotency_key

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._job.attempt

    @property
    def scheduled_at(self) -> datetime:
        """When the job was to run first, in retries too; of a scheduled job it is the tick."""
        return self._job.scheduled_at

    async def progress(self, fraction: float, text: str | None = None) -> None:
        """Tell whoever follows the job how far it has come.

        It is written once a second at most, so that a handler may call it as often as it likes; a fraction of 1 is
        always written.

        Args:
            fraction: From 0 to 1.
            text: What is being done, for people.
        """
        now = monotonic()
        if fraction >= 1 or now - self._reported_at >= SECONDS_BETWEEN_REPORTS:
            self._reported_at = now
            await self._report(min(max(fraction, 0.0), 1.0), text)
