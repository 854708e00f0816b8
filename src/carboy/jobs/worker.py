"""The loops of a worker: it claims jobs, keeps their leases and fires schedules, until it is told to stop."""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from carboy.config import SettingsError
from carboy.db.signals import Signal
from carboy.errors import UnavailableError
from carboy.jobs.counting import QueueCounter
from carboy.jobs.holding import Holding
from carboy.jobs.leases import Leases, Term
from carboy.jobs.performing import Stop
from carboy.jobs.policies import Rate
from carboy.jobs.rescuing import HEARTBEATS_PER_LEASE, Watch
from carboy.jobs.scheduling import Scheduler
from carboy.jobs.schemas import ClaimedJob
from carboy.jobs.services import Clock, Monotonic
from carboy.jobs.signals import JobSignals

LOOK_SECONDS = 1.0
"""How often a worker looks whether leases of its own have lapsed, and tries again what the database did not take."""
LAST_SECONDS = 5.0
"""What handlers may take to end after they were cancelled, when their worker stops."""
COUNT_SECONDS = 30.0
LONGEST_NAP_SECONDS = 30.0
"""Between two looks at the schedules, as a system's clock may be set meanwhile."""

_log = logging.getLogger("carboy.jobs")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """How a worker works.

    Attributes:
        queues: How many jobs of each queue it runs at once.
        rates: By queue and kind, the limits of those kinds that have one.
        lease: How long a job is kept from other workers without a sign of life.
        poll: Seconds after which it looks for jobs that nothing has told it of.
        grace: Seconds that handlers may take to end when it stops.
    """

    queues: Mapping[str, int]
    rates: Mapping[str, Mapping[str, Rate]]
    lease: timedelta
    poll: float
    grace: float


