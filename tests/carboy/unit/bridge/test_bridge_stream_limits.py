"""Streams take nothing from those who do not stream."""

import asyncio
import queue
import threading
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, Response, request, send_file
from support.asgi import Conversation, ask, eventually, http_scope, within
from support.streams import add_view, has_begun

from carboy.bridge import FlaskASGI, client


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STREAM_GRACE_SECONDS", 0.01)


@pytest.mark.usefixtures("short_grace")
@pytest.mark.parametrize("view_is_async", [True, False])
async def test_streams_that_block_for_ever_take_nothing_from_others(
    app: Flask, tmp_path: Path, *, view_is_async: bool
) -> None:
    asgi = FlaskASGI(app, threads=2, streams=5, spool_bytes=10)
    queues: list[queue.SimpleQueue[str | None]] = []
    file = tmp_path / "file"
    file.write_bytes(b"f" * 600_000)

    def view() -> Iterator[str | None]:
        messages: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        queues.append(messages)
        messages.put("hello")
        return iter(messages.get, None)

    add_view(app, view, is_async=view_is_async)
    app.add_url_rule("/sync", "sync", lambda: "sync")
    app.add_url_rule("/file", "file", lambda: send_file(file))
    app.add_url_rule("/upload", "upload", lambda: str(len(request.get_data())), methods=["POST"])

    streams = [Conversation(asgi, http_scope()).start() for _ in range(5)]
    for stream in streams:
        await has_begun(stream)
    assert (await ask(asgi, "/sync")).text == "sync"
    assert len((await ask(asgi, "/file")).body) == 600_000
    assert (await ask(asgi, "/upload", method="POST", chunks=[b"x" * 50, b"y" * 50])).text == "100"

    # There is no room for another, which is told so; clients that leave do not wait for their generator.
    refused = await ask(asgi)
    assert (refused.status, refused.header("retry-after")) == (503, "1")
    for stream in streams:
        stream.leave()
        await stream.end()
    for messages in queues:
        messages.put(None)

    async def try_again() -> Conversation:
        while True:
            again = Conversation(asgi, http_scope()).start()
            await again.until_offered(1)
            if again.answer.status == 200:
                return again

    again = await within(try_again())
    queues[-1].put(None)
    again.leave()
    await again.end()


async def test_a_refused_stream_is_answered_as_the_application_answers_errors(app: Flask) -> None:
    asgi = FlaskASGI(app, streams=0)
    app.register_error_handler(503, lambda error: (f"sorry, {error.code}", 503))
    closed: list[int] = []

    def generate() -> Iterator[str]:
        try:
            yield "x"
        finally:
            closed.append(threading.get_ident())

    app.add_url_rule("/", "view", generate, methods=["POST"])
    answer = await ask(asgi, method="POST", chunks=[b"body"])
    assert (answer.status, answer.text) == (503, "sorry, 503")
    # It has not begun.
    assert closed == []


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_file_waits_for_its_client_without_a_thread(app: Flask, tmp_path: Path, *, is_async: bool) -> None:
    asgi = FlaskASGI(app, threads=1, streams=0)
    file = tmp_path / "file"
    file.write_bytes(b"f" * 3_000_000)
    add_view(app, lambda: send_file(file, conditional=True), is_async=is_async)
    app.add_url_rule("/sync", "sync", lambda: "sync")
    app.add_url_rule("/bytes", "bytes", lambda: send_file(BytesIO(b"b" * 600_000), mimetype="text/plain"))

    downloads = [
        Conversation(asgi, http_scope(headers=[(b"range", b"bytes=10-2999999")]), slow=True).start() for _ in range(20)
    ]
    for download in downloads:
        await download.until_offered(1)
    assert (await ask(asgi, "/sync")).text == "sync"
    assert len((await ask(asgi, "/bytes")).body) == 600_000
    for download in downloads:
        for _ in range(20):
            download.take()
        assert len((await download.end()).body) == 2_999_990


