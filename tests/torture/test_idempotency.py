"""1,000 requests, each sent ten times at once to two processes: exactly 1,000 rows. See `make torture`."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from support.databases import migrated, new_postgresql_database, why_unreachable
from support.idempotency import CLIENTS, Process, assert_answered_once, processes, send

KEYS = 1000
KEYS_AT_ONCE = 50


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if request.param == "sqlite":
        yield migrated(f"sqlite+aiosqlite:///{tmp_path}/carboy.db")
    elif reason := why_unreachable():
        pytest.fail(f"PostgreSQL cannot be reached: {reason}")
    else:
        with new_postgresql_database() as url:
            yield migrated(url)


async def count(process: Process) -> tuple[int, int]:
    statement = text("SELECT (SELECT count(*) FROM users) AS users, (SELECT count(*) FROM idempotency_keys) AS stored")
    [row] = await process.database.read(lambda: process.database.execute(statement))
    return row.users, row.stored


@pytest.mark.timeout(900)
async def test_a_thousand_requests_sent_ten_times_each_make_a_thousand_rows(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    told: Counter[str] = Counter()
    began = time.perf_counter()
    name = database_url.partition("+")[0]
    async with processes(database_url, 2) as two:
        for start in range(0, KEYS, KEYS_AT_ONCE):
            keys = range(start, start + KEYS_AT_ONCE)
            for answers in await asyncio.gather(*(send(two, f"key{key}", told) for key in keys)):
                assert_answered_once(answers)
            rows = await count(two[0])
            with capsys.disabled():
                print(f"{name}: {keys.stop} keys x {CLIENTS}, {rows} users and keys, told to come back: {dict(told)}")  # noqa: T201 - its figures are to be seen.
            assert rows == (keys.stop, keys.stop)
    with capsys.disabled():
        print(f"{name}: {time.perf_counter() - began:.1f} s")  # noqa: T201 - likewise.
