"""What a request asks of the machine, counted: this does not depend on how fast that is, and may not grow unseen."""

import asyncio
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import pytest
import pytest_asyncio
from support.accounts import RAW_HEADERS
from support.asgi import Conversation, http_scope, within
from support.databases import Trips, database_settings
from support.proxy import Proxy

from app import create_app
from carboy.config.settings import Settings
from carboy.di.wiring import unwire
from carboy.server import create_asgi
from carboy.testing import override
from containers import Container


@dataclass(frozen=True)
class Cost:
    """What one request may take.

    Attributes:
        method: The HTTP method.
        target: The path and the query.
        body: The JSON body.
        hops: Trips to the thread of a SQLite connection.
        round_trips: Waits for PostgreSQL.
        calls: Calls of Python functions in the request's own thread, on SQLite and Python 3.11, with some room.
    """

    method: str
    target: str
    body: bytes
    hops: int
    round_trips: int
    calls: int


NEW = b'{"username": "new%d", "email": "new%d@example.com"}'
COSTS = {
    "static": Cost("GET", "/health/live", b"", hops=0, round_trips=0, calls=367),
    # One statement of each finds out who asks.
    "one": Cost("GET", "/api/users/7", b"", hops=2, round_trips=2, calls=690),
    "list": Cost("GET", "/api/users?limit=50", b"", hops=2, round_trips=2, calls=955),
    "total": Cost("GET", "/api/users?limit=50&total=true", b"", hops=3, round_trips=3, calls=1090),
    # What changes a user writes an audit event, which SQLite commits in the same trip.
    "update": Cost("PATCH", "/api/users/7", b'{"full_name": "New"}', hops=3, round_trips=5, calls=1010),
    # What creates one makes an account with its role, too.
    "create": Cost(
        "POST",
        "/api/users",
        b'{"username": "new%d", "email": "new%d@example.com"}',
        hops=5,
        round_trips=7,
        calls=1500,
    ),
}
LEAST_SHARE = 0.9 if sys.version_info < (3, 12) else 0.8
"""Of the calls that are allowed; from Python 3.12 on a comprehension is none."""

JOBS = pytest.mark.parametrize("cost", COSTS.values(), ids=COSTS)
Ask = Callable[[Cost], Awaitable[None]]


async def asking(settings: Settings, url: str) -> AsyncIterator[Ask]:
    """Yield a function that makes a request of an application with 60 users, to which all connections are open."""
    container = Container()
    asked = 0
    with override(container, settings=settings.model_copy(update={"database": database_settings(url, pool_size=1)})):
        app = create_asgi(container, create_app(container))

        async def ask(cost: Cost) -> None:
            nonlocal asked
            asked += 1
            body = cost.body % (asked, asked) if b"%d" in cost.body else cost.body
            headers = [*RAW_HEADERS]
            headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))] if body else []
            conversation = Conversation(app, http_scope(cost.target, cost.method, headers), chunks=[body]).start()
            await within(conversation.outer)  # type: ignore[arg-type]  # it has been started.
            assert conversation.answer.status in {200, 201}
            assert len(conversation.answer.messages) == 2, "An answer that is whole is a start and one body."

        try:
            for _ in range(60):
                await ask(COSTS["create"])
            yield ask
        finally:
            unwire(container)
            await container.database().close()


@pytest_asyncio.fixture
async def ask_sqlite(settings: Settings, sqlite_url: str) -> AsyncIterator[Ask]:
    async for ask in asking(settings, sqlite_url):
        yield ask


@pytest_asyncio.fixture
async def ask_postgresql(settings: Settings, proxy: Proxy) -> AsyncIterator[Ask]:
    async for ask in asking(settings, proxy.url):
        yield ask


@JOBS
async def test_the_hops_of_a_request_to_the_thread_of_sqlite(ask_sqlite: Ask, cost: Cost, trips: Trips) -> None:
    await ask_sqlite(cost)
    assert await trips(lambda: ask_sqlite(cost)) == cost.hops


@JOBS
async def test_the_round_trips_of_a_request_to_postgresql(ask_postgresql: Ask, proxy: Proxy, cost: Cost) -> None:
    await ask_postgresql(cost)
    proxy.sent.clear()
    await ask_postgresql(cost)
    messages = proxy.sent_messages()
    assert messages.count("S") + messages.count("Q") == cost.round_trips, "On these a client waits for an answer."


@JOBS
async def test_the_calls_of_python_functions_for_a_request(ask_sqlite: Ask, cost: Cost) -> None:
    await ask_sqlite(cost)
    await ask_sqlite(cost)
    calls = 0

    def count(_frame: FrameType, what: str, _argument: object) -> None:
        nonlocal calls
        calls += what == "call"

    before = sys.getprofile()
    # What it collects of other tests calls functions too.
    gc.disable()
    sys.setprofile(count)
    try:
        await ask_sqlite(cost)
    finally:
        sys.setprofile(before)
        gc.enable()
    assert calls <= cost.calls
    assert calls >= cost.calls * LEAST_SHARE, "It has become cheaper: write that down."


async def test_a_request_is_served_in_one_task(ask_sqlite: Ask) -> None:
    await ask_sqlite(COSTS["one"])
    made = 0
    loop = asyncio.get_running_loop()

    def count(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        nonlocal made
        made += 1
        return asyncio.Task(coroutine, loop=loop, **options)

    loop.set_task_factory(count)
    await ask_sqlite(COSTS["one"])
    # One is the server's, made by the conversation, and one is the test's patience.
    assert made <= 3