async def test_a_slot_is_free_once_a_view_has_answered_whatever_follows(app: Flask) -> None:
    asgi = FlaskASGI(app, threads=1)
    released = threading.Event()

    @app.get("/slow-end")
    def slow_end() -> Response:
        response = Response("answered")
        response.call_on_close(lambda: released.wait(20))
        return response

    app.add_url_rule("/sync", "sync", lambda: "sync")
    first = Conversation(asgi, http_scope("/slow-end")).start()
    await first.until(lambda: first.answer.complete)
    assert (await ask(asgi, "/sync")).text == "sync"
    released.set()
    await first.end()


async def test_a_blocked_send_ends_when_its_client_leaves(app: Flask, asgi: FlaskASGI) -> None:
    """Hypercorn never wakes the sender of an HTTP/2 stream whose window is full and whose client has gone."""
    closed: list[str] = []

    @app.get("/<kind>")
    async def view(kind: str) -> Response:
        body: Any = "x" * 1000 if kind == "whole" else stream()
        response = Response(body)
        response.call_on_close(lambda: closed.append(kind))
        return response

    async def stream() -> AsyncIterator[str]:
        for _ in range(5):
            yield "x"

    app.add_url_rule("/sync", "sync", lambda: "x")
    for kind in ("whole", "stream", "sync"):
        conversation = Conversation(asgi, http_scope(f"/{kind}"), slow=True).start()
        await conversation.until_offered(1)
        conversation.leave()
        begun = time.monotonic()
        await conversation.end()
        assert time.monotonic() - begun < 10
    assert closed == ["whole", "stream"]


async def test_the_end_does_not_wait_for_ever(app: Flask) -> None:
    asgi = FlaskASGI(app, stop_seconds=0.01)
    stopping = asyncio.Event()

    @app.get("/swallows")
    async def swallows() -> str:
        while not stopping.is_set():
            try:
                await asyncio.sleep(20)
            except asyncio.CancelledError:
                continue
        return "x"

    blocked = threading.Event()
    app.add_url_rule("/blocks", "blocks", lambda: str(blocked.wait(20)))
    requests = [Conversation(asgi, http_scope(path)).start() for path in ("/swallows", "/blocks")]
    await asyncio.sleep(0)

    messages: asyncio.Queue[Any] = asyncio.Queue()
    said: list[Any] = []

    async def say(message: Any) -> None:
        said.append(message["type"])

    messages.put_nowait({"type": "lifespan.startup"})
    messages.put_nowait({"type": "lifespan.shutdown"})
    await within(asgi({"type": "lifespan"}, messages.get, say))  # type: ignore[arg-type]
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    # Nothing that is left would hold up the end of the loop.
    left = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}  # type: ignore[union-attr]
    assert "FlaskASGI._serve" not in left
    stopping.set()
    blocked.set()
    for conversation in requests:
        assert conversation.outer is not None
        conversation.outer.cancel()


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_generator_that_yields_nothing_for_ever_ends_when_its_client_leaves(
    app: Flask, *, is_async: bool
) -> None:
    asgi = FlaskASGI(app, streams=1)
    closed: list[str] = []

    def generate() -> Iterator[str]:
        try:
            yield "x"
            while True:
                yield ""
        finally:
            closed.append("closed")

    add_view(app, generate, is_async=is_async)
    for number in range(3):
        stream = Conversation(asgi, http_scope()).start()
        await has_begun(stream)
        stream.leave()
        await stream.end()
        await eventually(partial(has_closed, closed, number + 1))
        # Its thread is there for the next one.
        await asyncio.sleep(0)


def has_closed(closed: list[str], number: int) -> bool:
    return len(closed) == number


async def test_a_refused_stream_has_the_arguments_of_its_url_again(app: Flask) -> None:
    asgi = FlaskASGI(app, streams=0)

    @app.url_value_preprocessor
    def take_language(_endpoint: str | None, values: dict[str, Any] | None) -> None:
        assert values is not None
        values.pop("language")

    @app.get("/<language>/")
    async def view() -> Iterator[str]:
        return iter(["x"])

    assert (await ask(asgi, "/en/")).status == 503
