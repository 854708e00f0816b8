"""Tells whose workers are lost: by signs of life, not by the time of day, which is set and differs between hosts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from carboy.jobs.leases import Leased, Leases
from carboy.jobs.services import Monotonic

HEARTBEATS_PER_LEASE = 4
QUIET_LEASES = 0.5
"""How many leases a worker has been silent, two heartbeats, before its job is taken when the lease has ended."""
LONG_QUIET_LEASES = 3
"""The same for a lease that ends later than any should, as the clock was ahead when it was given. It may also be one
of a worker with longer leases, whose heartbeats are rarer."""


class _Seen(NamedTuple):
    lease: Leased
    since: float


class Watch:
    """Watches the leases that are not as a living worker's are, and tells which of them nobody prolongs.

    Kubernetes' leader election is as independent of clocks, for the same reason.

    Args:
        leases: Asks the database.
        lease: How long one lasts.
        monotonic: Measures how long nothing has happened.
    """

    def __init__(self, leases: Leases, lease: timedelta, monotonic: Monotonic) -> None:
        self._leases = leases
        self._lease = lease
        self._monotonic = monotonic
        self._seen: dict[int, _Seen] = {}

    def forget(self) -> None:
        """Begin anew, as while the database was away nobody could prolong a lease."""
        self._seen.clear()

    async def look(self, queues: Sequence[str], now: datetime) -> dict[str, list[Leased]]:
        """Return the jobs whose workers are lost, by queue. Called each heartbeat."""
        # A living worker's lease has less than half left, or more than the whole, for a moment at most.
        found = await self._leases.outside(now + self._lease / 2, now + self._lease * 1.5)
        at, before = self._monotonic(), self._seen
        self._seen = {
            one.id: before[one.id] if one.id in before and before[one.id].lease == one else _Seen(one, at)
            for one in found
        }
        lost: dict[str, list[Leased]] = {queue: [] for queue in queues}
        for lease, since in self._seen.values():
            if lease.queue in lost and self._is_lost(lease, at - since, now):
                lost[lease.queue].append(lease)
        return lost

    def _is_lost(self, lease: Leased, quiet: float, now: datetime) -> bool:
        least = QUIET_LEASES if lease.lease_until < now else LONG_QUIET_LEASES
        return quiet >= least * self._lease.total_seconds()
