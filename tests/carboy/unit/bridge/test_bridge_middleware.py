"""WSGI middleware around an application may block; it blocks nobody else."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

from flask import Flask, request
from support.asgi import Conversation, ask, http_scope
from support.threads import Threads
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

from carboy.bridge import FlaskASGI


class Middleware:
    """WSGI middleware that blocks until it is released, as Socket.IO's does in a long poll."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.waits, self.released = threading.Event(), threading.Event()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        if environ["PATH_INFO"] == "/poll":
            self.waits.set()
            assert self.released.wait(20)
        environ["HTTP_X_SEEN"] = "yes"
        return self.app(environ, start_response)


async def test_wsgi_middleware_that_blocks_blocks_nobody_else(app: Flask, asgi: FlaskASGI) -> None:
    app.wsgi_app = middleware = Middleware(app.wsgi_app)  # type: ignore[method-assign]
    serving = asyncio.get_running_loop()

    @app.get("/<path:path>")
    async def view(path: str) -> str:
        return f"{path} {request.headers['X-Seen']} {asyncio.get_running_loop() is serving}"

    poll = Conversation(asgi, http_scope("/poll")).start()
    assert await asyncio.to_thread(middleware.waits.wait, 20)
    assert (await ask(asgi, "/other")).text == "other yes True"
    middleware.released.set()
    assert (await poll.end()).text == "poll yes True"


async def test_a_mounted_application_has_its_async_views_run_on_the_servers_loop(app: Flask, asgi: FlaskASGI) -> None:
    inner = Flask("inner")
    serving = asyncio.get_running_loop()

    @app.get("/")
    @inner.get("/")
    async def view() -> str:
        await asyncio.sleep(0)
        return f"{request.script_root} {asyncio.get_running_loop() is serving}"

    app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/inner": inner})  # type: ignore[method-assign]
    assert (await ask(asgi, "/inner/")).text == "/inner True"
    assert (await ask(asgi, "/")).text == " True"


async def test_proxy_fix_keeps_no_async_view_from_the_loop(app: Flask, asgi: FlaskASGI, threads: Threads) -> None:
    app.wsgi_app = ProxyFix(ProxyFix(app.wsgi_app, x_host=1))  # type: ignore[method-assign]
    assert (await ask(asgi, "/async", headers=[(b"x-forwarded-host", b"example.org")])).text == "answer"
    assert threads.only == threading.get_ident()


async def test_middleware_may_be_declared_not_to_block(app: Flask, threads: Threads) -> None:
    app.wsgi_app = Middleware(app.wsgi_app)  # type: ignore[method-assign]
    asgi = FlaskASGI(app, run_on="view")
    assert (await ask(asgi, "/async")).text == "answer"
    assert threads.only == threading.get_ident()


async def test_a_sync_view_that_middleware_leads_to_does_not_block_the_loop(app: Flask) -> None:
    asgi = FlaskASGI(app, run_on="view")
    asked = threading.Event()

    @app.get("/async")
    async def async_view() -> str:
        return "async"

    @app.get("/sync")
    def sync_view() -> Iterator[str]:
        assert threading.current_thread() is not threading.main_thread()
        yield "s"
        assert asked.wait(20)
        yield "ync"

    inner = app.wsgi_app

    def rewrite(environ: dict[str, Any], start_response: Any) -> Any:
        return inner(environ | {"PATH_INFO": "/sync" if environ["QUERY_STRING"] else "/async"}, start_response)

    app.wsgi_app = rewrite  # type: ignore[method-assign]
    led_away = Conversation(asgi, http_scope("/async?x")).start()
    await led_away.until(lambda: led_away.answer.chunks)
    assert (await ask(asgi, "/async")).text == "async"
    asked.set()
    assert (await led_away.end()).text == "sync"
