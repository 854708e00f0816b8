"""The job that sweeps, as often as the configuration says: one worker does it, however many there are."""

from typing import Annotated

from dependency_injector.wiring import Provide

from carboy.jobs import INJECTED, Cron, Job, Unique, job
from carboy.retention.services import Sweeper


@job(unique=Unique(), retries=3)
async def sweep(sweeper: Annotated[Sweeper, Provide["sweeper"]] = INJECTED) -> None:
    """Delete what is kept no longer."""
    await sweeper.sweep()


def create_sweep(schedule: str | None) -> Job[...]:
    """Make the kind of job with the schedule that is configured; without one nobody enqueues it."""
    return sweep.scheduled(None if schedule is None else Cron(schedule))
