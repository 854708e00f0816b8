"""Declares jobs: an async function with what is to be known of its kind."""

import inspect
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, ParamSpec

from carboy.di.provider_types import marker_of
from carboy.jobs.cron import Cron
from carboy.jobs.payloads import Payload, PayloadError
from carboy.jobs.policies import Backoff, Rate, Unique
from carboy.jobs.runs import JobRun

P = ParamSpec("P")
Upgrade = Callable[[int, dict[str, Any]], dict[str, Any]]
"""Turns a payload of an older version, which is given, into one of today's."""

INJECTED: Any = type("Injected", (), {"__repr__": lambda _self: "INJECTED"})()
"""The default of a parameter that whoever enqueues does not give: the container does, or it is the `JobRun`."""

DEFAULT_QUEUE = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOptions:
    """What is known of a kind of job. See `job`."""

    queue: str
    retries: int
    backoff: Backoff
    timeout: float | None
    deadline: float | None
    priority: int
    unique: Unique | None
    rate: Rate | None
    gives_up_on: tuple[type[Exception], ...]
    version: int
    upgrade: Upgrade | None
    schedule: Cron | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When one job is due, where that differs from its kind: at a moment, or after seconds."""

    delay: float = 0.0
    at: datetime | None = None
    priority: int | None = None
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Job(Generic[P]):
    """A kind of job. It is called as the function is, which is what a test of it does."""

    function: Callable[P, Coroutine[Any, Any, None]]
    name: str
    declared: JobOptions
    payload: Payload
    injected: Mapping[str, inspect.Parameter]
    timing: Timing = Timing()

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, None]:
        return self.function(*args, **kwargs)

    def __deepcopy__(self, _memo: object) -> "Job[P]":
        # A container copies its declaration with all arguments.
        return self

    def options(
        self,
        *,
        delay: float = 0.0,
        at: datetime | None = None,
        priority: int | None = None,
        deadline: float | None = None,
    ) -> "Job[P]":
        """Return the same kind for one job that differs: ``enqueue(remind.options(delay=3600), user_id=1)``.

        Args:
            delay: Seconds from now, or from `at`, until it is due.
            at: The moment, with a time zone, at which it is due.
            priority: Instead of the kind's.
            deadline: Likewise.
        """
        return replace(self, timing=Timing(delay=delay, at=at, priority=priority, deadline=deadline))

    def scheduled(self, schedule: Cron | None) -> "Job[P]":
        """Return the same kind with another schedule, or none, for schedules that are configured."""
        return replace(self, declared=replace(self.declared, schedule=schedule))


def job(  # noqa: PLR0913 - each is an option that stands by its name, and none has to be given.
    *,
    name: str | None = None,
    queue: str = DEFAULT_QUEUE,
    retries: int = 10,
    backoff: float = 2.0,
    longest_backoff: float = 3600.0,
    timeout: float | None = None,
    deadline: float | None = None,
    priority: int = 0,
    unique: Unique | None = None,
    rate: Rate | None = None,
    gives_up_on: tuple[type[Exception], ...] = (),
    version: int = 1,
    upgrade: Upgrade | None = None,
    schedule: Cron | None = None,
) -> Callable[[Callable[P, Coroutine[Any, Any, None]]], Job[P]]:
    """Make an async function a kind of job.

    Its parameters are the payload, which pydantic validates when a job is enqueued and again when it runs. Those with
    the default `INJECTED` are given by the container, as their marker says, or are the `JobRun`::

        @job(retries=5)
        async def send_welcome(user_id: int, users: Annotated[UserService, Provide["user_service"]] = INJECTED) -> None:

    A job runs at least once: a worker may be killed after the work and before it has said so. What must not happen
    twice uses `JobRun.idempotency_key`.

    Args:
        name: What its rows say; by default it follows from the module and the function, as ``users.send_welcome``.
        queue: One of the setting `jobs.queues`.
        retries: How often a job that failed is run again, before it is a dead letter.
        backoff: Seconds, at most, before the first retry; they double with each further one.
        longest_backoff: Seconds that no such delay exceeds.
        timeout: Seconds that one run may take; then it has failed.
        deadline: Seconds from when a job is due until it is given up, wherever it is then.
        priority: Each step is worth a minute: a job with 5 comes before those with 0 that have waited up to 5 minutes
            longer.
        unique: Which jobs of the kind stand for one another.
        rate: How many may start within some time, by all workers.
        gives_up_on: Errors after which another run would not help: the job is a dead letter at once.
        version: The payload's. Count it up when what older code enqueues, or reads, does not fit any more.
        upgrade: Makes a payload of an older version one of this one.
        schedule: When it is enqueued by itself.

    Raises:
        TypeError: The function cannot be a job; its text says why.
    """
    options = JobOptions(
        queue=queue,
        retries=retries,
        backoff=Backoff(backoff, longest_backoff),
        timeout=timeout,
        deadline=deadline,
        priority=priority,
        unique=unique,
        rate=rate,
        gives_up_on=gives_up_on,
        version=version,
        upgrade=upgrade,
        schedule=schedule,
    )

    def declare(function: Callable[P, Coroutine[Any, Any, None]]) -> Job[P]:
        return _declare(function, name or _name_of(function), options)

    return declare


def _name_of(function: Callable[..., Any]) -> str:
    """Return ``users.send_welcome`` for the function of that name in ``app.users.jobs``."""
    modules = [part for part in function.__module__.split(".")[1:] if part != "jobs"]
    return ".".join([*modules, function.__name__])


def _declare(function: Callable[P, Coroutine[Any, Any, None]], name: str, options: JobOptions) -> Job[P]:
    place = f"job {name} ({function.__module__})"
    if not inspect.iscoroutinefunction(function):
        raise TypeError(f"{place}: write it as async def.")
    parameters = inspect.signature(function).parameters
    injected = {name: one for name, one in parameters.items() if one.default is INJECTED}
    given = [one for name, one in parameters.items() if name not in injected]
    for one in parameters.values():
        if isinstance(one.annotation, str):
            raise TypeError(f"{place}: remove 'from __future__ import annotations', which hides types.")
    for one in given:
        if marker_of(one) is not None or one.annotation is JobRun:
            raise TypeError(f"{place}: give the argument {one.name} the default INJECTED.")
    try:
        payload = Payload(given)
    except PayloadError as error:
        raise TypeError(f"{place}: {error}") from error
    if options.schedule is not None and payload.required:
        raise TypeError(f"{place}: it has a schedule, so that nobody gives it {', '.join(payload.required)}.")
    if options.unique is not None and (unknown := {*options.unique.by} - {*payload.names}):
        raise TypeError(f"{place}: it is unique by {', '.join(sorted(unknown))}, which it does not take.")
    return Job(function, name, options, payload, injected)
