"""What monitoring relies on: context variables where failures are reported, and no failure where there is none."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from flask import Flask, Response
from greenlet import getcurrent
from support.asgi import Conversation, ask, eventually, http_scope

from carboy.bridge import FlaskASGI, client, sync_iterator

reported: ContextVar[str] = ContextVar("reported", default="nothing")


class Log(logging.Handler):
    """Keeps, of each failure that is logged, the message and what the context says of it."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.entries: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.entries.append((str((record.exc_info or [None, None])[1]), reported.get()))


@pytest.fixture
def log() -> Iterator[Log]:
    log = Log()
    logging.getLogger().addHandler(log)
    yield log
    logging.getLogger().removeHandler(log)


def failing_to_close(released: threading.Event) -> Response:
    def fail() -> None:
        assert released.wait(20)
        reported.set("close")
        raise LookupError("close")

    response = Response("whole")
    response.call_on_close(fail)
    return response


@pytest.fixture
def released(app: Flask) -> threading.Event:
    released = threading.Event()
    app.add_url_rule("/sync", "sync", lambda: failing_to_close(released))

    @app.get("/async")
    async def async_view() -> Response:
        return failing_to_close(released)

    return released


@pytest.mark.parametrize("path", ["/sync", "/async"])
async def test_the_server_that_logs_a_failure_knows_what_the_request_has_set(
    asgi: FlaskASGI, released: threading.Event, log: Log, path: str
) -> None:
    async def server(*connection: Any) -> None:
        try:
            await asgi(*connection)
        except LookupError:
            logging.getLogger("server").exception("It failed")

    released.set()
    await ask(server, path)
    assert log.entries == [("close", "close")]
    assert reported.get() == "nothing"


async def test_the_log_of_a_request_that_was_given_up_knows_what_it_has_set(
    asgi: FlaskASGI, released: threading.Event, log: Log
) -> None:
    conversation = Conversation(asgi, http_scope("/sync")).start()
    await conversation.until(lambda: conversation.answer.complete)
    assert conversation.outer is not None
    conversation.outer.cancel()
    await asyncio.wait([conversation.outer])
    released.set()
    await eventually(lambda: log.entries)
    assert log.entries == [("close", "close")]


@pytest.mark.parametrize("path", ["/sync", "/async"])
async def test_the_failure_of_a_body_whose_client_has_left_is_logged_once(
    app: Flask, asgi: FlaskASGI, log: Log, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(client, "STREAM_GRACE_SECONDS", 0.05)
    released = threading.Event()

    def generate() -> Iterator[str]:
        yield "x"
        assert released.wait(20)
        reported.set("body")
        raise LookupError("body")

    async def async_view() -> Iterator[str]:
        return generate()

    app.add_url_rule("/sync", "sync", generate)
    app.add_url_rule("/async", "async", async_view)
    conversation = Conversation(asgi, http_scope(path)).start()
    await conversation.until(lambda: conversation.answer.chunks)
    conversation.leave()
    await conversation.end()
    released.set()
    await eventually(lambda: log.entries)
    assert log.entries == [("body", "body")]


@pytest.mark.parametrize("path", ["/sync", "/async", "/sync-iterator"])
async def test_a_client_that_leaves_is_no_failure_to_what_surrounds_the_application(
    app: Flask, asgi: FlaskASGI, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr(client, "STREAM_GRACE_SECONDS", 0.05)
    heard: list[str] = []
    original = Flask.__call__

    def watched(body: Iterable[bytes]) -> Iterator[bytes]:
        try:
            yield from body
            heard.append("end")
        except BaseException as error:
            heard.append(type(error).__name__)
            raise

    monkeypatch.setattr(Flask, "__call__", lambda *call: watched(original(*call)))

    async def generate() -> AsyncIterator[str]:
        try:
            yield "x"
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            heard.append("cancelled within")
            raise

    async def async_view() -> AsyncIterator[str]:
        return generate()

    async def sync_iterator_view() -> Response:
        return Response(chunk for chunk in sync_iterator(generate()))

    app.add_url_rule("/sync", "sync", generate)
    app.add_url_rule("/async", "async", async_view)
    app.add_url_rule("/sync-iterator", "sync-iterator", sync_iterator_view)
    conversation = Conversation(asgi, http_scope(path)).start()
    await conversation.until(lambda: conversation.answer.chunks)
    conversation.leave()
    await conversation.end()
    await eventually(lambda: len(heard) == 2)
    assert heard == ["cancelled within", "end"]
    assert not conversation.answer.complete


async def test_a_thread_takes_nothing_from_the_request_that_it_is_started_for(
    app: Flask, asgi: FlaskASGI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sentry and Python 3.14 have a thread inherit the context in which it is started."""
    inherited: list[str] = []
    start = threading.Thread.start

    def inherit(thread: threading.Thread) -> None:
        inherited.append(reported.get())
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", inherit)

    @app.get("/")
    async def view() -> Iterator[str]:
        reported.set("view")
        return iter(["streamed in a thread that the view starts"])

    await ask(asgi)
    assert inherited == ["nothing"]


async def test_code_on_the_loop_is_part_of_its_task_and_of_no_greenlet_with_a_parent(
    app: Flask, asgi: FlaskASGI
) -> None:
    """New Relic looks up a request by the greenlet if that has a parent, and otherwise by the task."""
    together = asyncio.Event()
    tasks: set[asyncio.Task[Any] | None] = set()

    @app.get("/")
    async def view() -> AsyncIterator[str]:
        async def generate() -> AsyncIterator[str]:
            for _ in range(2):
                assert getcurrent().parent is None
                tasks.add(asyncio.current_task())
                yield "x"
                await together.wait()

        return generate()

    conversations = [Conversation(asgi, http_scope()).start() for _ in range(2)]
    await eventually(lambda: all(conversation.answer.chunks for conversation in conversations))
    together.set()
    for conversation in reversed(conversations):
        await conversation.end()
    assert len(tasks) == 2
