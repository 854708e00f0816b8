"""One streamed body is one task."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest
from flask import Flask, Response, stream_with_context
from support.asgi import ask, http_scope, within
from support.streams import add_view

from carboy.bridge import FlaskASGI, sync_iterator

WRAPPINGS: list[Callable[[Any], Any]] = [
    lambda body: body,
    Response,
    sync_iterator,
    lambda body: Response(sync_iterator(body)),
    lambda body: Response(stream_with_context(sync_iterator(body))),
    lambda body: (str(chunk) for chunk in sync_iterator(body)),
]


def receiving() -> Any:
    """Return a `receive` whose client has sent an empty body, and stays."""
    messages: asyncio.Queue[Any] = asyncio.Queue()
    messages.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    return messages.get


@pytest.fixture(params=range(len(WRAPPINGS)))
def wrap(request: pytest.FixtureRequest) -> Callable[[Any], Any]:
    return WRAPPINGS[int(request.param)]


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_timeout_within_a_stream_ends_what_it_surrounds(
    app: Flask, asgi: FlaskASGI, wrap: Callable[[Any], Any], *, is_async: bool
) -> None:
    async def events() -> AsyncIterator[str]:
        tasks = {asyncio.current_task()}
        try:
            async with asyncio.timeout(0.01):
                yield "begin "
                tasks.add(asyncio.current_task())
                await asyncio.Event().wait()
        except TimeoutError:
            tasks.add(asyncio.current_task())
            yield f"timed out in {len(tasks)} task"

    add_view(app, lambda: wrap(events()), is_async=is_async)
    assert (await ask(asgi)).text == "begin timed out in 1 task"


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_task_group_whose_producer_fails_ends_the_stream(
    app: Flask, asgi: FlaskASGI, wrap: Callable[[Any], Any], *, is_async: bool
) -> None:
    async def produce() -> None:
        await asyncio.sleep(0)
        raise LookupError

    async def events() -> AsyncIterator[str]:
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(produce())
                yield "begin "
                await asyncio.Event().wait()
        except* LookupError:
            pass
        yield "failed"

    add_view(app, lambda: wrap(events()), is_async=is_async)
    assert (await ask(asgi)).text == "begin failed"


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_cancel_scope_of_anyio_means_what_it_says(
    app: Flask, asgi: FlaskASGI, wrap: Callable[[Any], Any], *, is_async: bool
) -> None:
    async def events() -> AsyncIterator[str]:
        with anyio.move_on_after(0.01) as scope:
            yield "begin "
            await anyio.sleep_forever()
        yield f"cancelled: {scope.cancelled_caught}"

    add_view(app, lambda: wrap(events()), is_async=is_async)
    assert (await ask(asgi)).text == "begin cancelled: True"


def test_a_stream_is_one_task_in_flasks_test_client_too(app: Flask, wrap: Callable[[Any], Any]) -> None:
    FlaskASGI(app)

    async def events() -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(0.01):
                yield "begin "
                await asyncio.Event().wait()
        except TimeoutError:
            yield "timed out"

    add_view(app, lambda: wrap(events()), is_async=True)
    with app.test_client() as tester:
        assert tester.get("/").text == "begin timed out"


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_cancel_scope_of_anyio_that_ends_while_a_chunk_is_sent_means_what_it_says(
    app: Flask, asgi: FlaskASGI, wrap: Callable[[Any], Any], *, is_async: bool
) -> None:
    scope, sent = anyio.CancelScope(), bytearray()

    async def events() -> AsyncIterator[str]:
        with scope:
            yield "begin "
            await anyio.sleep_forever()
        yield f"cancelled: {scope.cancelled_caught}"

    async def send(message: Any) -> None:
        sent.extend(message.get("body", b""))
        if sent == b"begin ":
            scope.cancel()
            # Until the cancellation has reached the task, which anyio sends by the loop.
            for _ in range(5):
                await asyncio.sleep(0)

    add_view(app, lambda: wrap(events()), is_async=is_async)
    await within(asgi(http_scope("/"), receiving(), send))
    assert sent == b"begin cancelled: True"
