"""Limits that are not strict are counted in Redis, where there is one: all workers share them."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.redis_server import new_redis, why_no_redis

from carboy.limits.daos import RateLimitCountDao
from carboy.limits.errors import RateLimitedError
from carboy.limits.schemas import Limit
from carboy.limits.services import RateLimiter
from carboy.limits.storages import DatabaseStorage, RedisStorage, create_storage
from carboy.testing import MemoryDatabase

READ = Limit(name="read", rate="10/minute")


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    if reason := why_no_redis():
        pytest.skip(f"NOT TESTED WITH REDIS: {reason}")
    with new_redis(tmp_path) as url:
        yield url


def limiter_of(storage: RedisStorage) -> RateLimiter:
    database = MemoryDatabase()
    return RateLimiter(DatabaseStorage(database, RateLimitCountDao(database)), storage)


def storage_of(url: str) -> RedisStorage:
    storage = create_storage(SecretStr(url))
    assert isinstance(storage, RedisStorage)
    return storage


async def test_workers_share_the_counts_of_redis(redis_url: str) -> None:
    storages = [storage_of(redis_url) for _ in range(2)]
    try:
        hits = [limiter_of(storage).hit(READ, "ada") for _ in range(10) for storage in storages]
        found = await asyncio.gather(*hits, return_exceptions=True)
        assert sum(isinstance(one, RateLimitedError) for one in found) == 10
        assert sum(not isinstance(one, BaseException) for one in found) == 10
    finally:
        for storage in storages:
            await storage.close()


async def test_without_redis_everything_passes_soon(tmp_path: Path) -> None:
    storage = storage_of(f"redis+unix://{tmp_path}/nobody.sock")
    async with asyncio.timeout(10):
        assert await limiter_of(storage).hit(READ, "ada") is None
    await storage.close()
