"""A request that is sent many times, to one process or several, has its effect once."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from sqlalchemy import text
from support.idempotency import Process, assert_answered_once, processes, send
from support.sizes import size
from support.users import registration

from app.users.daos import UserDao
from carboy.db.failures import ConnectionLostError
from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.idempotency.errors import IdempotencyKeyInUseError
from carboy.idempotency.schemas import StoredAnswer

KEYS = size(15, 50)


@pytest_asyncio.fixture
async def two(database_url: str) -> AsyncIterator[list[Process]]:
    async with processes(database_url, 2) as two:
        yield two


async def count(process: Process, table: str) -> int:
    [(rows,)] = await process.database.read(
        lambda: process.database.execute(text(f"SELECT count(*) FROM {table}"))  # noqa: S608 - the test's own.
    )
    return int(rows)


@pytest.mark.parametrize("number", [1, 2])
async def test_each_of_many_requests_that_are_sent_ten_times_has_its_effect_once(
    two: list[Process], number: int
) -> None:
    told: Counter[str] = Counter()
    answers = await asyncio.gather(*(send(two[:number], f"key{key}", told) for key in range(KEYS)))
    for answers_of_one in answers:
        assert_answered_once(answers_of_one)
    assert told["idempotency_key_in_use"] > 0, "Nobody came at the same time, so that nothing was tested."
    assert [await count(two[0], table) for table in ("users", "idempotency_keys")] == [KEYS, KEYS]


class Slow:
    """Work that shows when it has begun, and goes on when it may."""

    def __init__(self, process: Process, name: str = "ada") -> None:
        self._users = UserDao(process.database)
        self._name = name
        self.begun, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def __call__(self) -> StoredAnswer:
        user = await self._users.add(registration(self._name))
        self.begun.set()
        await self.may_go_on.wait()
        return StoredAnswer(status=201, body=user.model_dump_json(), headers={})


async def test_while_one_process_works_another_does_not_begin(two: list[Process], database_url: str) -> None:
    ours, theirs = two
    slow = Slow(ours)
    first = asyncio.create_task(ours.idempotency.answer_once("s", "k", "f", slow))
    await slow.begun.wait()
    second = asyncio.create_task(theirs.idempotency.answer_once("s", "k", "f", Slow(theirs)))
    if database_url.startswith("postgresql"):
        with pytest.raises(IdempotencyKeyInUseError):
            await second
        # The same key elsewhere is another one.
        assert (await theirs.create_user("k", "bob"))[1] is False
        slow.may_go_on.set()
        answer, _ = await first
        assert await theirs.idempotency.answer_once("s", "k", "f", Slow(theirs)) == (answer, True)
    else:
        # A writer of another process waits.
        slow.may_go_on.set()
        answer, _ = await first
        assert await second == (answer, True)


async def test_a_process_that_gives_up_leaves_the_key_to_others(two: list[Process]) -> None:
    ours, theirs = two
    slow = Slow(ours)
    task = asyncio.create_task(ours.idempotency.answer_once("s", "k", "f", slow))
    await slow.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    answer, replayed = await theirs.create_user("k", "bob")
    assert (answer.status, replayed) == (201, False)
    assert await count(ours, "users") == 1


async def test_work_whose_connection_is_lost_is_done_again_and_has_its_effect_once(two: list[Process]) -> None:
    ours, _ = two
    slow = Slow(ours)
    attempts = 0

    async def lose_the_first_connection() -> StoredAnswer:
        nonlocal attempts
        attempts += 1
        answer = await slow()
        if attempts == 1:
            raise ConnectionLostError
        return answer

    slow.may_go_on.set()
    answer, replayed = await ours.idempotency.answer_once("s", "k", "f", lose_the_first_connection)
    assert (attempts, replayed) == (2, False)
    assert await ours.idempotency.answer_once("s", "k", "f", slow) == (answer, True)
    assert await count(ours, "users") == 1


async def test_an_answer_that_cannot_be_stored_takes_its_effect_with_it(
    two: list[Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, _ = two

    async def fail(self: IdempotencyKeyDao, values: object) -> None:
        raise OSError("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(IdempotencyKeyDao, "add", fail)
        with pytest.raises(OSError, match="full"):
            await ours.create_user("k", "ada")
    assert await count(ours, "users") == 0
    assert (await ours.create_user("k", "ada"))[1] is False
