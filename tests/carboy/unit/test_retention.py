"""What is kept no longer goes, a few rows at a time, once for all workers."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from dependency_injector import providers
from flask import Flask
from support.databases import rows_of

from carboy.config.settings import RetentionSettings, Settings
from carboy.daos.kept import Kept
from carboy.di.wiring import WiringError
from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.jobs.daos import JobDao
from carboy.retention.services import Sweeper
from carboy.testing import ManualClock, MemoryDatabase, drain, override
from containers import Container

NOW = datetime(2026, 11, 27, 12, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def keys(database: MemoryDatabase) -> IdempotencyKeyDao:
    return IdempotencyKeyDao(database)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NOW)


@pytest.fixture
def container(settings: Settings, database: MemoryDatabase, clock: ManualClock) -> Iterator[Container]:
    container = Container()
    retention = RetentionSettings(schedule="*/10 * * * *", batch_rows=2)
    own = settings.model_copy(update={"retention": retention})
    with override(container, settings=own, database=database, clock=clock):
        yield container


async def store(database: MemoryDatabase, keys: IdempotencyKeyDao, *expire: datetime) -> None:
    row = {"scope": "users", "fingerprint": "f", "status": 201, "headers": {}, "body": "{}"}
    for number, expires_at in enumerate(expire):
        await database.write(partial(keys.add, row | {"key": str(number), "expires_at": expires_at}))


class Noted(Kept):
    """Notes how many rows each transaction has deleted."""

    def __init__(self, keys: IdempotencyKeyDao) -> None:
        super().__init__(keys, since="expires_at", age=HOUR)
        self.batches: list[int] = []

    async def delete(self, now: datetime, *, limit: int) -> int:
        self.batches.append(await super().delete(now, limit=limit))
        return self.batches[-1]


async def test_a_sweep_deletes_what_is_old_enough_a_few_rows_at_a_time(
    database: MemoryDatabase, keys: IdempotencyKeyDao, clock: ManualClock
) -> None:
    await store(database, keys, *[NOW - HOUR] * 5, NOW - HOUR + timedelta(microseconds=1))
    kept = Noted(keys)
    [swept] = await Sweeper(kept, unit_of_work=database, clock=clock, batch_rows=2).sweep()
    assert (swept.name, swept.rows, kept.batches) == ("idempotency_keys", 5, [2, 2, 1])
    assert [row["key"] for row in await rows_of(database, "idempotency_keys")] == ["5"]


async def test_what_is_kept_for_ever_is_not_swept(
    database: MemoryDatabase, keys: IdempotencyKeyDao, clock: ManualClock
) -> None:
    await store(database, keys, NOW - HOUR)
    kept = Kept(keys, since="expires_at", age=None)
    assert await Sweeper(kept, unit_of_work=database, clock=clock, batch_rows=2).sweep() == []
    assert len(await rows_of(database, "idempotency_keys")) == 1


async def test_one_of_all_workers_sweeps_at_each_tick_of_the_schedule(
    container: Container, database: MemoryDatabase, keys: IdempotencyKeyDao, clock: ManualClock
) -> None:
    assert await drain(container) == 0
    await store(database, keys, NOW)
    clock.forward(300)
    assert await drain(container) == 1
    assert await rows_of(database, "idempotency_keys") == []
    assert await drain(container) == 0
    clock.forward(24 * 3600 + 1)
    # The sweep removes what it has left behind itself.
    assert await drain(container) == 1
    assert [row["kind"] for row in await rows_of(database, "background_jobs")] == ["retention.sweep"]


def test_the_command_sweeps_now_and_prints_figures(app: Flask) -> None:
    told = app.test_cli_runner().invoke(args=["data", "sweep"])
    assert told.exit_code == 0, told.output
    lines = [line.split("  ") for line in told.output.splitlines()]
    assert "background_jobs done" in [line[0] for line in lines]
    assert {line[-1].strip().split()[-1] for line in lines} == {"s"}


@pytest.mark.parametrize(
    ("dao", "since", "problem"),
    [
        (IdempotencyKeyDao, "expired_at", "idempotency_keys has no column of moments 'expired_at'"),
        (IdempotencyKeyDao, "body", "idempotency_keys has no column of moments 'body'"),
        (JobDao, "ended_at", "background_jobs has no index on ended_at"),
    ],
)
def test_a_declaration_that_cannot_be_followed_ends_the_start(
    container: Container, create_app: Callable[..., Flask], dao: type[JobDao], since: str, problem: str
) -> None:
    container.sweeper.add_args(providers.Singleton(Kept, dao(container.database()), since=since))
    with pytest.raises(WiringError, match=problem):
        create_app(container)


def test_a_schedule_that_is_no_cron_expression_is_refused() -> None:
    for schedule in ("every minute", "0 0 31 2 *"):
        with pytest.raises(ValueError, match="no cron expression"):
            RetentionSettings(schedule=schedule, batch_rows=2)
