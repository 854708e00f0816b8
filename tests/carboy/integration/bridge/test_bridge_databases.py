"""One engine with few connections serves all views, as all of them run on one loop."""

import asyncio
import gc
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from flask import Flask, Response, g, stream_with_context
from sqlalchemy import AsyncAdaptedQueuePool, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine
from support.asgi import Conversation, ask, http_scope, within

from carboy.bridge import FlaskASGI, sync_iterator

INSERT = text("INSERT INTO bridge_test_words (number, word) VALUES (:number, :word)")
COUNT = text("SELECT count(*) FROM bridge_test_words")


def checked_out(engine: AsyncEngine) -> int:
    return cast("AsyncAdaptedQueuePool", engine.pool).checkedout()


@pytest.fixture
def asgi(engine: AsyncEngine) -> FlaskASGI:
    app = Flask("bridge_tests", static_folder=None)

    async def work(number: int) -> str:
        async with engine.begin() as connection:
            await connection.execute(INSERT, {"number": number, "word": str(number)})
            found = text("SELECT word FROM bridge_test_words WHERE number = :number")
            return str(await connection.scalar(found, {"number": number}))

    @app.get("/async/<int:number>")
    async def async_view(number: int) -> str:
        return await work(number)

    @app.get("/sync/<int:number>")
    def sync_view(number: int) -> Any:
        return app.async_to_sync(work)(number)

    @app.get("/fail/<int:number>")
    async def fail(number: int) -> str:
        async with engine.begin() as connection:
            await connection.execute(INSERT, {"number": number, "word": "lost"})
            raise LookupError

    return FlaskASGI(app)


async def test_two_hundred_views_share_two_connections(asgi: FlaskASGI, engine: AsyncEngine) -> None:
    targets = [f"/{'sync' if number % 4 == 0 else 'async'}/{number}" for number in range(200)]
    answers = await within(asyncio.gather(*(ask(asgi, target) for target in targets)), 50)
    assert [answer.text for answer in answers] == [str(number) for number in range(200)]
    async with engine.connect() as connection:
        assert await connection.scalar(COUNT) == 200
    assert checked_out(engine) == 0


async def test_a_view_that_raises_is_rolled_back(asgi: FlaskASGI, engine: AsyncEngine) -> None:
    answers = await asyncio.gather(*(ask(asgi, f"/fail/{number}") for number in range(20)))
    assert {answer.status for answer in answers} == {500}
    async with engine.connect() as connection:
        assert await connection.scalar(COUNT) == 0


async def test_giving_requests_up_loses_no_work_and_no_connection(asgi: FlaskASGI, engine: AsyncEngine) -> None:
    conversations = [Conversation(asgi, http_scope(f"/async/{number}")).start() for number in range(50)]
    for steps, conversation in enumerate(conversations):
        for _ in range(steps % 7):
            await asyncio.sleep(0)
        assert conversation.outer is not None
        conversation.outer.cancel()
    await asyncio.wait([conversation.outer for conversation in conversations if conversation.outer is not None])
    if asgi.requests:
        await within(asyncio.wait(set(asgi.requests)))
    assert checked_out(engine) == 0
    async with engine.connect() as connection:
        # A request whose body had been read was served to its end; the others never began.
        rows = await connection.scalar(COUNT)
    assert rows is not None
    assert 0 < rows <= 50


@pytest.mark.parametrize("with_context", [False, True])
async def test_a_client_that_leaves_during_a_query_costs_no_connection(
    engine: AsyncEngine, *, with_context: bool
) -> None:
    app = Flask("bridge_tests", static_folder=None)
    querying = asyncio.Event()

    async def rows() -> AsyncIterator[str]:
        yield "head"
        while True:
            async with engine.connect() as connection:
                querying.set()
                for _ in range(10):
                    await connection.execute(COUNT)
            yield "row"

    @app.get("/")
    async def view() -> Any:
        return Response(stream_with_context(sync_iterator(rows()))) if with_context else rows()

    asgi = FlaskASGI(app)
    conversations = [Conversation(asgi, http_scope()).start() for _ in range(10)]
    await within(querying.wait())
    for conversation in conversations:
        conversation.leave()
    for conversation in conversations:
        await conversation.end()
    assert checked_out(engine) == 0
    gc.collect()


async def test_a_connection_may_be_opened_and_closed_by_async_hooks(engine: AsyncEngine) -> None:
    app = Flask("bridge_tests", static_folder=None)

    @app.before_request
    async def connect() -> None:
        g.connection = await engine.connect()

    @app.teardown_request
    async def close(_error: BaseException | None) -> None:
        await cast("AsyncConnection", g.connection).close()

    @app.get("/async")
    async def async_view() -> str:
        return str(await g.connection.scalar(text("SELECT 1")))

    @app.get("/sync")
    def sync_view() -> str:
        return str(app.async_to_sync(g.connection.scalar)(text("SELECT 1")))

    asgi = FlaskASGI(app)
    answers = await within(asyncio.gather(*(ask(asgi, ("/async", "/sync")[number % 2]) for number in range(60))), 50)
    assert {answer.text for answer in answers} == {"1"}
    assert checked_out(engine) == 0


async def test_the_test_client_shares_one_engine_over_its_calls(engine: AsyncEngine) -> None:
    app = Flask("bridge_tests", static_folder=None)

    @app.get("/")
    async def view() -> str:
        async with engine.connect() as connection:
            return str(await connection.scalar(text("SELECT 1")))

    FlaskASGI(app)

    def use() -> list[str]:
        answers = [app.test_client().get("/").text for _ in range(3)]
        app.async_to_sync(engine.dispose)()
        return answers

    # The fixture's connections belong to the loop of this test.
    await engine.dispose()
    assert await asyncio.to_thread(use) == ["1", "1", "1"]
