"""Makes the worker of a process."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from dependency_injector.containers import Container, DeclarativeContainer
from dependency_injector.providers import Provider

from carboy.config import SettingsError
from carboy.config.settings import JobSettings
from carboy.db import Database
from carboy.di.paths import providers_of, resolve
from carboy.jobs.counting import QueueCounter
from carboy.jobs.daos import JobDao
from carboy.jobs.holding import Holding
from carboy.jobs.kinds import JobKinds
from carboy.jobs.leases import Leases
from carboy.jobs.metrics import JobMetrics
from carboy.jobs.performing import Performer
from carboy.jobs.policies import Rate
from carboy.jobs.rescuing import Watch
from carboy.jobs.scheduling import Scheduler
from carboy.jobs.services import Clock, Jobs, Monotonic
from carboy.jobs.signals import JobSignals
from carboy.jobs.worker import Worker, WorkerOptions
from carboy.telemetry.tracing import Tracing


def create_performer(container: Container, kinds: JobKinds, clock: Clock, unknown_seconds: float) -> Performer:
    """Make what runs handlers, which gives them what they ask the container for.

    Raises:
        SettingsError: What is given is no container but the class of one.
    """
    if isinstance(container, type):
        # A class that extends a container has a `__self__` of its own, and what it inherits still has the other's.
        # Handlers would be given other objects than everybody else: a second database, without a test's overrides.
        extended = [one for one in container.mro() if issubclass(one, DeclarativeContainer)][-2]
        raise SettingsError(
            f"A class that extends the container must say so: write `__self__ = {extended.__name__}.__self__` in it."
        )
    providers = providers_of(container)
    return Performer(kinds, lambda path: _given(providers, path), clock, unknown_seconds)


def create_worker(  # noqa: PLR0913 - each is a provider that stands by its name.
    *,
    performer: Performer,
    database: Database,
    dao: JobDao,
    jobs: Jobs,
    signals: JobSignals,
    metrics: JobMetrics,
    settings: JobSettings,
    clock: Clock,
    monotonic: Monotonic,
    tracing: Tracing,
) -> Worker:
    """Make the worker of this process.

    Raises:
        SettingsError: A job goes to a queue that there is not.
    """
    kinds, leases = performer.kinds, Leases(database)
    options = _options(kinds, settings)
    return Worker(
        leases=leases,
        holding=Holding(
            leases=leases,
            performer=performer,
            signals=signals,
            metrics=metrics,
            lease=options.lease,
            clock=clock,
            monotonic=monotonic,
            tracing=tracing,
        ),
        watch=Watch(leases, options.lease, monotonic),
        scheduler=Scheduler(database, dao, jobs, kinds, clock),
        counter=QueueCounter(database, dao, metrics, clock),
        signals=signals,
        options=options,
        clock=clock,
        monotonic=monotonic,
    )


def _options(kinds: JobKinds, settings: JobSettings) -> WorkerOptions:
    rates: dict[str, dict[str, Rate]] = {queue: {} for queue in settings.room}
    for job in kinds:
        queue, rate = job.declared.queue, job.declared.rate
        if queue not in rates:
            raise SettingsError(f"jobs.queues: there is no {queue}, which {job.name} goes to.")
        if rate is not None:
            rates[queue][job.name] = rate
    return WorkerOptions(
        queues=settings.room,
        rates=rates,
        lease=timedelta(seconds=settings.lease_seconds),
        poll=settings.poll_seconds,
        grace=settings.grace_seconds,
    )


def _given(providers: Mapping[str, Provider[Any]], path: str) -> Any:
    provider = resolve(providers, path)
    if provider is None:
        raise LookupError(f"The container has no provider {path!r}.")
    return provider()
