"""10,000 jobs whose worker is killed ten times, and a table through which a million of them go."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import insert, select, text
from support.carboy_server import PROJECT
from support.databases import database_settings
from support.figures import Keep
from support.jobs_worker import LedgerContainer, note

from carboy.config.settings import Settings
from carboy.db import Database, create_engines, create_session_factory
from carboy.jobs.kinds import JobKinds
from carboy.jobs.models import StoredJob
from carboy.jobs.schemas import State
from carboy.models.base import table_of
from carboy.testing import override

JOBS, KILLS = 10_000, 10
CYCLES, JOBS_A_CYCLE = 10, 100_000
LEASE_SECONDS = 3
TABLE = table_of(StoredJob)


@contextmanager
def worker(ledger: Path, url: str, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {
        "CARBOY_ENV": "testing",
        "CARBOY_DATABASE__URL": url,
        "CARBOY_JOBS__LEASE_SECONDS": str(LEASE_SECONDS),
        "CARBOY_JOBS__QUEUES": "default:20",
        "PYTHONPATH": f"{PROJECT}/src:{PROJECT}/tests:{PROJECT}",
    }
    with log.open("ab") as errors:
        command = [sys.executable, "-m", "support.jobs_worker", str(ledger)]
        process = subprocess.Popen(command, cwd=PROJECT, env=environment, stderr=errors)  # noqa: S603 - it is the test's own.
        try:
            yield process
        finally:
            process.kill()
            process.wait()


async def states(database: Database) -> Counter[State]:
    statement = select(TABLE.c.state, text("count(*)")).group_by(TABLE.c.state)
    return Counter(dict([*row] for row in await database.read(lambda: database.execute(statement))))


async def until_done(database: Database, number: int) -> Counter[State]:
    while (found := await states(database))[State.DONE] < number and found[State.DEAD] == 0:  # noqa: ASYNC110 - there is no event for it.
        await asyncio.sleep(0.1)
    return found


@pytest.mark.timeout(1200)
async def test_no_job_is_lost_by_a_worker_that_is_killed_ten_times(
    database_url: str, settings: Settings, tmp_path: Path, tell: Callable[[str], None], keep: Keep
) -> None:
    ledger, log, container = tmp_path / "ledger", tmp_path / "log", LedgerContainer()
    own = settings.model_copy(update={"database": database_settings(database_url)})
    with override(container, settings=own, job_kinds=JobKinds(note)):
        database, jobs = container.database(), container.jobs()

        async def enqueue(numbers: range) -> None:
            for number in numbers:
                await jobs.enqueue(note, number)

        for begin in range(0, JOBS, 1000):
            numbers = range(begin, begin + 1000)
            await database.write(partial(enqueue, numbers))
        began = time.perf_counter()
        for kill in range(1, KILLS + 1):
            with worker(ledger, database_url, log):
                found = await until_done(database, JOBS * kill // (KILLS + 2))
            tell(f"kill {kill}: {dict(found)}")
        with worker(ledger, database_url, log):
            found = await until_done(database, JOBS)
        assert found == {State.DONE: JOBS}, log.read_text()
        await database.close()
    runs = [line.split() for line in ledger.read_text().splitlines()]
    keys = {number: {key for one, key, _ in runs if one == number} for number in {number for number, *_ in runs}}
    keep(
        f"{JOBS} jobs, {KILLS} kills, {time.perf_counter() - began:.1f} s: {len(runs) - JOBS} repeated",
        {"jobs lost": (JOBS - len(keys), 0)},
    )
    assert len(keys) == JOBS
    # Who repeats is known by its key.
    assert len({(number, key) for number, key, _ in runs}) == JOBS


@pytest.mark.timeout(1200)
async def test_a_million_jobs_leave_the_table_as_it_was(
    database_url: str, settings: Settings, tell: Callable[[str], None]
) -> None:
    container = LedgerContainer()
    with override(container, settings=settings.model_copy(update={"database": database_settings(database_url)})):
        database, sizes = container.database(), []
        for cycle in range(1, CYCLES + 1):
            await database.write(lambda: insert_ended(database, JOBS_A_CYCLE))
            began = time.perf_counter()
            await container.sweeper().sweep()
            seconds = time.perf_counter() - began
            assert await states(database) == {}
            sizes.append(await size_after_vacuum(database_url))
            tell(f"{cycle * JOBS_A_CYCLE} jobs: {JOBS_A_CYCLE} removed in {seconds:.1f} s, {sizes[-1] / 1e6:.1f} MB")
        await database.close()
    assert sizes[-1] <= sizes[1] * 1.1


async def insert_ended(database: Database, number: int) -> None:
    ended = datetime.now(UTC) - timedelta(days=2)
    moments = dict.fromkeys(("created_at", "updated_at", "scheduled_at", "due_at", "rank_at", "ended_at"), ended)
    row = {"kind": "note", "queue": "default", "payload": '{"number": 1}', "payload_version": 1, "priority": 0}
    row |= {"state": State.DONE, "idempotency_key": "0" * 32, "context": {}, "history": [], **moments}
    for _ in range(number // 10_000):
        await database.execute(insert(TABLE), [row] * 10_000, writes=True)


async def size_after_vacuum(url: str) -> int:
    """Return the bytes of the table, or of the SQLite file, after what autovacuum does on PostgreSQL by itself."""
    engines = create_engines(database_settings(url))
    database = Database(engines, create_session_factory())
    try:
        if engines.writer.dialect.name == "sqlite":
            return Path(engines.writer.url.database or "").stat().st_size  # noqa: ASYNC240 - nothing else runs here.
        await database.read(lambda: database.execute(text("VACUUM background_jobs")))
        size = text("SELECT pg_total_relation_size('background_jobs')")
        [(number,)] = await database.read(lambda: database.execute(size))
        return int(number)
    finally:
        await database.close()
