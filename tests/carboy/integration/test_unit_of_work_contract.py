"""One service call is one transaction: on real databases, and on the one in memory that unit tests have."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from support.users import registration

from app.users.daos import UserDao
from app.users.errors import UsernameTakenError, UserNotFoundError
from app.users.schemas import UserRead
from carboy.db import Database
from carboy.db.units import TransactionAbortedError
from carboy.errors import StaleVersionError
from carboy.services.transactions import Service, read_only, transactional


class Accounts(Service):
    """Does with users whatever a test tells it to."""

    def __init__(self, database: Database, users: UserDao) -> None:
        super().__init__(database)
        self.users = users

    @transactional
    async def write(self, *steps: Callable[[], Awaitable[Any]]) -> Any:
        """Take steps, one after the other, and return what the last one gave."""
        results = [await step() for step in steps]
        return results[-1]

    @read_only
    async def read(self, step: Callable[[], Awaitable[Any]]) -> Any:
        return await step()

    @transactional
    async def add(self, name: str, *, full_name: str | None = None) -> UserRead:
        """Add a user."""
        return await self.users.add(registration(name, full_name=full_name))

    @read_only
    async def names(self) -> list[str]:
        return [user.username for user in (await self.users.page(limit=100)).records]


@pytest.fixture
def accounts(contract_database: Database, contract_users: UserDao) -> Accounts:
    return Accounts(contract_database, contract_users)


async def fail() -> None:
    raise LookupError("A mistake.")


def catching(error: type[Exception], step: Callable[[], Awaitable[Any]]) -> Callable[[], Awaitable[None]]:
    async def catch() -> None:
        with pytest.raises(error):
            await step()

    return catch


async def test_a_call_commits_its_changes(accounts: Accounts) -> None:
    await accounts.write(
        lambda: accounts.users.add(registration("ada")), lambda: accounts.users.add(registration("bob"))
    )
    assert await accounts.names() == ["ada", "bob"]


async def test_an_exception_takes_back_all_that_the_call_wrote(accounts: Accounts) -> None:
    await accounts.add("ada")
    with pytest.raises(LookupError):
        await accounts.write(
            lambda: accounts.users.add(registration("bob")),
            lambda: accounts.users.update(1, {"full_name": "changed"}),
            lambda: accounts.users.delete(1),
            fail,
        )
    assert await accounts.names() == ["ada"]
    assert (await accounts.read(lambda: accounts.users.get(1))).full_name is None


async def test_cancelling_a_call_rolls_it_back(accounts: Accounts) -> None:
    reached = asyncio.Event()

    async def stop_here() -> None:
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(accounts.write(lambda: accounts.users.add(registration("ada")), stop_here))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await accounts.names() == []
    await accounts.add("bob")
    assert await accounts.names() == ["bob"]


async def test_a_nested_call_joins_and_is_taken_back_with_the_outer(accounts: Accounts) -> None:
    with pytest.raises(LookupError):
        await accounts.write(lambda: accounts.add("ada"), fail)
    assert await accounts.names() == []
    await accounts.write(lambda: accounts.add("ada"), lambda: accounts.add("bob"))
    assert await accounts.names() == ["ada", "bob"]


async def test_a_nested_call_sees_the_changes_of_the_outer(accounts: Accounts) -> None:
    seen = await accounts.write(lambda: accounts.users.add(registration("ada")), accounts.names)
    assert seen == ["ada"]


async def test_an_outer_call_that_catches_the_failure_of_a_nested_one_keeps_nothing(accounts: Accounts) -> None:
    nested = catching(LookupError, lambda: accounts.write(lambda: accounts.users.add(registration("bob")), fail))
    with pytest.raises(TransactionAbortedError) as raised:
        await accounts.write(lambda: accounts.add("ada"), nested, lambda: accounts.add("eve"))
    assert isinstance(raised.value.__cause__, LookupError)
    assert await accounts.names() == []


async def test_a_caught_error_of_the_database_takes_back_the_whole_call(accounts: Accounts) -> None:
    await accounts.add("ada")
    again = catching(UsernameTakenError, lambda: accounts.users.add(registration("ada", email_key="other")))
    with pytest.raises(TransactionAbortedError):
        await accounts.write(lambda: accounts.users.add(registration("bob")), again)
    assert await accounts.names() == ["ada"]


async def test_a_missing_value_takes_back_the_whole_call(accounts: Accounts) -> None:
    incomplete = catching(IntegrityError, lambda: accounts.users.add(registration("eve", email=None)))
    with pytest.raises(TransactionAbortedError):
        await accounts.write(lambda: accounts.users.add(registration("bob")), incomplete)
    assert await accounts.names() == []


async def test_a_caught_error_that_is_no_failure_of_the_database_changes_nothing(accounts: Accounts) -> None:
    await accounts.add("ada")
    missing = catching(UserNotFoundError, lambda: accounts.users.get(99))
    stale = catching(
        StaleVersionError, lambda: accounts.users.update(1, {"full_name": "late"}, versions=frozenset({7}))
    )
    nested_read = catching(UserNotFoundError, lambda: accounts.read(lambda: accounts.users.get(99)))
    await accounts.write(missing, stale, nested_read, lambda: accounts.users.add(registration("bob")))
    assert await accounts.names() == ["ada", "bob"]


async def test_a_unit_that_only_reads_refuses_to_write(accounts: Accounts) -> None:
    user = await accounts.add("ada")
    for step in (
        lambda: accounts.users.add(registration("bob")),
        lambda: accounts.users.update(user.id, {"full_name": "changed"}),
        lambda: accounts.users.delete(user.id),
        lambda: accounts.add("bob"),
    ):
        with pytest.raises(RuntimeError, match="only reads"):
            await accounts.read(step)
    assert await accounts.names() == ["ada"]
    assert await accounts.read(lambda: accounts.users.get(user.id)) == user


async def test_a_dao_outside_a_unit_fails_loudly(contract_users: UserDao) -> None:
    for call in (
        contract_users.get(1),
        contract_users.find(0),
        contract_users.find_by_email("a"),
        contract_users.page(limit=1),
        contract_users.add(registration()),
        contract_users.update(1, {"full_name": "x"}),
        contract_users.delete(1),
    ):
        with pytest.raises(RuntimeError, match="No unit of work"):
            await call


async def test_a_task_that_outlives_its_unit_fails_loudly(accounts: Accounts) -> None:
    over = asyncio.Event()

    async def late() -> UserRead:
        await over.wait()
        return await accounts.users.add(registration("late"))

    async def leave_behind() -> asyncio.Task[UserRead]:
        return asyncio.create_task(late())

    task = await accounts.write(leave_behind)
    over.set()
    with pytest.raises(RuntimeError, match="No unit of work"):
        await task
    assert await accounts.names() == []


async def test_a_task_that_outlives_its_unit_may_begin_one_of_its_own(accounts: Accounts) -> None:
    over = asyncio.Event()

    async def late() -> UserRead:
        await over.wait()
        return await accounts.add("late")

    async def leave_behind() -> asyncio.Task[UserRead]:
        return asyncio.create_task(late())

    task = await accounts.write(leave_behind)
    over.set()
    assert (await task).username == "late"
    assert await accounts.names() == ["late"]


async def test_uncommitted_changes_are_invisible_to_others(accounts: Accounts) -> None:
    written, looked = asyncio.Event(), asyncio.Event()

    async def pause() -> None:
        written.set()
        await looked.wait()

    task = asyncio.create_task(accounts.write(lambda: accounts.users.add(registration("ada")), pause))
    await written.wait()
    seen = await accounts.names()
    looked.set()
    await task
    assert (seen, await accounts.names()) == ([], ["ada"])


def test_a_marked_method_keeps_its_name_documentation_and_signature() -> None:
    assert Accounts.add.__name__ == "add"
    assert Accounts.add.__doc__ == "Add a user."
    assert str(inspect.signature(Accounts.add)) == "(self, name: str, *, full_name: str | None = None) -> " + str(
        inspect.formatannotation(UserRead)
    )
    assert Accounts.names.__name__ == "names"
    assert inspect.iscoroutinefunction(Accounts.names)
