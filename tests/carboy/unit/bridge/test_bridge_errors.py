import asyncio
import logging
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from flask import Flask, Response, abort
from support.asgi import PATIENCE, Conversation, ask, http_scope

from carboy.bridge import FlaskASGI


@pytest.fixture(params=["/sync", "/async"])
def path(app: Flask, request: pytest.FixtureRequest) -> str:
    @app.get("/sync")
    def sync_view() -> str:
        raise LookupError("lost")

    @app.get("/async")
    async def async_view() -> str:
        raise LookupError("lost")

    return str(request.param)


async def test_an_exception_reaches_the_error_handler(app: Flask, asgi: FlaskASGI, path: str) -> None:
    @app.errorhandler(LookupError)
    def handler(error: LookupError) -> tuple[str, int]:
        return f"handled {error}", 418

    answer = await ask(asgi, path)
    assert (answer.status, answer.text) == (418, "handled lost")


async def test_an_unhandled_exception_is_500_and_logged(
    asgi: FlaskASGI, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert (await ask(asgi, path)).status == 500
    assert [type((record.exc_info or [None, None])[1]) for record in caplog.records] == [LookupError]


async def test_an_unhandled_exception_goes_to_the_server_if_it_is_to_propagate(
    app: Flask, asgi: FlaskASGI, path: str
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = True
    conversation = Conversation(asgi, http_scope(path)).start()
    with pytest.raises(LookupError, match="lost"):
        await conversation.end()
    assert not conversation.answer.started


async def test_abort_in_either_kind_of_view_is_its_status(app: Flask, asgi: FlaskASGI) -> None:
    app.add_url_rule("/sync", "sync", lambda: abort(409))

    @app.get("/async")
    async def view() -> str:
        await asyncio.sleep(0)
        abort(410)

    assert ((await ask(asgi, "/sync")).status, (await ask(asgi, "/async")).status) == (409, 410)


async def test_stop_iteration_in_a_view_is_an_error_and_not_a_hang(app: Flask, asgi: FlaskASGI) -> None:
    app.add_url_rule("/sync", "sync", lambda: next(iter(())))

    @app.get("/async")
    async def view() -> Any:
        return next(iter(()))

    assert ((await ask(asgi, "/sync")).status, (await ask(asgi, "/async")).status) == (500, 500)


@pytest.mark.parametrize("kind", ["sync", "async", "context"])
async def test_an_exception_within_a_stream_goes_to_the_server_and_runs_teardown(
    app: Flask, asgi: FlaskASGI, kind: str
) -> None:
    torn_down: list[None] = []

    def generate() -> Iterator[str]:
        yield "first"
        raise LookupError("midway")

    async def agenerate() -> AsyncIterator[str]:
        yield "first"
        raise LookupError("midway")

    @app.get("/")
    def view() -> Any:
        return agenerate() if kind == "async" else generate()

    @app.teardown_request
    def teardown(_error: BaseException | None) -> None:
        torn_down.append(None)

    conversation = Conversation(asgi, http_scope()).start()
    with pytest.raises(LookupError, match="midway"):
        await conversation.end()
    assert conversation.answer.body == b"first"
    assert not conversation.answer.complete
    assert torn_down


async def test_an_exception_before_the_first_chunk_leaves_the_answer_to_the_server(app: Flask, asgi: FlaskASGI) -> None:
    async def fail() -> str:
        raise LookupError("at once")

    @app.get("/")
    async def view() -> AsyncIterator[str]:
        yield await fail()

    conversation = Conversation(asgi, http_scope()).start()
    with pytest.raises(LookupError, match="at once"):
        await conversation.end()
    assert not conversation.answer.started


async def test_a_teardown_that_raises_goes_to_the_server_and_harms_no_later_request(
    app: Flask, asgi: FlaskASGI
) -> None:
    @app.get("/<outcome>")
    async def view(outcome: str) -> str:
        return outcome

    @app.teardown_request
    async def teardown(_error: BaseException | None) -> None:
        await asyncio.sleep(0)
        raise RuntimeError("torn")

    # Flask 3.1 raises the error itself, later versions raise it within a group.
    with pytest.raises(Exception) as raised:  # noqa: PT011 - see above.
        await ask(asgi, "/a")
    assert "RuntimeError: torn" in "".join(traceback.format_exception(raised.value))
    app.teardown_request_funcs.clear()
    assert (await ask(asgi, "/b")).text == "b"


async def test_a_close_callback_that_raises_goes_to_the_server_after_the_response(app: Flask, asgi: FlaskASGI) -> None:
    @app.get("/")
    async def view() -> Response:
        response = Response("whole")

        @response.call_on_close
        def fail() -> None:
            raise RuntimeError("closing")

        return response

    conversation = Conversation(asgi, http_scope()).start()
    with pytest.raises(RuntimeError, match="closing"):
        await conversation.end()
    assert (conversation.answer.text, conversation.answer.complete) == ("whole", True)


async def test_a_send_that_fails_as_the_client_left_ends_the_request_quietly(
    app: Flask, asgi: FlaskASGI, caplog: pytest.LogCaptureFixture
) -> None:
    closed: list[str] = []

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
        finally:
            closed.append("stream")

    @app.get("/whole")
    async def whole() -> Response:
        response = Response("x")
        response.call_on_close(lambda: closed.append("whole"))
        return response

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: Any) -> None:
        raise BrokenPipeError

    caplog.set_level(logging.DEBUG, "carboy.bridge")
    for path in ("/stream", "/whole"):
        await asyncio.wait_for(asgi(http_scope(path), receive, send), PATIENCE)
    assert closed == ["stream", "whole"]
    assert [record.getMessage() for record in caplog.records] == [
        "The client left during GET /stream",
        "The client left during GET /whole",
    ]
