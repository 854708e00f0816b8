"""What happens to a stream whose client leaves."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask, Response, g, request, stream_with_context
from support.asgi import PATIENCE, Conversation, eventually, http_scope, within

from carboy.bridge import FlaskASGI, client, sync_iterator


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "STREAM_GRACE_SECONDS", 0.05)


class Witness:
    """Counts how often what must happen once has happened."""

    def __init__(self, app: Flask) -> None:
        self.ends = 0
        self.teardowns = 0
        app.teardown_request(self._teardown)

    async def _teardown(self, _error: BaseException | None) -> None:
        await asyncio.sleep(0)
        # Flask 3.1 tears a streamed request down twice, so a cleanup has to be idempotent.
        if "torn" not in g:
            g.torn = True
            self.teardowns += 1


async def leave_after_the_first_chunk(asgi: FlaskASGI, path: str) -> Conversation:
    conversation = Conversation(asgi, http_scope(path)).start()
    await conversation.until(lambda: conversation.answer.chunks)
    conversation.leave()
    await conversation.end()
    assert not conversation.answer.complete
    return conversation


@pytest.mark.parametrize("path", ["/sync", "/sync-context", "/async", "/async-context", "/endless-wait"])
async def test_a_client_that_leaves_ends_the_stream_and_runs_teardown(app: Flask, asgi: FlaskASGI, path: str) -> None:
    witness = Witness(app)

    def generate() -> Iterator[str]:
        try:
            while True:
                yield "x"
        finally:
            witness.ends += 1

    async def agenerate() -> AsyncIterator[str]:
        try:
            while True:
                await asyncio.sleep(0)
                yield request.path if path.endswith("context") else "x"
        finally:
            await asyncio.sleep(0)
            witness.ends += 1

    async def wait_for_ever() -> AsyncIterator[str]:
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            witness.ends += 1

    app.add_url_rule("/sync", "sync", generate)
    app.add_url_rule("/async", "async", agenerate)
    app.add_url_rule("/endless-wait", "endless-wait", wait_for_ever)
    app.add_url_rule("/sync-context", "sync-context", lambda: Response(stream_with_context(generate())))
    app.add_url_rule(
        "/async-context", "async-context", lambda: Response(stream_with_context(sync_iterator(agenerate())))
    )

    await leave_after_the_first_chunk(asgi, path)
    assert (witness.ends, witness.teardowns) == (1, 1)


@pytest.mark.parametrize("view_is_async", [False, True])
async def test_leaving_ends_an_async_generator_that_waits_under_stream_with_context(
    app: Flask, asgi: FlaskASGI, *, view_is_async: bool
) -> None:
    witness = Witness(app)
    errors: list[BaseException] = []

    async def agenerate() -> AsyncIterator[str]:
        try:
            yield "x"
            await asyncio.Event().wait()
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            # A cleanup that itself waits, such as giving a connection back, has to come to its end.
            for _ in range(20):
                await asyncio.sleep(0)
            witness.ends += 1

    def view() -> Response:
        return Response(stream_with_context(sync_iterator(agenerate())))

    async def async_view() -> Response:
        return view()

    app.add_url_rule("/", "view", async_view if view_is_async else view)
    await leave_after_the_first_chunk(asgi, "/")
    assert (witness.ends, witness.teardowns) == (1, 1)
    assert [type(error) for error in errors] == [asyncio.CancelledError]


async def test_leaving_before_the_first_chunk_ends_the_stream(app: Flask, asgi: FlaskASGI) -> None:
    witness = Witness(app)
    waiting = asyncio.Event()

    @app.get("/")
    async def view() -> AsyncIterator[str]:
        try:
            waiting.set()
            await asyncio.Event().wait()
            yield "never"
        finally:
            witness.ends += 1

    conversation = Conversation(asgi, http_scope()).start()
    await within(waiting.wait())
    conversation.leave()
    await conversation.end()
    assert (witness.ends, witness.teardowns) == (1, 1)


async def test_an_async_generator_that_never_waits_neither_starves_others_nor_outlives_its_client(
    app: Flask, asgi: FlaskASGI
) -> None:
    witness = Witness(app)

    @app.get("/")
    async def view() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
        finally:
            witness.ends += 1

    conversation = await leave_after_the_first_chunk(asgi, "/")
    assert (witness.ends, witness.teardowns) == (1, 1)
    assert len(conversation.answer.chunks) < 1000


async def test_a_step_that_ends_within_its_grace_is_not_cancelled(
    app: Flask, asgi: FlaskASGI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "STREAM_GRACE_SECONDS", 2 * PATIENCE)
    witness = Witness(app)
    query = asyncio.Event()
    outcomes: set[str] = set()

    @app.get("/")
    async def view() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
                try:
                    await query.wait()
                    outcomes.add("finished")
                except asyncio.CancelledError:
                    outcomes.add("cancelled")
                    raise
        finally:
            witness.ends += 1

    conversation = Conversation(asgi, http_scope()).start()
    await conversation.until(lambda: conversation.answer.chunks)
    conversation.leave()
    # Turns enough for the application to hear of it, and to cancel the step if it meant to.
    for _ in range(50):
        await asyncio.sleep(0)
    query.set()
    await conversation.end()
    assert outcomes == {"finished"}
    assert (witness.ends, witness.teardowns) == (1, 1)


async def test_a_sync_generator_cannot_mistake_its_cancellation_for_an_error(app: Flask, asgi: FlaskASGI) -> None:
    witness = Witness(app)

    async def for_ever() -> None:
        await asyncio.Event().wait()

    @app.get("/")
    def view() -> Iterator[str]:
        def generate() -> Iterator[str]:
            try:
                yield "x"
                while True:
                    with suppress(Exception):
                        app.async_to_sync(for_ever)()
            finally:
                witness.ends += 1

        return generate()

    await leave_after_the_first_chunk(asgi, "/")
    assert (witness.ends, witness.teardowns) == (1, 1)


async def test_a_sync_step_that_starts_to_wait_after_its_grace_is_cancelled_too(app: Flask, asgi: FlaskASGI) -> None:
    witness = Witness(app)
    stepping, go_on = threading.Event(), threading.Event()

    async def for_ever() -> None:
        await asyncio.Event().wait()

    @app.get("/")
    def view() -> Response:
        def generate() -> Iterator[str]:
            try:
                yield "x"
                stepping.set()
                assert go_on.wait(20)
                app.async_to_sync(for_ever)()
                yield "never"
            finally:
                witness.ends += 1

        return Response(stream_with_context(generate()))

    conversation = Conversation(asgi, http_scope()).start()
    await conversation.until(lambda: conversation.answer.chunks)
    assert await asyncio.to_thread(stepping.wait, 20)
    conversation.leave()
    # A thread that blocks cannot be told to end, and the request does not wait for it.
    await conversation.end()
    assert witness.ends == 0
    go_on.set()
    await eventually(lambda: (witness.ends, witness.teardowns) == (1, 1))


async def test_a_server_that_is_slow_to_stop_sending_does_not_cancel_the_streams_cleanup(
    app: Flask, asgi: FlaskASGI
) -> None:
    sending, ended = asyncio.Event(), asyncio.Event()

    async def clean_up() -> None:
        await asyncio.sleep(0)
        ended.set()

    @app.get("/")
    async def view() -> Response:
        response = Response(sync_iterator(generate()))
        response.call_on_close(app.ensure_sync(clean_up))
        return response

    async def generate() -> AsyncIterator[str]:
        yield "x"

    said = iter([{"type": "http.request"}, {"type": "http.disconnect"}])

    async def receive() -> Any:
        message = next(said)
        if message["type"] == "http.disconnect":
            await sending.wait()
        return message

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            sending.set()
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(client.STREAM_GRACE_SECONDS * 2)

    await within(asgi(http_scope(), receive, send))
    assert ended.is_set()
