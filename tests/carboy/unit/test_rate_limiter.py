"""A limit counts what it is told, in its window, and says where a client stands."""

import asyncio
import logging
import time
from typing import Any

import pytest

from carboy.errors import DatabaseUnavailableError
from carboy.limits import storages
from carboy.limits.daos import RateLimitCountDao
from carboy.limits.errors import LimitsUnavailableError, RateLimitedError
from carboy.limits.schemas import Limit
from carboy.limits.services import STRICT_AT_ONCE, RateLimiter, network_of, parse_rate
from carboy.limits.storages import DatabaseStorage, MemoryStorage
from carboy.testing import MemoryDatabase

LOGIN = Limit(name="login", rate="3/5 minutes", is_strict=True)
READ = Limit(name="read", rate="3/minute")


@pytest.fixture
def strict(database: MemoryDatabase) -> DatabaseStorage:
    return DatabaseStorage(database, RateLimitCountDao(database))


@pytest.fixture
def limiter(strict: DatabaseStorage) -> RateLimiter:
    return RateLimiter(strict, MemoryStorage())


async def outcomes(limiter: RateLimiter, limit: Limit, count: int, *key: str) -> int:
    """Return how many of so many at once were let pass."""
    found = await asyncio.gather(*(limiter.hit(limit, *key) for _ in range(count)), return_exceptions=True)
    assert all(isinstance(one, RateLimitedError) for one in found if isinstance(one, BaseException))
    return sum(not isinstance(one, BaseException) for one in found)


@pytest.mark.parametrize("limit", [LOGIN, READ])
async def test_only_so_many_pass_however_many_come_at_once(limiter: RateLimiter, limit: Limit) -> None:
    assert await outcomes(limiter, limit, 10, "ada") == 3
    assert await outcomes(limiter, limit, 10, "bob") == 3
    assert await outcomes(limiter, limit, 10, "ada") == 0


@pytest.mark.parametrize("hours", [3, -3])
async def test_a_window_in_memory_lasts_as_long_whatever_the_clock_is_set_to(
    limiter: RateLimiter, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    assert await outcomes(limiter, READ, 4, "ada") == 3
    begun, real = time.monotonic(), time.time
    monkeypatch.setattr(time, "time", lambda: real() + hours * 3600)
    with pytest.raises(RateLimitedError) as caught:
        await limiter.hit(READ, "ada")
    assert 0 < caught.value.retry_after <= 60
    monkeypatch.setattr(time, "monotonic", lambda: begun + 61)
    standing = await limiter.hit(READ, "ada")
    assert standing is not None
    assert standing.seconds <= 60


async def test_a_flood_is_refused_before_it_reaches_the_database(limiter: RateLimiter) -> None:
    async def ask(number: int) -> None:
        # Whoever was counted once is not refused the next time: it would have been for nothing.
        for name in ("first", "second"):
            await limiter.hit(Limit(name=name, rate="1000/hour", is_strict=True), str(number))

    found = await asyncio.gather(*map(ask, range(60)), return_exceptions=True)
    refused = [one for one in found if isinstance(one, LimitsUnavailableError)]
    assert len(refused) == 60 - STRICT_AT_ONCE
    assert [one for one in found[:STRICT_AT_ONCE] if isinstance(one, BaseException)] == []
    # There is room again.
    assert await limiter.hit(LOGIN, "ada") is not None


async def test_a_client_is_told_where_it_stands(limiter: RateLimiter) -> None:
    standing = await limiter.hit(LOGIN, "ada")
    assert standing is not None
    assert (standing.amount, standing.window, standing.remaining) == (3, 300, 2)
    assert 298 <= standing.seconds <= 300
    assert standing.headers == {
        "RateLimit-Policy": '"login";q=3;w=300',
        "RateLimit": f'"login";r=2;t={standing.seconds}',
    }


async def test_whoever_is_refused_is_told_when_to_come_back(limiter: RateLimiter) -> None:
    await outcomes(limiter, LOGIN, 3, "ada")
    with pytest.raises(RateLimitedError) as refused:
        await limiter.hit(LOGIN, "ada")
    assert 298 <= int(refused.value.headers["Retry-After"]) <= 300
    assert refused.value.headers["RateLimit"].startswith('"login";r=0;t=')


async def test_a_window_that_has_ended_begins_anew(limiter: RateLimiter, monkeypatch: pytest.MonkeyPatch) -> None:
    await outcomes(limiter, READ, 3, "ada")
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 59)
    assert await outcomes(limiter, READ, 1, "ada") == 0
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    assert await outcomes(limiter, READ, 5, "ada") == 3


async def test_what_was_counted_can_be_forgiven(limiter: RateLimiter) -> None:
    for limit in (LOGIN, READ):
        await outcomes(limiter, limit, 3, "ada")
        await limiter.forgive(limit, "ada")
        assert await outcomes(limiter, limit, 3, "ada") == 3


async def test_a_rate_of_the_configuration_replaces_that_of_the_code(strict: DatabaseStorage) -> None:
    limiter = RateLimiter(strict, MemoryStorage(), ["login = 5/minute"])
    assert await outcomes(limiter, LOGIN, 10, "ada") == 5
    assert await outcomes(limiter, READ, 10, "ada") == 3


@pytest.mark.parametrize("rate", ["login", "login=", "login=many", "login=5", "login=5/fortnight"])
def test_a_malformed_rate_is_refused(rate: str) -> None:
    with pytest.raises(ValueError, match=r"rate limit|granularity"):
        parse_rate(rate)


async def test_nothing_is_counted_where_limits_are_switched_off(strict: DatabaseStorage) -> None:
    limiter = RateLimiter(strict, MemoryStorage(), is_enabled=False)
    assert await outcomes(limiter, LOGIN, 10, "ada") == 10


async def test_without_its_storage_a_strict_limit_lets_nothing_pass(
    limiter: RateLimiter, database: MemoryDatabase
) -> None:
    database.is_reachable = False
    with pytest.raises(LimitsUnavailableError) as refused:
        await limiter.hit(LOGIN, "ada")
    assert isinstance(refused.value.__cause__, DatabaseUnavailableError)
    database.is_reachable = True
    assert await outcomes(limiter, LOGIN, 10, "ada") == 3


async def test_without_its_storage_another_limit_lets_everything_pass_and_says_so(
    strict: DatabaseStorage, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(MemoryStorage):
        async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
            raise ConnectionError("no answer")

    limiter = RateLimiter(strict, Broken())
    with caplog.at_level(logging.WARNING):
        assert await outcomes(limiter, READ, 5, "ada") == 5
    assert "limit read is not counted: ConnectionError('no answer')" in caplog.text


async def test_a_hit_within_a_transaction_is_a_mistake(limiter: RateLimiter, database: MemoryDatabase) -> None:
    with pytest.raises(RuntimeError, match="before the transaction begins"):
        await database.write(lambda: limiter.hit(LOGIN, "ada"))


async def test_the_oldest_counts_make_room_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storages, "MAX_KEYS", 3)
    storage = MemoryStorage()
    for key in "abcab":
        await storage.incr(key, 60)
    await storage.incr("d", 60)
    assert [await storage.get(key) for key in "abcd"] == [0, 2, 1, 1]
    assert await storage.reset() == 3
    assert await storage.get("b") == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        (None, "unknown"),
        ("/run/app.sock", "/run/app.sock"),
    ],
)
def test_a_client_is_an_ipv4_address_or_an_ipv6_network(address: Any, network: str) -> None:
    assert network_of(address) == network
