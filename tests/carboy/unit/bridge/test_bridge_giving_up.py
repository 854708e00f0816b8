"""What happens to a request whose server no longer waits for it."""

import asyncio
import threading
from typing import Any

import pytest
from flask import Flask
from support.asgi import Conversation, http_scope, within

from carboy.bridge import FlaskASGI


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("path", ["/sync", "/async"])
async def test_giving_a_request_up_does_not_cancel_its_view_nor_its_teardown(
    app: Flask, asgi: FlaskASGI, path: str, times: int
) -> None:
    events: list[str] = []
    working, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work() -> str:
        working.set()
        await go_on.wait()
        events.append("view")
        return "ok"

    app.add_url_rule("/async", "async", work)

    @app.get("/sync")
    def sync_view() -> Any:
        return app.async_to_sync(work)()

    @app.teardown_request
    async def teardown(error: BaseException | None) -> None:
        await asyncio.sleep(0)
        events.append(f"teardown {error}")
        done.set()

    conversation = Conversation(asgi, http_scope(path)).start()
    await within(working.wait())
    assert conversation.outer is not None
    for _ in range(times):
        conversation.outer.cancel()
        await asyncio.wait([conversation.outer])
    assert conversation.outer.cancelled()
    assert events == []
    go_on.set()
    await within(done.wait())
    assert events == ["view", "teardown None"]


async def test_cancelling_twice_in_a_row_does_not_reach_a_teardown_under_way(app: Flask, asgi: FlaskASGI) -> None:
    tearing, go_on, done = asyncio.Event(), asyncio.Event(), asyncio.Event()
    app.add_url_rule("/", "view", lambda: "ok")

    @app.teardown_request
    async def teardown(_error: BaseException | None) -> None:
        tearing.set()
        await go_on.wait()
        done.set()

    conversation = Conversation(asgi, http_scope()).start()
    await within(tearing.wait())
    assert conversation.outer is not None
    conversation.outer.cancel()
    conversation.outer.cancel()
    await asyncio.wait([conversation.outer])
    go_on.set()
    await within(done.wait())


async def test_the_error_of_a_request_that_was_given_up_is_logged(
    app: Flask, asgi: FlaskASGI, caplog: pytest.LogCaptureFixture
) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = True
    working, go_on = threading.Event(), threading.Event()

    @app.get("/")
    def view() -> str:
        working.set()
        assert go_on.wait(20)
        raise LookupError("unseen")

    conversation = Conversation(asgi, http_scope()).start()
    assert await asyncio.to_thread(working.wait, 20)
    (task,) = asgi.requests
    assert conversation.outer is not None
    conversation.outer.cancel()
    await asyncio.wait([conversation.outer])
    go_on.set()
    await asyncio.wait([task])
    await asyncio.sleep(0)
    (record,) = caplog.records
    assert record.name == "carboy.bridge"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], LookupError)
