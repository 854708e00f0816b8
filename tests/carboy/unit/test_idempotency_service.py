"""A request is answered once, however often it is sent."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update
from support.accounts import ADMIN
from support.databases import rows_of
from support.users import registration

from app.users.errors import EmailTakenError
from app.users.schemas import UserCreate
from carboy.config.settings import Settings
from carboy.db.failures import TransactionConflictError
from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.idempotency.errors import IdempotencyKeyInUseError, IdempotencyKeyReusedError
from carboy.idempotency.models import IdempotencyKey
from carboy.idempotency.schemas import StoredAnswer
from carboy.idempotency.services import IdempotencyService
from carboy.testing import MemoryDatabase, override
from containers import Container

SCOPE, KEY, FINGERPRINT = "create_user", "8e03978e-40d5-43dd-bc93-6894a57f9324", "abc"


@pytest.fixture
def service(container: Container) -> IdempotencyService:
    return container.idempotency_service()


async def expire(database: MemoryDatabase, *identities: int) -> None:
    """Let stored answers expire now."""
    statement = update(IdempotencyKey).where(IdempotencyKey.id.in_(identities)).values(expires_at=datetime.now(UTC))
    await database.write(lambda: database.execute(statement, writes=True))


class Creation:
    """Work that creates a user, each time it runs another one."""

    def __init__(self, container: Container) -> None:
        self.users = container.user_service()
        self.times = 0

    async def __call__(self) -> StoredAnswer:
        self.times += 1
        name = f"user{self.times}"
        user = await self.users.create_user(ADMIN, UserCreate(**registration(name)))
        return StoredAnswer(status=201, body=user.model_dump_json(), headers={"Location": f"/api/users/{user.id}"})


@pytest.fixture
def creation(container: Container) -> Creation:
    return Creation(container)


async def test_the_same_request_gets_the_first_answer_again(service: IdempotencyService, creation: Creation) -> None:
    first = await service.answer_once(SCOPE, KEY, FINGERPRINT, creation)
    again = await service.answer_once(SCOPE, KEY, FINGERPRINT, creation)
    assert (first[1], again[1]) == (False, True)
    assert again[0] == first[0]
    assert (first[0].status, first[0].headers) == (201, {"Location": "/api/users/1"})
    assert creation.times == 1


async def test_another_request_with_the_same_key_is_refused(service: IdempotencyService, creation: Creation) -> None:
    first, _ = await service.answer_once(SCOPE, KEY, FINGERPRINT, creation)
    with pytest.raises(IdempotencyKeyReusedError):
        await service.answer_once(SCOPE, KEY, "other", creation)
    assert creation.times == 1
    assert await service.answer_once(SCOPE, KEY, FINGERPRINT, creation) == (first, True)


async def test_a_key_stands_for_one_request_in_each_scope(service: IdempotencyService, creation: Creation) -> None:
    await service.answer_once(SCOPE, KEY, FINGERPRINT, creation)
    assert (await service.answer_once("another", KEY, "other", creation))[1] is False
    assert (await service.answer_once(SCOPE, KEY.upper(), "other", creation))[1] is False
    assert creation.times == 3


async def test_a_request_in_progress_is_not_begun_again(
    service: IdempotencyService, creation: Creation, database: MemoryDatabase
) -> None:
    reached, released = asyncio.Event(), asyncio.Event()

    async def slow() -> StoredAnswer:
        reached.set()
        await released.wait()
        return await creation()

    first = asyncio.create_task(service.answer_once(SCOPE, KEY, FINGERPRINT, slow))
    await reached.wait()
    for fingerprint in (FINGERPRINT, "other"):
        # Who would wait for the database, which is taken, would never be told.
        with pytest.raises(IdempotencyKeyInUseError) as raised:
            await service.answer_once(SCOPE, KEY, fingerprint, creation)
        assert raised.value.retry_after == 1
    released.set()
    answer, _ = await first
    assert await service.answer_once(SCOPE, KEY, FINGERPRINT, creation) == (answer, True)
    assert len(await rows_of(database, "users")) == 1


async def test_a_request_in_progress_in_another_process_is_not_begun_again(
    service: IdempotencyService, creation: Creation, database: MemoryDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def is_taken(name: str) -> bool:
        return False

    with monkeypatch.context() as patch:
        patch.setattr(database, "try_lock", is_taken)
        with pytest.raises(IdempotencyKeyInUseError):
            await service.answer_once(SCOPE, KEY, FINGERPRINT, creation)
    assert creation.times == 0
    assert (await service.answer_once(SCOPE, KEY, FINGERPRINT, creation))[1] is False


async def test_work_that_fails_leaves_nothing_and_may_be_done_again(
    service: IdempotencyService, creation: Creation, database: MemoryDatabase
) -> None:
    async def fail() -> StoredAnswer:
        await creation()
        raise EmailTakenError

    with pytest.raises(EmailTakenError):
        await service.answer_once(SCOPE, KEY, FINGERPRINT, fail)
    assert (await rows_of(database, "users"), await rows_of(database, "idempotency_keys")) == ([], [])
    assert (await service.answer_once(SCOPE, KEY, "corrected", creation))[1] is False


async def test_work_that_is_cancelled_leaves_nothing_and_may_be_done_again(
    service: IdempotencyService, creation: Creation, database: MemoryDatabase
) -> None:
    reached = asyncio.Event()

    async def stop() -> StoredAnswer:
        await creation()
        reached.set()
        return await asyncio.Future()

    task = asyncio.create_task(service.answer_once(SCOPE, KEY, FINGERPRINT, stop))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await rows_of(database, "users") == []
    assert (await service.answer_once(SCOPE, KEY, FINGERPRINT, creation))[1] is False


async def test_an_answer_that_cannot_be_stored_takes_its_effect_with_it(
    container: Container, creation: Creation, database: MemoryDatabase
) -> None:
    class Full(IdempotencyKeyDao):
        async def add(self, values: object) -> object:  # type: ignore[override]
            raise OSError("The disk is full.")

    with override(container, idempotency_key_dao=Full(database)), pytest.raises(OSError, match="full"):
        await container.idempotency_service().answer_once(SCOPE, KEY, FINGERPRINT, creation)
    assert creation.times == 1
    assert await rows_of(database, "users") == []


async def test_work_that_meets_a_conflict_is_done_again_and_stored_once(
    service: IdempotencyService, creation: Creation, database: MemoryDatabase
) -> None:
    async def conflict_once() -> StoredAnswer:
        answer = await creation()
        if creation.times == 1:
            raise TransactionConflictError
        return answer

    answer, replayed = await service.answer_once(SCOPE, KEY, FINGERPRINT, conflict_once)
    assert (creation.times, replayed) == (2, False)
    assert [row["username"] for row in await rows_of(database, "users")] == ["user2"]
    assert [row["body"] for row in await rows_of(database, "idempotency_keys")] == [answer.body]


async def test_a_key_expires_after_the_configured_hours(
    service: IdempotencyService, creation: Creation, database: MemoryDatabase, settings: Settings
) -> None:
    before = datetime.now(UTC)
    await service.answer_once(SCOPE, KEY, FINGERPRINT, creation)
    after = datetime.now(UTC)
    [row] = await rows_of(database, "idempotency_keys")
    assert before <= row["expires_at"] - timedelta(hours=settings.http.idempotency_hours) <= after

    await expire(database, row["id"])
    assert (await service.answer_once(SCOPE, KEY, "other", creation))[1] is False
    assert (await service.answer_once(SCOPE, KEY, "other", creation))[1] is True
    assert [row["fingerprint"] for row in await rows_of(database, "idempotency_keys")] == ["other"]
