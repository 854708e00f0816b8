"""PgQueuer's schedules: who fires a tick, how often, and when."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pgqueuer import PgQueuer, Queries
from pgqueuer.models import CronExpressionEntrypoint, Schedule
from pgqueuer.types import CronEntrypoint, CronExpression
from support.pgqueuer import not_met, opened, until, working

BEHIND = timedelta(seconds=5)
PERIOD = 3
EACH_PERIOD = f"* * * * * */{PERIOD}"
ZONE = "Asia/Tokyo"


class Ticks:
    """The schedule `report`, and as what its handler saw it in each firing."""

    def __init__(self) -> None:
        self.fired: list[Schedule] = []

    async def report(self, schedule: Schedule) -> None:
        self.fired.append(schedule)

    @asynccontextmanager
    async def worker(self, url: str, expression: str, queries: type[Queries] = Queries) -> AsyncIterator[PgQueuer]:
        async with opened(url) as own:
            made = PgQueuer(own.driver, queries=queries(own.driver))
            made.schedule("report", expression)(self.report)
            yield made

    async def has_fired(self, times: int) -> bool:
        return len(self.fired) >= times


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


async def insert(queries: Queries, expression: str, due_in: timedelta) -> None:
    key = CronExpressionEntrypoint(CronEntrypoint("report"), CronExpression(expression))
    await queries.insert_schedule({key: due_in})


async def test_a_tick_fires_once_over_three_workers(url: str, ticks: Ticks) -> None:
    expression = "* * * * * *"
    async with (
        ticks.worker(url, expression) as one,
        ticks.worker(url, expression) as two,
        ticks.worker(url, expression) as three,
        working(one),
        working(two),
        working(three),
    ):
        await until(lambda: ticks.has_fired(3))
    following = [schedule.next_run for schedule in ticks.fired]
    assert len({*following}) == len(following)


async def test_ticks_that_nobody_was_there_for_fire_once_together(url: str, queries: Queries, ticks: Ticks) -> None:
    expression = "0 0 1 1 *"
    await insert(queries, expression, -timedelta(days=1000))
    async with ticks.worker(url, expression) as made, working(made):
        await until(lambda: ticks.has_fired(1))
    assert [schedule.next_run > datetime.now(UTC) for schedule in ticks.fired] == [True]


@not_met("a worker whose clock is behind fires a tick when it is due, and again when it is due by its own clock")
async def test_a_tick_fires_once_also_if_the_clock_of_a_worker_is_behind(
    url: str, queries: Queries, ticks: Ticks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgqueuer.core.executors.utc_now", lambda: datetime.now(UTC) - BEHIND)
    expression = f"* * * * * {datetime.now(UTC).second}"
    async with ticks.worker(url, expression) as made:
        # As a worker has left it whose clock is right: the tick is due now.
        await insert(queries, expression, timedelta(0))
        async with working(made):
            with suppress(TimeoutError):
                await until(lambda: ticks.has_fired(2), 2 * BEHIND.total_seconds())
    assert len(ticks.fired) == 1


class SlowQueries(Queries):
    """The first answer of a database that takes a moment: the next tick comes between question and answer."""

    tick: datetime | None = None

    async def fetch_schedule(self, entrypoints: dict[CronExpressionEntrypoint, timedelta]) -> list[Schedule]:
        found = await super().fetch_schedule(entrypoints)
        if self.tick is None:
            self.tick = tick = datetime.now(UTC) + min(entrypoints.values())
            await until(lambda: is_past(tick))
        return found


async def is_past(moment: datetime) -> bool:
    return datetime.now(UTC) > moment


async def begin_of_period() -> bool:
    return time.time() % PERIOD < PERIOD / 3


@not_met("a tick that comes while a worker looks for ticks fires a period late")
async def test_a_tick_that_comes_while_a_worker_looks_fires_in_its_period(url: str, ticks: Ticks) -> None:
    async with ticks.worker(url, EACH_PERIOD, SlowQueries) as made:
        slow = made.queries
        assert isinstance(slow, SlowQueries)

        async def is_over() -> bool:
            return slow.tick is not None and await is_past(slow.tick + timedelta(seconds=PERIOD))

        await until(begin_of_period)
        async with working(made):
            await until(is_over)
            fired = len(ticks.fired)
    assert fired == 1


@pytest.fixture
def _elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the time of this process be another one than UTC."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", ZONE)
        time.tzset()
        yield
    time.tzset()


@not_met("hours are those of UTC, and no other time zone can be stated")
@pytest.mark.usefixtures("_elsewhere")
async def test_an_hour_is_that_of_the_time_zone(url: str, queries: Queries, ticks: Ticks) -> None:
    async def is_known() -> bool:
        return bool(await queries.peek_schedule())

    async with ticks.worker(url, "0 9 * * *") as made, working(made):
        await until(is_known)
    [schedule] = await queries.peek_schedule()
    assert schedule.next_run.astimezone(ZoneInfo(ZONE)).hour == 9
