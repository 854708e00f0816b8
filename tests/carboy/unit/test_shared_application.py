"""The tests of a module share a container, and find nothing in it that another one made."""

import gc
import weakref
from functools import partial

import pytest
from support.shared import SharedApplication

from app.users.daos import UserDao
from carboy.testing import MemoryDatabase


async def test_what_one_test_makes_the_next_does_not_find(
    request: pytest.FixtureRequest, shared: SharedApplication
) -> None:
    made: list[list[object]] = []
    for _ in range(2):
        database = MemoryDatabase()
        parts = {"database": database, "engines": database.engines}
        with shared.container_with(request.node, is_usual=True, **parts) as container:
            assert container.database() is database
            # Some need the database, and some nothing that is replaced.
            made.append([container.user_dao(), container.tokens(), container.job_kinds(), container.jobs()])
    assert not any(one is other for one, other in zip(*made, strict=True))


async def test_daos_of_one_class_have_each_their_own_database() -> None:
    one, other = MemoryDatabase(), MemoryDatabase()
    user = {"username": "ada", "email": "ada@example.org"}
    await one.write(lambda: UserDao(one).add(user))
    assert await one.read(lambda: UserDao(one).count()) == 1
    assert await other.read(lambda: UserDao(other).count()) == 0


async def test_a_dao_and_its_database_do_not_outlive_their_test() -> None:
    gone: list[weakref.ref[object]] = []
    # What SQLAlchemy compiles for the first one is kept for all.
    for _ in range(2):
        database = MemoryDatabase()
        dao = UserDao(database)
        await database.write(partial(dao.add, {"username": "ada", "email": "ada@example.org"}))
        await database.close()
        gone = [weakref.ref(dao), weakref.ref(database)]
        del dao, database
    gc.collect()
    assert [reference() for reference in gone] == [None, None]
