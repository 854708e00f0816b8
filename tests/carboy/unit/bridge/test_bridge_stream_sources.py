"""A body may be streamed from a hook or an error handler too."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from flask import Flask, Response, request
from support.asgi import Conversation, ask, http_scope

from carboy.bridge import FlaskASGI

PLACES = ["before", "handler", "after"]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("view_is_async", [True, False])
async def test_a_sync_generator_from_anywhere_does_not_block_the_loop(
    app: Flask, asgi: FlaskASGI, place: str, *, view_is_async: bool
) -> None:
    asked = threading.Event()

    def blocking() -> Iterator[str]:
        assert threading.current_thread() is not threading.main_thread()
        yield "slow "
        assert asked.wait(20)
        yield "end"

    answer_from(app, place, blocking, view_is_async=view_is_async)

    @app.get("/other")
    async def other() -> str:
        return "other"

    slow = Conversation(asgi, http_scope("/?stream")).start()
    assert (await ask(asgi, "/other")).text == "other"
    asked.set()
    assert (await slow.end()).text == "slow end"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("view_is_async", [True, False])
async def test_an_async_generator_from_anywhere_streams(
    app: Flask, asgi: FlaskASGI, place: str, *, view_is_async: bool
) -> None:
    async def events() -> AsyncIterator[str]:
        yield "a"
        await asyncio.sleep(0)
        yield "b"

    answer_from(app, place, events, view_is_async=view_is_async)
    assert (await ask(asgi, "/?stream")).chunks == [b"a", b"b"]


def answer_from(app: Flask, place: str, body: Callable[[], Any], *, view_is_async: bool) -> None:
    """Let a hook or an error handler of a request with ``?stream`` answer with a body."""

    def view() -> str:
        if place == "handler":
            raise LookupError
        return "view"

    async def async_view() -> str:
        return view()

    app.add_url_rule("/", "view", async_view if view_is_async else view)
    if place == "before":
        app.before_request(lambda: body() if "stream" in request.args else None)
    elif place == "handler":
        app.register_error_handler(LookupError, lambda _error: body())
    else:
        app.after_request(lambda response: Response(body()) if "stream" in request.args else response)
