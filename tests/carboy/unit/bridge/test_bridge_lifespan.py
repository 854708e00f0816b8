import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from flask import Flask, stream_with_context
from support.asgi import Conversation, LifespanConversation, ask, http_scope, within

from carboy.bridge import FlaskASGI, client, sync_iterator


class Resource:
    """Something that the application opens before the first request and closes after the last."""

    def __init__(self, *, fails_to: str = "") -> None:
        self.events: list[str] = []
        self._fails_to = fails_to

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[None]:
        if self._fails_to == "open":
            raise LookupError("no database")
        self.events.append("open")
        try:
            yield
        finally:
            await asyncio.sleep(0)
            self.events.append("close")
            if self._fails_to == "close":
                raise LookupError("stuck")


async def test_the_lifespan_is_entered_before_the_first_request_and_left_after_the_last(app: Flask) -> None:
    resource = Resource()
    asgi = FlaskASGI(app, lifespan=resource)

    @app.get("/")
    def view() -> str:
        resource.events.append("request")
        return "ok"

    lifespan = LifespanConversation(asgi)
    lifespan.say("startup")
    assert await lifespan.answer() == {"type": "lifespan.startup.complete"}
    assert resource.events == ["open"]
    await ask(asgi)
    lifespan.say("shutdown")
    assert await lifespan.answer() == {"type": "lifespan.shutdown.complete"}
    assert resource.events == ["open", "request", "close"]
    await within(lifespan.task)


async def test_an_application_without_a_lifespan_says_that_it_has_started(asgi: FlaskASGI) -> None:
    lifespan = LifespanConversation(asgi)
    for what in ("startup", "shutdown"):
        lifespan.say(what)
        assert await lifespan.answer() == {"type": f"lifespan.{what}.complete"}


@pytest.mark.parametrize(
    ("fails_to", "message"),
    [
        ("open", {"type": "lifespan.startup.failed", "message": "LookupError: no database"}),
        ("close", {"type": "lifespan.shutdown.failed", "message": "LookupError: stuck"}),
    ],
)
async def test_a_failure_is_reported_and_logged(
    app: Flask, caplog: pytest.LogCaptureFixture, fails_to: str, message: dict[str, Any]
) -> None:
    lifespan = LifespanConversation(FlaskASGI(app, lifespan=Resource(fails_to=fails_to)))
    lifespan.say("startup")
    if fails_to == "close":
        await lifespan.answer()
        lifespan.say("shutdown")
    assert await lifespan.answer() == message
    await within(lifespan.task)
    assert lifespan.silent
    assert [record.name for record in caplog.records] == ["carboy.bridge"]


async def test_shutdown_waits_for_requests_that_the_server_gave_up(app: Flask) -> None:
    resource = Resource()
    asgi = FlaskASGI(app, lifespan=resource)
    working, go_on = asyncio.Event(), asyncio.Event()

    @app.get("/")
    async def view() -> str:
        working.set()
        await go_on.wait()
        resource.events.append("request")
        return "ok"

    lifespan = LifespanConversation(asgi)
    lifespan.say("startup")
    await lifespan.answer()
    conversation = Conversation(asgi, http_scope()).start()
    await within(working.wait())
    assert conversation.outer is not None
    conversation.outer.cancel()
    lifespan.say("shutdown")
    await asyncio.wait([conversation.outer])
    assert lifespan.silent
    go_on.set()
    assert await lifespan.answer() == {"type": "lifespan.shutdown.complete"}
    assert resource.events == ["open", "request", "close"]


@pytest.mark.parametrize("with_context", [False, True])
async def test_shutdown_does_not_wait_for_ever_for_a_stream_that_the_server_gave_up(
    app: Flask, monkeypatch: pytest.MonkeyPatch, *, with_context: bool
) -> None:
    monkeypatch.setattr(client, "STREAM_GRACE_SECONDS", 0.05)
    resource = Resource()
    asgi = FlaskASGI(app, lifespan=resource)

    async def events() -> AsyncIterator[str]:
        try:
            yield "x"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            resource.events.append("end of stream")

    @app.get("/")
    async def view() -> Any:
        return stream_with_context(sync_iterator(events())) if with_context else events()

    lifespan = LifespanConversation(asgi)
    lifespan.say("startup")
    await lifespan.answer()
    conversation = Conversation(asgi, http_scope()).start()
    await conversation.until(lambda: conversation.answer.chunks)
    assert conversation.outer is not None
    # A server that stops cancels the call, and then need not say http.disconnect to it.
    conversation.outer.cancel()
    lifespan.say("shutdown")
    assert await lifespan.answer() == {"type": "lifespan.shutdown.complete"}
    assert resource.events == ["open", "end of stream", "close"]


async def test_an_unknown_protocol_is_an_error_as_asgi_asks(asgi: FlaskASGI) -> None:
    scope: Any = {"type": "webtransport"}
    with pytest.raises(ValueError, match="webtransport"):
        await within(Conversation(asgi, scope).start().end())


async def test_a_websocket_is_refused(asgi: FlaskASGI) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        sent.append(message)

    await asgi({"type": "websocket", "path": "/"}, receive, send)  # type: ignore[arg-type]
    assert [(message["type"], message["code"]) for message in sent] == [("websocket.close", 1000)]