class Worker:
    """Works until it is told to stop. Several may share a database."""

    def __init__(  # noqa: PLR0913 - each is a part that stands by its name.
        self,
        *,
        leases: Leases,
        holding: Holding,
        watch: Watch,
        scheduler: Scheduler,
        counter: QueueCounter,
        signals: JobSignals,
        options: WorkerOptions,
        clock: Clock,
        monotonic: Monotonic,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._leases = leases
        self._holding = holding
        self._watch = watch
        self._scheduler = scheduler
        self._counter = counter
        self._signals = signals
        self._options = options
        self._clock = clock
        self._monotonic = monotonic
        self._heartbeat = options.lease / HEARTBEATS_PER_LEASE
        self._is_stopping = False
        self._looked_at: datetime | None = None
        self._wake_at = clock()

    @property
    def queues(self) -> Sequence[str]:
        """The queues that it takes jobs of."""
        return [*self._options.queues]

    def serve_only(self, queues: Sequence[str]) -> None:
        """Take jobs of these queues alone.

        Raises:
            SettingsError: There is no such queue.
        """
        for queue in queues:
            if queue not in self._options.queues:
                raise SettingsError(f"jobs.queues: there is no {queue}.")
        rooms = {queue: room for queue, room in self._options.queues.items() if queue in queues}
        self._options = replace(self._options, queues=rooms)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Work within; at the end let handlers end within the grace, and give the other jobs back."""
        signals, beat = self._signals, self._heartbeat.total_seconds()
        keeping = [
            self._loop(self.beat, lambda: beat, signals.cancel),
            self._loop(self.drop_lapsed, lambda: LOOK_SECONDS),
        ]
        taking = [
            self._loop(self.claim, lambda: min(self._until(self._wake_at), self._options.poll), signals.work),
            self._loop(self.rescue, lambda: beat),
            self._loop(self.fire, lambda: self._until(self._scheduler.next_tick())),
            self._loop(self.count, lambda: COUNT_SECONDS),
        ]
        try:
            yield
        finally:
            self.take_no_more()
            await _cancelled(taking)
            await self.return_all()
            await _cancelled(keeping)

    def take_no_more(self) -> None:
        """Claim nothing from now on; what runs goes on. It may be called from any thread."""
        self._is_stopping = True

    async def return_all(self) -> None:
        """Wait for the handlers that run, for the grace; cancel the others and give their jobs back as they were."""
        if not await self._holding.until_idle(self._options.grace):
            self._holding.end_all(Stop.RETURNED)
            if not await self._holding.until_idle(LAST_SECONDS):
                _log.error("these jobs do not end though they were cancelled: %s", ", ".join(self._holding.names()))

    async def claim(self) -> int:
        """Take what is due and there is room for, and return how many jobs that are."""
        now, number = self._clock(), 0
        if self._looked_at is None or now < self._looked_at:
            await self._leases.hasten(now)
        self._looked_at = now
        self._wake_at = now + timedelta(seconds=self._options.poll)
        for queue, most in self._options.queues.items():
            room = most - self._holding.count(queue)
            if room <= 0 or self._is_stopping:
                continue
            due_at = await self._leases.next_due(queue)
            if due_at is not None and due_at <= now:
                number += await self._claim(queue, room, now)
            elif due_at is not None:
                self._wake_at = min(self._wake_at, due_at)
        return number

    async def _claim(self, queue: str, room: int, now: datetime) -> int:
        term, began = self._term(now), self._monotonic()
        rates = self._options.rates.get(queue, {})
        return self._begin(await self._leases.claim(term, queue, limit=room, rates=rates), began)

    def _term(self, now: datetime) -> Term:
        return Term(self.name, now, now + self._options.lease)

    def _begin(self, jobs: list[ClaimedJob], claimed_at: float) -> int:
        for job in jobs:
            self._holding.begin(job, claimed_at)
        return len(jobs)

    async def rescue(self) -> int:
        """Take over the jobs of workers that are lost, and return how many."""
        if self._is_stopping:
            return 0
        now, number = self._clock(), 0
        lost = await self._watch.look([*self._options.queues], now)
        for queue, most in self._options.queues.items():
            room = most - self._holding.count(queue)
            if room > 0 and lost[queue]:
                began = self._monotonic()
                number += self._begin(await self._leases.rescue(self._term(now), lost[queue][:room]), began)
        return number

    async def beat(self) -> None:
        """Prolong the leases of what runs."""
        await self._holding.beat(self.name)

    async def drop_lapsed(self) -> None:
        """Cancel what runs without a lease."""
        self._holding.drop_lapsed()

    async def fire(self) -> None:
        """Enqueue the jobs of schedules whose tick has come."""
        await self._scheduler.fire()

    async def count(self) -> None:
        """Count the jobs of each queue, for metrics."""
        await self._counter.count()

    async def until_idle(self) -> None:
        """Wait until nothing runs."""
        await self._holding.until_idle()

    def _until(self, moment: datetime | None) -> float:
        nap = LONGEST_NAP_SECONDS if moment is None else (moment - self._clock()).total_seconds()
        return min(max(nap, 0.0), LONGEST_NAP_SECONDS)

    def _loop(
        self, step: Callable[[], Awaitable[object]], seconds: Callable[[], float], signal: Signal | None = None
    ) -> asyncio.Task[None]:
        return asyncio.create_task(self._for_ever(step, seconds, signal or Signal()), name=f"jobs: {step.__name__}")

    async def _for_ever(
        self, step: Callable[[], Awaitable[object]], seconds: Callable[[], float], signal: Signal
    ) -> None:
        """Repeat a step whatever happens: a worker outlives its database."""
        while True:
            seen = signal.count
            try:
                await step()
            except UnavailableError as error:
                self._watch.forget()
                _log.warning("the worker waits for the database: %s", error)
                await asyncio.sleep(LOOK_SECONDS)
            except Exception:  # noqa: BLE001 - it is logged, and what comes next may go well.
                _log.exception("a worker's step failed")
                await asyncio.sleep(LOOK_SECONDS)
            else:
                await signal.wait(seen, seconds())


async def _cancelled(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
