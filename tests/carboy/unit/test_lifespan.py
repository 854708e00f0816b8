"""What happens before the first request and after the last, and what a signal changes in between."""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import FrameType
from typing import Any

import pytest
from dependency_injector import providers
from flask import Flask
from support.server import PATIENCE

from carboy.health.services import HealthService
from carboy.server import create_asgi
from carboy.server.lifespan import lifespan_of
from carboy.testing import MemoryDatabase, client_of, override
from containers import Container

pytestmark = pytest.mark.own_app

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class WatchedDatabase(MemoryDatabase):
    disposals = 0

    async def close(self) -> None:
        self.disposals += 1


class UnclosableDatabase(MemoryDatabase):
    async def close(self) -> None:
        raise ConnectionError("cannot be closed")


@pytest.fixture(autouse=True)
def handled() -> Iterator[list[int]]:
    """The signals that reach the handlers of whoever was there before: a server, as it were."""
    reached: list[int] = []

    def handler(number: int, _frame: FrameType | None) -> None:
        reached.append(number)

    before = {number: signal.signal(number, handler) for number in SIGNALS}
    yield reached
    for number, previous in before.items():
        signal.signal(number, previous)


@pytest.fixture
def database() -> WatchedDatabase:
    return WatchedDatabase()


async def status(container: Container) -> str:
    return (await container.health_service().check()).status


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_begins_the_shutdown_and_reaches_the_server(
    container: Container, database: WatchedDatabase, handled: list[int], number: int
) -> None:
    async with lifespan_of(container)():
        assert await status(container) == "ok"
        signal.raise_signal(number)
        assert await status(container) == "shutting_down"
        assert handled == [number]
        assert database.disposals == 0, "Requests that are under way need it."
    assert database.disposals == 1


async def test_the_handlers_are_put_back(container: Container, handled: list[int]) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    async with lifespan_of(container)():
        assert [signal.getsignal(number) for number in SIGNALS] != before
    assert [signal.getsignal(number) for number in SIGNALS] == before
    with pytest.raises(ArithmeticError):
        async with lifespan_of(container)():
            raise ArithmeticError
    assert [signal.getsignal(number) for number in SIGNALS] == before


async def test_a_handler_that_was_set_meanwhile_stays(container: Container) -> None:
    async with lifespan_of(container)():
        signal.signal(signal.SIGTERM, later := lambda _number, _frame: None)
    assert signal.getsignal(signal.SIGTERM) is later


async def test_a_signal_that_nobody_handles_keeps_its_default(container: Container) -> None:
    for default in (signal.SIG_DFL, signal.SIG_IGN):
        signal.signal(signal.SIGTERM, default)
        async with lifespan_of(container)():
            assert signal.getsignal(signal.SIGTERM) is default


async def test_two_applications_hear_of_one_signal(container: Container, handled: list[int]) -> None:
    other = Container()
    with override(other, settings=container.settings(), database=MemoryDatabase()):
        async with lifespan_of(container)(), lifespan_of(other)():
            signal.raise_signal(signal.SIGTERM)
            assert (await status(container), await status(other)) == ("shutting_down", "shutting_down")
    assert handled == [signal.SIGTERM]


@pytest.fixture
def patient(container: Container) -> Iterator[None]:
    """Settings by which a server is told of a signal an hour later."""
    settings = container.settings()
    http = settings.http.model_copy(update={"drain_seconds": 3600.0})
    with override(container, settings=settings.model_copy(update={"http": http})):
        yield


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - nothing tells of what a thread does.
            await asyncio.sleep(0.001)


@pytest.mark.usefixtures("patient")
async def test_a_signal_is_kept_back_until_a_second_one_comes(container: Container, handled: list[int]) -> None:
    async with lifespan_of(container)():
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: container.health_service().is_shutting_down)
        assert handled == []
        signal.raise_signal(signal.SIGINT)
        await until(lambda: bool(handled))
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: len(handled) > 1)
    assert handled == [signal.SIGINT, signal.SIGTERM]


