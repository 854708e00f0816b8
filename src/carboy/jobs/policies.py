"""How the jobs of a kind are retried, limited and kept apart; and what a handler may raise to say what comes next."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from pydantic_core import from_json, to_json

from carboy.jobs.schemas import UniqueUntil

SECONDS_PER_PRIORITY = 60.0
"""How much earlier each step of priority lets a job come."""
MAX_KEY_LENGTH = 200
"""A longer unique key is stored as its digest, as an index holds it."""
CLOCKS_DIFFER_SECONDS = 60.0
"""By how much those of hosts may."""
RETRY_AFTER_CAP_SECONDS = 24 * 3600.0
"""The longest delay that a failed handler may ask for."""


class Snooze(Exception):  # noqa: N818 - it is no error.
    """Raised by a handler: run the job again later. It does not count as an attempt.

    Args:
        seconds: When, from now.
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"snoozed for {seconds:g} s")
        self.retry_after = seconds


class GiveUp(Exception):  # noqa: N818 - it is raised with a reason, as an order.
    """Raised by a handler: the job becomes a dead letter at once, with this reason."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff with full jitter: a random part of what doubles with each attempt.

    Source: Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

    Attributes:
        first: Seconds, the longest delay before the second attempt.
        longest: Seconds that no delay exceeds.
    """

    first: float
    longest: float

    def delay(self, attempt: int) -> float:
        """Return the seconds to wait after this attempt, counted from 1."""
        # A float overflows at 2 ** 1024.
        return random.uniform(0, min(self.longest, self.first * 2.0 ** min(attempt - 1, 60)))  # noqa: S311 - chance, not secrecy.


@dataclass(frozen=True, slots=True)
class Rate:
    """At most this many starts within any such time, of one kind, by all workers together.

    Attributes:
        count: How many; each start is remembered for that time, so keep it below some hundreds.
        per: The time, in seconds.
    """

    count: int
    per: float

    def recent(self, starts: list[float], now: datetime) -> list[float]:
        """Return the starts that still count; not those of a clock that was ahead, and has been set back since."""
        at = now.timestamp()
        latest = at + max(self.per, CLOCKS_DIFFER_SECONDS)
        return [start for start in starts if at - self.per < start < latest]


@dataclass(frozen=True, slots=True)
class Unique:
    """One job of a kind at a time with the same values; whoever enqueues another gets the one that is there.

    Attributes:
        by: The names of the values; all of the payload's if there are none.
        until: The states over which it holds.
    """

    by: tuple[str, ...] = ()
    until: UniqueUntil = UniqueUntil.ENDED

    def key(self, payload: str) -> str:
        """Return the unique key of a payload, which is JSON."""
        values = from_json(payload)
        key = to_json([values.get(name) for name in self.by] if self.by else values).decode()
        return key if len(key) <= MAX_KEY_LENGTH else sha256(key.encode()).hexdigest()


def rank_of(due_at: datetime, priority: int) -> datetime:
    """Return what due jobs are ordered by."""
    return due_at - timedelta(seconds=SECONDS_PER_PRIORITY * priority)


def retry_after(error: BaseException) -> float | None:
    """Return the seconds after which a failed handler asks to be called again, if it does."""
    seconds = getattr(error, "retry_after", None)
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
        return None
    return min(max(float(seconds), 0.0), RETRY_AFTER_CAP_SECONDS)
