"""Nothing is left behind: no connection, thread, descriptor or process."""

import asyncio
import gc
import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import AsyncAdaptedQueuePool, make_url
from sqlalchemy.util import greenlet_spawn
from support.counting import CountingService

from carboy.db import Engines

TESTS = Path(__file__).parents[2]
SCRIPT = """
import asyncio, sys
from support.counting import CountingService
from support.databases import database_settings
from app.users.daos import UserDao
from carboy.db import Database, create_engines, create_session_factory

async def main(url):
    # The debugger's word on what takes long is about the machine.
    asyncio.get_running_loop().slow_callback_duration = 60
    database = Database(create_engines(database_settings(url)), create_session_factory())
    service = CountingService(database, UserDao(database))
    user = await service.add()
    await asyncio.gather(*(service.increment(user.id) for _ in range(5)), *(service.get(user.id) for _ in range(20)))
    await database.close()

asyncio.run(main(sys.argv[1]))
print("done")
"""


def checked_out(engines: Engines) -> int:
    pools = {engine.pool for engine in (engines.reader.sync_engine, engines.writer.sync_engine)}
    assert all(isinstance(pool, AsyncAdaptedQueuePool) for pool in pools)
    return sum(pool.checkedout() for pool in pools if isinstance(pool, AsyncAdaptedQueuePool))


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - these vanish while one looks.


async def settle(engines: Engines) -> None:
    """Wait for what goes on in the background after a cancellation, such as closing a connection."""
    async with asyncio.timeout(10):
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
    # Those that are kept for the next statement have not been left behind.
    await greenlet_spawn(engines.connections.close_idle)


@pytest.mark.parametrize("longest", [0.002, 0.02, 0.3], ids=["soon", "later", "late"])
async def test_cancelled_calls_leave_no_connection_checked_out(
    engines: Engines, service: CountingService, longest: float
) -> None:
    user = await service.add()
    await engines.dispose()
    chance = random.Random(7)  # noqa: S311 - repeatable chance, not secrecy.
    loop = asyncio.get_running_loop()
    tasks = []
    for number in range(300):
        task = asyncio.create_task(service.increment(user.id) if number % 3 else service.get(user.id))
        loop.call_later(chance.uniform(0, longest), task.cancel)
        tasks.append(task)
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert any(isinstance(result, asyncio.CancelledError) for result in results)
    await settle(engines)
    assert checked_out(engines) == 0

    acknowledged = sum(not isinstance(result, BaseException) for number, result in enumerate(results) if number % 3)
    assert await service.count(user.id) >= acknowledged
    await asyncio.gather(*(service.increment(user.id) for _ in range(10)))


async def test_a_call_that_is_cancelled_while_it_connects_leaves_nothing(
    engines: Engines, service: CountingService
) -> None:
    user = await service.add()
    await service.get(user.id)
    await engines.dispose()
    unheard: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    threads = set(threading.enumerate())
    gc.collect()
    before = descriptors()
    for turns in range(40):
        task = asyncio.create_task(service.get(user.id))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        await settle(engines)
        await engines.dispose()
    del task
    # A connection that nobody waits for is closed by its own thread, when that comes to it.
    for thread in set(threading.enumerate()) - threads:
        thread.join(timeout=5)
    gc.collect()
    await asyncio.sleep(0)
    assert set(threading.enumerate()) <= threads
    assert descriptors() == before
    assert unheard == []


async def test_a_cancelled_write_leaves_no_lock(engines: Engines, service: CountingService) -> None:
    user = await service.add()
    for turns in range(60):
        task = asyncio.create_task(service.increment(user.id))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task})
        async with asyncio.timeout(1):
            await service.increment(user.id)
    assert await service.count(user.id) >= 60


async def test_a_thousand_calls_leave_no_thread_and_no_descriptor(engines: Engines, service: CountingService) -> None:
    user = await service.add()

    async def many(times: int) -> None:
        for _ in range(times):
            await asyncio.gather(
                *(service.get(user.id) for _ in range(18)), *(service.increment(user.id) for _ in "ab")
            )
            cancelled = [asyncio.create_task(service.get(user.id)) for _ in range(3)]
            await asyncio.sleep(0)
            for task in cancelled:
                task.cancel()
            await asyncio.wait(cancelled)

    await many(5)
    await settle(engines)
    await engines.dispose()
    gc.collect()
    before = threading.active_count(), descriptors()
    await many(50)
    await settle(engines)
    await engines.dispose()
    gc.collect()
    assert threading.active_count() <= before[0]
    assert descriptors() <= before[1]


async def test_disposing_closes_all_connections_and_work_can_go_on(engines: Engines, service: CountingService) -> None:
    user = await service.add()
    await engines.dispose()
    before = descriptors()
    await asyncio.gather(*(service.get(user.id) for _ in range(20)))
    assert descriptors() > before
    await engines.dispose()
    assert descriptors() == before
    assert await service.count(user.id) == 0


def until(condition: str) -> str:
    """Return a statement that waits for what PostgreSQL says of its sessions."""
    loop = f"WHILE NOT ({condition}) LOOP PERFORM pg_stat_clear_snapshot(), pg_sleep(0.01); END LOOP"
    return f"DO $$ BEGIN {loop}; END $$"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_disposing_ends_the_sessions_at_the_server(
    engines: Engines, service: CountingService, database_url: str
) -> None:
    dsn = make_url(database_url).set(drivername="postgresql").render_as_string(hide_password=False)
    observer = await asyncpg.connect(dsn)
    sessions = "FROM pg_stat_activity WHERE datname = current_database()"
    try:
        # The observer's own, and what other tests may have left.
        others = ", ".join(str(row["pid"]) for row in await observer.fetch(f"SELECT pid {sessions}"))
        count = f"SELECT count(*) {sessions} AND pid NOT IN ({others})"
        user = await service.add()
        await asyncio.gather(*(service.get(user.id) for _ in range(20)))
        assert await observer.fetchval(f"{count} AND state = 'idle'") == 5
        assert await observer.fetchval(f"{count} AND state LIKE 'idle in transaction%'") == 0
        await engines.dispose()
        # The server takes its time to see that they have gone.
        await observer.execute(until(f"({count}) = 0"), timeout=5)
    finally:
        await observer.close()


def test_a_process_that_used_the_database_ends(database_url: str) -> None:
    command = [sys.executable, "-W", "error", "-X", "dev", "-c", SCRIPT, database_url]
    ended = subprocess.run(  # noqa: S603 - this interpreter.
        command, cwd=TESTS, capture_output=True, text=True, timeout=15, check=True
    )
    assert (ended.stdout, ended.stderr) == ("done\n", "")