@pytest.mark.usefixtures("patient")
async def test_event_loops_hear_of_signals_as_ever(container: Container) -> None:
    loop = asyncio.get_running_loop()
    heard: list[str] = []
    loop.add_signal_handler(signal.SIGTERM, heard.append, "SIGTERM")
    loop.add_signal_handler(signal.SIGUSR1, heard.append, "SIGUSR1")
    async with lifespan_of(container)():
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGUSR1)
        await until(lambda: heard == ["SIGUSR1"])
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: heard == ["SIGUSR1", "SIGTERM"])
    signal.raise_signal(signal.SIGTERM)
    await until(lambda: heard == ["SIGUSR1", "SIGTERM", "SIGTERM"])
    for number in (signal.SIGTERM, signal.SIGUSR1):
        loop.remove_signal_handler(number)


@pytest.mark.usefixtures("patient")
async def test_nothing_of_it_stays_when_the_application_ends(container: Container) -> None:
    threads = set(threading.enumerate())
    async with lifespan_of(container)():
        assert set(threading.enumerate()) > threads
    await until(lambda: set(threading.enumerate()) == threads)


async def test_off_the_main_thread_it_works_without_signals(container: Container, database: WatchedDatabase) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]

    async def live() -> list[Any]:
        async with lifespan_of(container)():
            return [signal.getsignal(number) for number in SIGNALS]

    assert await asyncio.to_thread(asyncio.run, live()) == before
    assert database.disposals == 1


async def test_the_end_begins_the_shutdown_also_without_a_signal(container: Container) -> None:
    async with lifespan_of(container)():
        pass
    assert await status(container) == "shutting_down"


async def test_the_database_is_closed_after_an_error_too(container: Container, database: WatchedDatabase) -> None:
    with pytest.raises(ArithmeticError):
        async with lifespan_of(container)():
            raise ArithmeticError
    assert database.disposals == 1


class Client:
    """Something that nobody told the lifespan of."""

    is_open = False

    async def open(self) -> None:
        self.is_open = True

    async def close(self) -> None:
        self.is_open = False


async def test_what_the_container_holds_is_open_while_the_application_serves(container: Container) -> None:
    container.set_provider("client", providers.Singleton(Client))
    async with lifespan_of(container)():
        client = container.providers["client"]()
        assert client.is_open
    assert not client.is_open


async def test_a_view_gets_what_depends_on_an_async_resource(container: Container, app: Flask) -> None:
    class Redis(Client):
        async def ping(self) -> None:
            assert self.is_open

    redis = Redis()

    async def connect() -> AsyncIterator[Redis]:
        await redis.open()
        yield redis
        await redis.close()

    dependencies = providers.Dict(redis=providers.Resource(connect))
    with override(container, health_service=providers.Singleton(HealthService, dependencies=dependencies)):
        async with client_of(create_asgi(container, app)) as client:
            assert (await client.get("/health/ready")).json() == {"status": "ok", "checks": {"redis": "ok"}}
    assert not redis.is_open


async def test_a_part_that_does_not_open_is_told_to_the_client(container: Container, app: Flask) -> None:
    class Away(Client):
        async def open(self) -> None:
            raise ConnectionError("away")

    container.set_provider("client", providers.Singleton(Away))
    with pytest.raises(RuntimeError, match="failed at startup: ConnectionError: away"):
        async with client_of(create_asgi(container, app)):
            pytest.fail("The application started.")


async def test_a_start_that_fails_is_told_to_the_client(container: Container, app: Flask) -> None:
    def fail() -> None:
        raise LookupError("no such service")

    asgi = create_asgi(container, app)
    with (
        override(container, health_service=providers.Callable(fail)),
        pytest.raises(RuntimeError, match="failed at startup: LookupError: no such service"),
    ):
        async with client_of(asgi):
            pytest.fail("The application started.")


async def test_an_end_that_fails_is_told_to_the_client(container: Container, app: Flask) -> None:
    with (
        override(container, database=UnclosableDatabase()),
        pytest.raises(RuntimeError, match="failed at shutdown: ConnectionError: cannot be closed"),
    ):
        async with client_of(create_asgi(container, app)) as client:
            assert (await client.get("/health/live")).status_code == 200


async def test_the_client_stops_the_application_also_when_the_test_fails(
    container: Container, app: Flask, database: WatchedDatabase
) -> None:
    with pytest.raises(ArithmeticError):
        async with client_of(create_asgi(container, app)):
            raise ArithmeticError
    assert database.disposals == 1
