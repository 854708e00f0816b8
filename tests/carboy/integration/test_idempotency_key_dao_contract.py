"""What the DAO of idempotency keys does: on real databases, and the one in memory that unit tests have."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from support.databases import Write, database_settings

from carboy.db import Database, create_engines, create_session_factory
from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.idempotency.errors import IdempotencyKeyInUseError

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def keys(contract_database: Database) -> IdempotencyKeyDao:
    return IdempotencyKeyDao(contract_database)


def key_row(key: str, expires_at: datetime = NOW, **changes: object) -> dict[str, object]:
    row = {"scope": "users", "key": key, "fingerprint": "f", "status": 201, "headers": {}, "body": "{}"}
    return row | {"expires_at": expires_at} | changes


async def left(keys: IdempotencyKeyDao, write: Write) -> list[int]:
    return [row.id for row in (await write(lambda: keys.page(limit=99))).records]


async def test_an_answer_comes_back_as_it_was_stored(keys: IdempotencyKeyDao, write: Write) -> None:
    body = '{"full_name": "Ada \U0001f469\u200d\U0001f4bb \\u0000"}'
    headers = {"Location": "/api/users/1", "ETag": '"1"', "X-Odd": "é\\"}
    row = key_row("k", fingerprint="abc", headers=headers, body=body)
    added = await write(lambda: keys.add(row))
    found = await write(lambda: keys.find_by_key("users", "k"))
    assert found == added
    assert found.model_dump() == {
        "id": 1,
        "fingerprint": "abc",
        "status": 201,
        "body": body,
        "headers": headers,
        "expires_at": NOW,
    }


async def test_a_key_is_found_in_its_scope_and_spelling_alone(keys: IdempotencyKeyDao, write: Write) -> None:
    await write(lambda: keys.add(key_row("k")))
    await write(lambda: keys.add(key_row("k", scope="orders", status=202)))
    await write(lambda: keys.add(key_row("K", status=203)))
    places = [("users", "k"), ("orders", "k"), ("users", "K")]
    assert [(await write(partial(keys.find_by_key, *place))).status for place in places] == [201, 202, 203]
    for place in (("orders", "K"), ("users", ""), ("", "k"), ("users", "k ")):
        assert await write(partial(keys.find_by_key, *place)) is None


async def test_a_key_that_somebody_else_has_stored_is_in_use(keys: IdempotencyKeyDao, write: Write) -> None:
    await write(lambda: keys.add(key_row("k")))
    with pytest.raises(IdempotencyKeyInUseError):
        await write(lambda: keys.add(key_row("k", fingerprint="other")))


async def test_expired_rows_are_deleted_the_oldest_first(keys: IdempotencyKeyDao, write: Write) -> None:
    moments = [NOW, NOW - 2 * HOUR, NOW + timedelta(microseconds=1), NOW - HOUR, NOW + HOUR, NOW - 2 * HOUR]
    for number, moment in enumerate(moments):
        await write(partial(keys.add, key_row(str(number), moment)))
    await write(lambda: keys.delete_until("expires_at", NOW, limit=2))
    assert await left(keys, write) == [1, 3, 4, 5]
    await write(lambda: keys.delete_until("expires_at", NOW, limit=1))
    assert await left(keys, write) == [1, 3, 5]
    await write(lambda: keys.delete_until("expires_at", NOW, limit=99))
    await write(lambda: keys.delete_until("expires_at", NOW, limit=99))
    assert await left(keys, write) == [3, 5]


async def test_deleting_expired_rows_needs_a_unit_that_writes(
    keys: IdempotencyKeyDao, contract_database: Database
) -> None:
    with pytest.raises(RuntimeError, match="No unit of work"):
        await keys.delete_until("expires_at", NOW, limit=1)
    with pytest.raises(RuntimeError, match="only reads"):
        await contract_database.read(lambda: keys.delete_until("expires_at", NOW, limit=1))


async def test_expired_rows_that_another_transaction_uses_are_left_to_a_later_call(postgresql_url: str) -> None:
    databases = [Database(create_engines(database_settings(postgresql_url)), create_session_factory()) for _ in "ab"]
    ours, theirs = databases
    keys = IdempotencyKeyDao(ours)
    for key in ("a", "b"):
        await ours.write(partial(keys.add, key_row(key)))

    async def delete_while_one_is_used() -> None:
        assert await IdempotencyKeyDao(theirs).find_by_key("users", "a") is not None
        await ours.write(lambda: keys.delete_until("expires_at", NOW, limit=99))

    try:
        await theirs.write(delete_while_one_is_used)
        assert await left(keys, ours.write) == [1]
    finally:
        for database in databases:
            await database.close()
