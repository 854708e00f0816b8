"""A connection is kept for the next statement or transaction, and kept from nobody."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import nullcontext, suppress

import pytest
import pytest_asyncio
from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError, ResourceClosedError
from sqlalchemy.ext.asyncio import AsyncSession
from support.counting import CountingService
from support.databases import database_settings
from support.proxy import Proxy
from support.users import registration

from app.users.daos import UserDao
from app.users.errors import UsernameTakenError, UserNotFoundError
from app.users.models import User
from carboy.db import Database, Engines, create_engines, create_session_factory
from carboy.errors import DatabaseUnavailableError


@pytest_asyncio.fixture
async def small(database_url: str) -> AsyncIterator[Engines]:
    """Yield engines whose pools have one connection each; on PostgreSQL it is the same one for reading and writing."""
    engines = create_engines(database_settings(database_url, pool_size=1))
    yield engines
    await engines.dispose()


@pytest.fixture
def counting(small: Engines) -> CountingService:
    database = Database(small, create_session_factory())
    return CountingService(database, UserDao(database))


async def test_reading_again_asks_nothing_of_the_pool(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    await counting.get(user.id)
    asked: list[object] = []
    event.listen(small.reader.sync_engine.pool, "checkout", lambda *given: asked.append(given))
    for _ in range(3):
        await counting.get(user.id)
    assert asked == []


async def test_writing_again_asks_nothing_of_the_pool(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    asked: list[object] = []
    event.listen(small.writer.sync_engine.pool, "checkout", lambda *given: asked.append(given))
    for _ in range(3):
        await counting.increment(user.id)
    assert asked == []
    assert await counting.count(user.id) == 3


async def test_a_transaction_that_fails_keeps_no_connection(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    returned: list[object] = []
    event.listen(small.writer.sync_engine.pool, "checkin", lambda *given: returned.append(given))
    with pytest.raises(UserNotFoundError):
        await counting.increment(user.id + 1)
    assert len(returned) == 1
    await counting.increment(user.id)
    assert await counting.count(user.id) == 1


async def test_a_transaction_gets_the_connection_that_was_kept(counting: CountingService) -> None:
    user = await counting.add()
    for _ in range(3):
        await counting.get(user.id)
        await counting.increment(user.id)
    assert await counting.count(user.id) == 3


async def test_many_who_read_and_write_share_one_connection(counting: CountingService) -> None:
    user = await counting.add()
    await asyncio.gather(*(step(user.id) for _ in range(10) for step in (counting.get, counting.increment)))
    assert await counting.count(user.id) == 10


async def test_a_statement_that_fails_keeps_no_connection(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    await counting.get(user.id)
    database = Database(small, create_session_factory())
    returned: list[object] = []
    event.listen(small.reader.sync_engine.pool, "checkin", lambda *given: returned.append(given))
    with pytest.raises(DBAPIError):
        await database.read(lambda: database.execute(text("SELECT nothing FROM nowhere")))
    assert len(returned) == 1
    assert await counting.count(user.id) == 0


@pytest.mark.parametrize("others", [0, 1], ids=["connecting", "waiting for a turn"])
@pytest.mark.parametrize("failing", [False, True], ids=["commits", "fails"])
async def test_a_task_that_its_unit_does_not_wait_for_keeps_no_connection(
    small: Engines,
    counting: CountingService,
    others: int,
    failing: bool,  # noqa: FBT001 - pytest gives it by name.
) -> None:
    user = await counting.add()
    await small.dispose()
    database = Database(small, create_session_factory())
    tasks: list[asyncio.Task[object]] = []
    may_end = asyncio.Event()

    async def hold() -> None:
        await database.execute(text("SELECT 1"), writes=True)
        await may_end.wait()

    async def leave_behind() -> None:
        tasks.append(asyncio.create_task(database.execute(text("UPDATE users SET version = 9"), writes=True)))
        await asyncio.sleep(0)
        asyncio.get_running_loop().call_later(0.05, may_end.set)
        if failing:
            raise LookupError

    holding = [asyncio.create_task(database.write(hold)) for _ in range(others)]
    await asyncio.sleep(0)
    with pytest.raises(LookupError) if failing else nullcontext():
        await database.write(leave_behind)
    with pytest.raises(RuntimeError, match="has ended") if failing else nullcontext():
        await tasks[0]
    await asyncio.gather(*holding)
    await counting.increment(user.id)
    assert (await counting.get(user.id)).version == (2 if failing else 10)


async def test_statements_that_wait_in_a_unit_that_fails_are_not_run(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    database = Database(small, create_session_factory())
    dao = UserDao(database)

    async def add_all() -> None:
        await asyncio.gather(*(dao.add(registration(name)) for name in ("ada", "bob", "eve")))

    with pytest.raises(UsernameTakenError):
        await database.write(add_all)
    await counting.increment(user.id)
    assert await database.read(dao.count) == 1


async def test_entities_can_be_read_after_rows_were(small: Engines, counting: CountingService) -> None:
    user = await counting.add()
    database = Database(small, create_session_factory())

    async def read_entity() -> str:
        session = await database.session()
        return (await session.get_one(User, user.id)).username

    for _ in range(2):
        assert await counting.count(user.id) == 0
        assert await database.read(read_entity) == "ada"


async def give_options(session: AsyncSession) -> None:
    await session.connection(execution_options={"schema_translate_map": {None: "elsewhere"}})


async def close(session: AsyncSession) -> None:
    await (await session.connection()).close()


@pytest.mark.parametrize("spoil", [give_options, close])
async def test_what_a_session_does_to_its_connection_ends_with_it(
    small: Engines, counting: CountingService, spoil: Callable[[AsyncSession], Awaitable[None]]
) -> None:
    user = await counting.add()
    database = Database(small, create_session_factory())

    async def work() -> None:
        await spoil(await database.session(writes=True))

    with suppress(ResourceClosedError):
        await database.write(work)
    for count in (1, 2):
        await counting.increment(user.id)
        assert await counting.count(user.id) == count


async def test_a_loop_that_ends_amid_a_transaction_leaves_its_turn(small: Engines, counting: CountingService) -> None:
    """Ends as `asyncio.run` does: each task is cancelled before it runs again."""
    user = await counting.add()
    database = Database(small, create_session_factory())
    is_held = asyncio.Event()

    async def hold() -> None:
        await database.execute(text("SELECT 1"), writes=True)
        is_held.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(database.write(hold))
    await is_held.wait()
    task.cancel()
    await asyncio.sleep(0)
    for rolling_back in asyncio.all_tasks() - {asyncio.current_task(), task}:
        rolling_back.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await counting.increment(user.id)


async def test_a_rollback_that_fails_leaves_its_turn(proxy: Proxy) -> None:
    engines = create_engines(database_settings(proxy.url, pool_size=1))
    database = Database(engines, create_session_factory())
    counting = CountingService(database, UserDao(database))
    user = await counting.add()

    async def fail_cut_off() -> None:
        session = await database.session(writes=True)
        await session.begin_nested()
        await session.execute(text("SELECT 1"))
        proxy.cut()
        await asyncio.sleep(0)
        raise LookupError

    with pytest.raises((LookupError, DatabaseUnavailableError)):
        await database.write(fail_cut_off)
    await counting.increment(user.id)
    assert await counting.count(user.id) == 1
    await engines.dispose()
