"""Functions that Flask, extensions and asgiref make sync or async run where the request lives."""

import asyncio
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from flask import Flask, request
from support.asgi import Conversation, ask, eventually, http_scope

from carboy.bridge import FlaskASGI


async def test_an_extension_may_replace_how_flask_calls_views(app: Flask, asgi: FlaskASGI) -> None:
    """Flask-DebugToolbar calls the view itself, and asks nobody where."""
    released = threading.Event()

    def dispatch(*_context: Any) -> Any:
        view: Any = app.view_functions[request.endpoint or ""]
        return app.ensure_sync(view)(**request.view_args or {})

    app.dispatch_request = dispatch  # type: ignore[method-assign]

    @app.get("/slow")
    def slow() -> str:
        assert released.wait(20)
        return "slow"

    @app.get("/quick")
    async def quick() -> str:
        released.set()
        return "quick"

    slow_one = Conversation(asgi, http_scope("/slow")).start()
    assert (await ask(asgi, "/quick")).text == "quick"
    assert (await slow_one.end()).text == "slow"


async def test_flasks_own_call_is_what_is_called(app: Flask, asgi: FlaskASGI, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentry and New Relic put their wrapper there."""
    called: list[str] = []
    original = Flask.__call__

    def wrapped(self: Flask, environ: Any, start_response: Any) -> Any:
        called.append(environ["PATH_INFO"])
        return original(self, environ, start_response)

    monkeypatch.setattr(Flask, "__call__", wrapped)
    app.add_url_rule("/sync", "sync", lambda: "x")

    @app.get("/async")
    async def view() -> str:
        return "x"

    await ask(asgi, "/sync")
    await ask(asgi, "/async")
    assert called == ["/sync", "/async"]


async def test_what_was_made_sync_before_there_was_a_bridge_waits_too(app: Flask) -> None:
    """APIFlask asks for its error processor so when it is set up."""

    async def helper() -> str:
        await asyncio.sleep(0)
        return str(asyncio.get_running_loop() is serving)

    early = [app.ensure_sync(helper), app.async_to_sync(helper)]
    asgi = FlaskASGI(app)
    serving = asyncio.get_running_loop()

    @app.get("/sync")
    def sync_view() -> list[str]:
        return [call() for call in early]

    @app.get("/async")
    async def async_view() -> list[str]:
        return [call() for call in early]

    assert (await ask(asgi, "/sync")).text == '["True","True"]\n'
    assert (await ask(asgi, "/async")).text == '["True","True"]\n'


@pytest.mark.parametrize("path", ["/sync", "/async"])
async def test_functions_that_asgiref_makes_async_hold_up_no_other_request_and_keep_one_thread(
    app: Flask, asgi: FlaskASGI, path: str
) -> None:
    here, all_here = set[int](), threading.Barrier(3, timeout=20)

    def block() -> None:
        all_here.wait()
        here.add(threading.get_ident())

    async def view() -> str:
        await sync_to_async(block)()
        return str(await sync_to_async(threading.get_ident)() in here)

    app.add_url_rule("/async", "async", view)
    app.add_url_rule("/sync", "sync", app.ensure_sync(view))
    before = threading.active_count()
    answers = await asyncio.gather(*(ask(asgi, path) for _ in range(3)))
    assert [answer.text for answer in answers] == ["True"] * 3
    assert len(here) == 3
    await eventually(lambda: threading.active_count() <= before + 3)


async def test_what_is_made_sync_in_a_class_is_a_method(app: Flask, asgi: FlaskASGI) -> None:
    @app.get("/")
    def view() -> str:
        class Service:
            name = "service"

            @app.ensure_sync
            async def load(self) -> str:
                return self.name

        return str(Service().load())

    assert (await ask(asgi)).text == "service"
