"""Runs the handler of a job, and decides what its end means."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from carboy.di.provider_types import marker_of
from carboy.jobs import ends
from carboy.jobs.declaring import Job
from carboy.jobs.kinds import JobKinds
from carboy.jobs.policies import GiveUp, retry_after
from carboy.jobs.runs import JobRun, Report
from carboy.jobs.schemas import ClaimedJob, End
from carboy.jobs.services import Clock

SECONDS_BETWEEN_LOOKS = 30.0
"""How long a job waits for a worker that knows its kind or its payload's version."""

_log = logging.getLogger(__name__)


class Stop(StrEnum):
    """Why a handler is cancelled."""

    LOST = "lost"
    """Its worker has no lease on the job any more."""
    CANCELLED = "cancelled"
    """Somebody has asked for it."""
    RETURNED = "returned"
    """Its worker ends."""


class UnreadableError(Exception):
    """A payload is not what its kind takes."""


@dataclass(slots=True)
class Performer:
    """Runs handlers.

    Attributes:
        kinds: The kinds of job.
        resolve: Gives what a marker of the container names.
        clock: Tells the time.
        unknown_seconds: How long a job of a kind, or of a payload version, that this worker does not know waits for one
            that does, as while a new release is deployed. Then it is a dead letter.
    """

    kinds: JobKinds
    resolve: Callable[[str], Any]
    clock: Clock
    unknown_seconds: float

    def refuse(self, job: ClaimedJob) -> End | None:
        """Return the end of a job that is not to be run at all; None for one that is."""
        now, kind = self.clock(), self.kinds.find(job.kind)
        if kind is None:
            return self._wait_for_knowledge(job, now, f"This release has no job {job.kind}.")
        if job.payload_version > kind.declared.version:
            text = f"The payload has version {job.payload_version}, and this release reads {kind.declared.version}."
            return self._wait_for_knowledge(job, now, text)
        if job.deadline_at is not None and job.deadline_at <= now:
            return ends.dead(job, now, "Its deadline has passed.")
        if job.attempt > kind.declared.retries + 1:
            # Only a lease that lapses leaves an attempt without an end.
            return ends.dead(job, now, f"Its worker was lost {job.lapses} times, in the last attempt too.")
        return None

    def _wait_for_knowledge(self, job: ClaimedJob, now: datetime, text: str) -> End:
        if now - ends.waiting_since(job, now, text) >= timedelta(seconds=self.unknown_seconds):
            return ends.dead(job, now, text)
        return ends.delayed(job, now, SECONDS_BETWEEN_LOOKS, text)

    async def perform(self, job: ClaimedJob, report: Report) -> None:
        """Run the handler of a job. It raises what that does, and TimeoutError after its time."""
        kind = self.kinds.find(job.kind)
        assert kind is not None, "refuse() has seen to it"  # noqa: S101 - it narrows the type.
        arguments = self._read(kind, job)
        for name, parameter in kind.injected.items():
            marker = marker_of(parameter)
            arguments[name] = JobRun(job, report) if marker is None else self.resolve(marker.provider)
        async with asyncio.timeout(self._seconds(kind, job)):
            await _called(kind, arguments)

    def _read(self, kind: Job[...], job: ClaimedJob) -> dict[str, Any]:
        try:
            payload, declared = job.payload, kind.declared
            if declared.upgrade is not None and job.payload_version < declared.version:
                payload = to_json(declared.upgrade(job.payload_version, from_json(payload))).decode()
            return kind.payload.read(payload)
        except ValidationError as error:
            raise UnreadableError(f"Its payload cannot be read: {error}") from error
        except Exception as error:
            raise UnreadableError(f"Its payload cannot be upgraded: {error}") from error

    def _seconds(self, kind: Job[...], job: ClaimedJob) -> float | None:
        left = [] if kind.declared.timeout is None else [kind.declared.timeout]
        if job.deadline_at is not None:
            left.append((job.deadline_at - self.clock()).total_seconds())
        return min(left, default=None)

    def end_of(self, job: ClaimedJob, error: BaseException | None, stop: Stop | None) -> End | None:
        """Return what becomes of a job whose handler has ended, with an error or without; None if it is not ours."""
        now = self.clock()
        if error is None:
            return ends.done(job, now)
        if stop is Stop.LOST:
            return None
        if isinstance(error, asyncio.CancelledError) and stop is not None:
            return ends.cancelled(job, now) if stop is Stop.CANCELLED else ends.returned(job)
        return self._failed(job, error, now)

    def _failed(self, job: ClaimedJob, error: BaseException, now: datetime) -> End:
        kind = self.kinds.find(job.kind)
        assert kind is not None, "as in perform()"  # noqa: S101 - it narrows the type.
        declared, text = kind.declared, f"{type(error).__qualname__}: {error}"
        if isinstance(error, (GiveUp, UnreadableError, *declared.gives_up_on)):
            return ends.dead(job, now, text)
        if job.deadline_at is not None and job.deadline_at <= now:
            return ends.dead(job, now, f"Its deadline has passed. {text}")
        if (delay := retry_after(error)) is not None:
            return ends.delayed(job, now, delay, text)
        if job.attempt > declared.retries:
            return ends.dead(job, now, text)
        return ends.retried(job, now, declared.backoff.delay(job.attempt), text)


async def _called(kind: Job[...], arguments: dict[str, Any]) -> None:
    try:
        await kind.function(**arguments)
    except (SystemExit, KeyboardInterrupt) as error:
        # It would end the event loop, and with it the server.
        raise RuntimeError(f"The handler raised {type(error).__name__}.") from error
