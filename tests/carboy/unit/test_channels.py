"""Channels: who is told of what has changed, and when."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from support.asgi import eventually, within

from carboy.db import Database
from carboy.errors import DatabaseBusyError
from carboy.services import Channels
from containers import Container

NEVER = 3600.0


@pytest.fixture
def channels(container: Container) -> Channels:
    return container.channels()


class Subscriber:
    """Counts what it is told, and is busy each time until it is let on.

    Args:
        channels: Who tells it.
        topic: Of what.
        every: After how long it is told in any case.
    """

    def __init__(self, channels: Channels, topic: str, every: float = NEVER) -> None:
        self.told = 0
        self.free = asyncio.Event()
        self.free.set()
        self._changes = channels.changes(topic, every=every)

    async def listen(self) -> None:
        async for _ in self._changes:
            self.told += 1
            await self.free.wait()


@asynccontextmanager
async def listening(*subscribers: Subscriber) -> AsyncIterator[None]:
    """Let subscribers listen, from their first look on."""
    tasks = [asyncio.create_task(one.listen()) for one in subscribers]
    try:
        await eventually(lambda: all(one.told == 1 for one in subscribers))
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def publish(database: Database, channels: Channels, *topics: str, error: Exception | None = None) -> None:
    async def work() -> None:
        for topic in topics:
            channels.publish(topic)
        if error is not None:
            raise error

    await database.write(work)


async def test_all_subscribers_of_a_topic_are_told_and_no_others(container: Container, channels: Channels) -> None:
    here, too, elsewhere = (Subscriber(channels, topic) for topic in ("orders/1", "orders/1", "orders/2"))
    async with listening(here, too, elsewhere):
        await publish(container.database(), channels, "orders/1")
        await eventually(lambda: (here.told, too.told) == (2, 2))
        assert elsewhere.told == 1


async def test_nobody_is_told_before_the_commit_nor_of_what_was_rolled_back(
    container: Container, channels: Channels
) -> None:
    subscriber = Subscriber(channels, "orders")
    async with listening(subscriber):
        with pytest.raises(LookupError):
            await publish(container.database(), channels, "orders", error=LookupError())
        told_within = []

        async def work() -> None:
            channels.publish("orders")
            for _ in range(10):
                await asyncio.sleep(0)
            told_within.append(subscriber.told)

        await container.database().write(work)
        assert told_within == [1]
        await eventually(lambda: subscriber.told == 2)


async def test_what_changes_while_a_subscriber_is_busy_is_told_once(container: Container, channels: Channels) -> None:
    subscriber = Subscriber(channels, "orders")
    async with listening(subscriber):
        subscriber.free.clear()
        await publish(container.database(), channels, "orders")
        await eventually(lambda: subscriber.told == 2)
        for _ in range(5):
            await publish(container.database(), channels, "orders")
        subscriber.free.set()
        await eventually(lambda: subscriber.told == 3)
        await publish(container.database(), channels, "orders")
        await eventually(lambda: subscriber.told == 4)


async def test_a_subscriber_is_told_now_and_then_though_nobody_publishes(channels: Channels) -> None:
    subscriber = Subscriber(channels, "orders", every=0.01)
    task = asyncio.create_task(subscriber.listen())
    await eventually(lambda: subscriber.told >= 3)
    task.cancel()
    await asyncio.wait({task})


async def test_a_crowd_is_told_bit_by_bit(container: Container, channels: Channels) -> None:
    crowd = [Subscriber(channels, "orders") for _ in range(200)]
    async with listening(*crowd):
        begun = asyncio.get_running_loop().time()
        await publish(container.database(), channels, "orders")
        await eventually(lambda: sum(one.told for one in crowd) > 200)
        assert any(one.told == 1 for one in crowd)
        await eventually(lambda: all(one.told == 2 for one in crowd))
        assert asyncio.get_running_loop().time() - begun > 0.1


async def test_what_is_followed_is_read_again_after_each_change_and_once_the_database_is_back(
    container: Container, channels: Channels, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("carboy.services.channels.PAUSE_SECONDS", (0, 0))
    said: list[int | Exception] = [1, DatabaseBusyError(), DatabaseBusyError(), 2, LookupError("refused")]
    answers = iter(said)

    async def read() -> int:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    readings = channels.follow("orders", read, every=NEVER)
    assert await within(anext(readings)) == 1
    await publish(container.database(), channels, "orders")
    assert await within(anext(readings)) == 2
    await publish(container.database(), channels, "orders")
    with pytest.raises(LookupError, match="refused"):
        await within(anext(readings))


async def test_a_topic_is_forgotten_with_its_last_subscriber(container: Container, channels: Channels) -> None:
    signal = container.notices().signal("orders")
    assert container.notices().signal("orders") is signal
    seen = signal.count
    await publish(container.database(), channels, "orders")
    assert signal.count == seen + 1
    del signal
    assert container.notices().signal("orders").count == 0


async def test_publishing_needs_a_transaction_and_a_topic(container: Container, channels: Channels) -> None:
    with pytest.raises(RuntimeError, match="@transactional"):
        channels.publish("orders")
    for topic in ("", "x" * 201):
        with pytest.raises(ValueError, match="1 to 200"):
            channels.changes(topic)
        with pytest.raises(ValueError, match="1 to 200"):
            await within(publish(container.database(), channels, topic))
