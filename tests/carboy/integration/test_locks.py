"""Locks with a name, which end with their transaction: on real databases, and on the one in memory of unit tests."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from support.databases import database_settings

from carboy.db import Database, create_engines, create_session_factory

Processes = tuple[Database, Database]


@pytest_asyncio.fixture
async def processes(postgresql_url: str) -> AsyncIterator[Processes]:
    """Two that share a database and nothing else."""
    settings = database_settings(postgresql_url)
    ours, theirs = (Database(create_engines(settings), create_session_factory()) for _ in range(2))
    yield ours, theirs
    await ours.close()
    await theirs.close()


async def lock(database: Database, name: str) -> bool:
    return await database.write(lambda: database.try_lock(name))


async def test_a_lock_can_be_taken_again_in_its_transaction_and_after_it(contract_database: Database) -> None:
    async def twice() -> list[bool]:
        return [await contract_database.try_lock("a"), await contract_database.try_lock("a")]

    assert await contract_database.write(twice) == [True, True]
    assert await contract_database.write(twice) == [True, True]


async def test_a_lock_needs_a_transaction_to_end_with(contract_database: Database) -> None:
    with pytest.raises(RuntimeError, match="No unit of work"):
        await contract_database.try_lock("a")
    with pytest.raises(RuntimeError, match="only reads"):
        await contract_database.read(lambda: contract_database.try_lock("a"))


async def test_a_lock_keeps_others_out_at_once_and_until_its_transaction_ends(processes: Processes) -> None:
    ours, theirs = processes

    async def others_try() -> list[bool]:
        assert await ours.try_lock("ä" * 300)
        return [await lock(theirs, "ä" * 300), await lock(ours, "ä" * 300), await lock(theirs, "ä" * 299)]

    # Within the same unit of ours, `lock` joins it, and the lock is ours already.
    assert await ours.write(others_try) == [False, True, True]
    assert await lock(theirs, "ä" * 300)


async def test_a_lock_ends_with_a_transaction_that_fails(processes: Processes) -> None:
    ours, theirs = processes

    async def fail() -> None:
        assert await ours.try_lock("a")
        raise LookupError("A mistake.")

    with pytest.raises(LookupError):
        await ours.write(fail)
    assert await lock(theirs, "a")
