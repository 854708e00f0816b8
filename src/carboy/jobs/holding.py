"""The jobs that run in this process: begun, kept by heartbeats, cancelled, and ended."""

import asyncio
import logging
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from time import monotonic

from structlog.contextvars import bind_contextvars, bound_contextvars, clear_contextvars

from carboy.jobs.finishing import Finisher
from carboy.jobs.leases import Leases
from carboy.jobs.metrics import JobMetrics
from carboy.jobs.performing import Performer, Stop
from carboy.jobs.schemas import ClaimedJob, End
from carboy.jobs.services import Clock, Monotonic
from carboy.jobs.signals import JobSignals
from carboy.telemetry.tracing import Span, Tracing, Value, note_failure

_log = logging.getLogger("carboy.jobs")


@dataclass(slots=True, eq=False)
class Running:
    """A job that runs here."""

    job: ClaimedJob
    held_until: float
    """When its lease ends, by the monotonic clock: who sets the system's takes no lease away."""
    handler: asyncio.Task[None] | None = None
    stop: Stop | None = None
    has_reported: bool = False
    """Whether somebody may follow it, who is to hear of its end."""

    def end(self, stop: Stop) -> None:
        """Cancel the handler; the first reason counts."""
        if self.stop is None:
            self.stop = stop
            if self.handler is not None:
                self.handler.cancel()


class Holding:
    """Runs jobs as long as their leases are held."""

    def __init__(  # noqa: PLR0913 - each is a part that stands by its name.
        self,
        *,
        leases: Leases,
        performer: Performer,
        signals: JobSignals,
        metrics: JobMetrics,
        lease: timedelta,
        clock: Clock,
        monotonic: Monotonic,
        tracing: Tracing,
    ) -> None:
        self._leases = leases
        self._performer = performer
        self._signals = signals
        self._metrics = metrics
        self._lease = lease
        self._clock = clock
        self._monotonic = monotonic
        self._tracing = tracing
        self._finisher = Finisher(leases)
        self._running: dict[Running, asyncio.Task[None]] = {}

    def count(self, queue: str) -> int:
        """Return how many jobs of a queue run."""
        return sum(one.job.queue == queue for one in self._running)

    def begin(self, job: ClaimedJob, claimed_at: float) -> None:
        """Run a job that was claimed at a moment of the monotonic clock."""
        running = Running(job, claimed_at + self._lease.total_seconds())
        self._running[running] = asyncio.create_task(self._hold(running), name=f"job {job.id} {job.kind}")
        self._metrics.running = len(self._running)

    async def until_idle(self, seconds: float | None = None) -> bool:
        """Wait until nothing runs, so many seconds at most; return whether that is so."""
        if self._running:
            await asyncio.wait(self._running.values(), timeout=seconds)
        return not self._running

    def end_all(self, stop: Stop) -> None:
        for one in self._running:
            one.end(stop)

    def names(self) -> list[str]:
        """Return what runs, for the log."""
        return sorted(f"{one.job.kind} {one.job.id}" for one in self._running)

    async def beat(self, worker: str) -> None:
        """Prolong all leases, and cancel the jobs that are lost or to be cancelled."""
        held = [one for one in self._running if one.stop is not Stop.LOST]
        if not held:
            return
        # The time before the statement: a lease must not end here later than it does there.
        until, held_until = self._clock() + self._lease, self._monotonic() + self._lease.total_seconds()
        found = await self._leases.heartbeat(worker, [(one.job.id, one.job.claims) for one in held], until=until)
        for one in held:
            if one.job.id not in found:
                one.end(Stop.LOST)
                continue
            one.held_until = held_until
            if found[one.job.id]:
                one.end(Stop.CANCELLED)

    def drop_lapsed(self) -> None:
        """Cancel the jobs whose leases could not be prolonged in time: another worker may have them by now."""
        now = self._monotonic()
        for one in self._running:
            if one.held_until <= now:
                one.end(Stop.LOST)

    async def _hold(self, running: Running) -> None:
        job = running.job
        clear_contextvars()
        bind_contextvars(**job.context, job=job.kind, job_id=job.id, attempt=job.attempt)
        told: dict[str, Value] = {
            "messaging.destination.name": job.queue,
            "messaging.message.id": str(job.id),
            "attempt": job.attempt,
        }
        try:
            with self._tracing.job(f"run {job.kind}", job.context, **told) as span:
                await self._run(running, span)
        except Exception:  # noqa: BLE001 - it is logged, and other jobs go on.
            # It is a fault of ours; the lease lapses.
            _log.exception("job %d could not be ended", job.id)
        finally:
            del self._running[running]
            self._metrics.running = len(self._running)
            self._signals.changed(job.id, everywhere=running.has_reported)
            self._signals.work.wake()

    async def _run(self, running: Running, span: Span) -> None:
        """Run a job, write how it ended, and tell of it."""
        job, began = running.job, monotonic()
        end, error = self._performer.refuse(job), None
        if end is None:
            error = await self._handle(running)
            end = self._performer.end_of(job, error, running.stop)
        is_ours = end is not None and await self._finisher.finish(end)
        outcome = end.outcome if end is not None and is_ours else "lost"
        span.set_attribute("carboy.job.outcome", outcome)
        if error is not None:
            note_failure(error)
        self._tell(job, end if is_ours else None, error, monotonic() - began)

    async def _handle(self, running: Running) -> BaseException | None:
        """Run the handler to its end and return what it raised."""
        performing = self._performer.perform(running.job, partial(self._report, running))
        running.handler = asyncio.create_task(performing)
        # Whoever ends this task means the handler.
        await asyncio.wait({running.handler})
        if running.handler.cancelled():
            return asyncio.CancelledError()
        return running.handler.exception()

    async def _report(self, running: Running, fraction: float, text: str | None) -> None:
        running.has_reported = True
        await self._leases.report((running.job.id, running.job.claims), fraction, text)
        self._signals.changed(running.job.id)

    def _tell(self, job: ClaimedJob, end: End | None, error: BaseException | None, seconds: float) -> None:
        outcome = "lost" if end is None else end.outcome
        self._metrics.ended(job.kind, outcome, seconds)
        level = (
            logging.ERROR if outcome == "dead" else logging.WARNING if outcome in {"retried", "lost"} else logging.INFO
        )
        said = end.history[-1]["error"] if end is not None and len(end.history) > len(job.history) else None
        with bound_contextvars(
            outcome=outcome, duration_ms=round(seconds * 1000, 2), **({"error": said} if said else {})
        ):
            _log.log(level, "job", exc_info=error if level > logging.INFO else None)
