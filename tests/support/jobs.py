"""Jobs of tests, and workers whose clock a test sets."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from dependency_injector import providers
from dependency_injector.wiring import Provide

from carboy.db import Notices
from carboy.jobs import INJECTED, Cron, Job, JobRun, Rate, Unique, UniqueUntil, job
from carboy.jobs.creating import create_worker
from carboy.jobs.metrics import JobMetrics
from carboy.jobs.signals import JobSignals
from carboy.jobs.worker import Worker
from containers import Container

BEGIN = datetime(2026, 11, 27, 12, tzinfo=UTC)


class Script:
    """What handlers do, as a test says, and which of them ran.

    Attributes:
        ran: The label of each run, in order; beside it the run.
        does: What a handler does, by label; by default nothing.
    """

    def __init__(self) -> None:
        self.ran: list[str] = []
        self.runs: list[JobRun] = []
        self.does: dict[str, Callable[[JobRun], Any]] = {}
        self.entered: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.released: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.cancelled: list[str] = []

    async def run(self, label: str, run: JobRun) -> None:
        self.ran.append(label)
        self.runs.append(run)
        action = self.does.get(label)
        if action is None:
            return
        result = action(run)
        if asyncio.iscoroutine(result):
            await result

    def blocks(self, label: str) -> None:
        """Let a handler wait until the test releases it, or it is cancelled."""

        async def wait(_run: JobRun) -> None:
            self.entered[label].set()
            try:
                await self.released[label].wait()
            except asyncio.CancelledError:
                self.cancelled.append(label)
                raise

        self.does[label] = wait

    def raises(self, label: str, error: BaseException) -> None:
        def fail(_run: JobRun) -> None:
            raise error

        self.does[label] = fail


class RefusedError(Exception):
    """What no retry would change."""


Scripted = Annotated[Script, Provide["script"]]


@job(retries=2, backoff=10)
async def act(label: str, script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    """Do what the script says."""
    await script.run(label, run)


@job(queue="mail", gives_up_on=(RefusedError,))
async def send(label: str, script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    await script.run(label, run)


@job(timeout=0.05, retries=0)
async def hurry(label: str, script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    await script.run(label, run)


@job(deadline=60, backoff=10)
async def expire(label: str, script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    await script.run(label, run)


@job(unique=Unique(by=("label",)))
async def once(label: str, note: str = "", script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    await script.run(label + note, run)


@job(unique=Unique(until=UniqueUntil.STARTED))
async def refresh(label: str, script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    await script.run(label, run)


@job(unique=Unique(until=UniqueUntil.REMOVED))
async def welcome(label: str, script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    await script.run(label, run)


@job(rate=Rate(2, per=60))
async def call(label: str, script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    await script.run(label, run)


def _upgraded(version: int, payload: dict[str, Any]) -> dict[str, Any]:
    return {"label": f"{payload['name']} of version {version}"}


@job(version=2, upgrade=_upgraded)
async def greet(label: str, script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    await script.run(label, run)


@job(schedule=Cron("*/10 * * * *"))
async def tick(script: Scripted = INJECTED, run: JobRun = INJECTED) -> None:
    await script.run(f"tick {run.scheduled_at:%H:%M}", run)


JOBS: list[Job[...]] = [act, send, hurry, expire, once, refresh, welcome, call, greet, tick]


class JobContainer(Container):
    """The application's container, with a script for handlers."""

    __self__ = Container.__self__
    script = providers.Singleton(Script)


def another_worker(container: JobContainer) -> Worker:
    """Make a worker as another process has it: it shares the database and nothing else."""
    return create_worker(
        performer=container.job_performer(),
        database=container.database(),
        dao=container.job_dao(),
        jobs=container.jobs(),
        signals=JobSignals(Notices(container.database(), container.engines())),
        metrics=JobMetrics(),
        settings=container.settings().jobs,
        clock=container.clock(),
        monotonic=container.monotonic(),
        tracing=container.tracing(),
    )


async def work_off(worker: Worker) -> int:
    """Run what is due, and what becomes due by that, to its end; return how many runs that were."""
    runs = 0
    while number := await worker.claim():
        runs += number
        await worker.until_idle()
    return runs
