"""Schedules: the ticks of a cron expression in a time zone, and what becomes of those that nobody was there for."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

ON_TIME = timedelta(minutes=1)
"""A tick that is older was missed: no worker was there."""
MOST_AT_ONCE = 1000
"""Missed ticks that are made up for at once; those before them are left out."""


class Missed(StrEnum):
    """What becomes of ticks that passed while no worker ran."""

    ONCE = "once"
    """The last of them fires, as soon as a worker is there."""
    SKIP = "skip"
    """None fires."""
    ALL = "all"
    """Each fires."""


@dataclass(frozen=True, slots=True)
class Cron:
    """When a job is enqueued by itself, as Debian's cron reads it.

    When clocks go forward, a time of day that does not exist fires right after the gap; when they go back, one that
    comes twice fires once. What runs every so many minutes, or every hour, goes on evenly.

    Attributes:
        expression: Minute, hour, day of the month, month, day of the week; or six fields, seconds first.
        zone: The name of the time zone, as ``Europe/Berlin``.
        missed: What becomes of ticks that passed while no worker ran.
    """

    expression: str
    zone: str = "UTC"
    missed: Missed = Missed.ONCE

    def __post_init__(self) -> None:
        try:
            next(self.ticks(datetime(2026, 1, 1, tzinfo=UTC)))
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{self.zone!r} is no time zone that this system knows.") from error
        except CronSimError as error:
            raise ValueError(f"{self.expression!r} is no cron expression: {error}.") from error
        except StopIteration:
            raise ValueError(f"{self.expression!r} never comes.") from None

    def ticks(self, after: datetime) -> Iterator[datetime]:
        """Yield the ticks after a moment, in UTC."""
        zone = UTC if self.zone == "UTC" else ZoneInfo(self.zone)
        return (tick.astimezone(UTC) for tick in CronSim(self.expression, after.astimezone(zone)))

    def between(self, last: datetime, now: datetime) -> list[datetime]:
        """Return the ticks after one moment and not after another, the newest of them if they are too many."""
        found: list[datetime] = []
        for tick in self.ticks(last):
            if tick > now:
                break
            found.append(tick)
            del found[:-MOST_AT_ONCE]
        return found

    def firing(self, ticks: list[datetime], now: datetime) -> list[datetime]:
        """Return which of the ticks that have passed fire."""
        if self.missed is Missed.ALL:
            return ticks
        if self.missed is Missed.SKIP:
            ticks = [tick for tick in ticks if now - tick <= ON_TIME]
        return ticks[-1:]
