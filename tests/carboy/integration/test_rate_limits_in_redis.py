"""Limits that are not strict are counted in Redis, where there is one: all workers share them."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from carboy.limits.daos import RateLimitCountDao
from carboy.limits.errors import RateLimitedError
from carboy.limits.schemas import Limit
from carboy.limits.services import RateLimiter
from carboy.limits.storages import DatabaseStorage, RedisStorage, create_storage
from carboy.testing import MemoryDatabase

READ = Limit(name="read", rate="10/minute")
SERVER = shutil.which("redis-server")


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    if SERVER is None:
        pytest.skip("NOT TESTED WITH REDIS: there is no redis-server")
    socket = tmp_path / "redis.sock"
    arguments = [SERVER, "--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(tmp_path)]
    with (
        (tmp_path / "redis.log").open("w") as log,
        subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=log, text=True) as server,  # noqa: S603 - ours.
    ):
        assert server.stdout is not None
        while "eady to accept connections" not in server.stdout.readline():
            assert server.poll() is None
        yield f"redis+unix://{socket}"
        server.kill()


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
