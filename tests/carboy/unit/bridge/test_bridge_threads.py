"""A request lives on one thread, whole: on the loop's if its view is async, otherwise on one worker's."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, Response, g, request, request_started, stream_with_context
from support.asgi import ask, eventually, within
from support.threads import Threads
from werkzeug.routing import BaseConverter

from carboy.bridge import FlaskASGI


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/sync", "GET", 200),
        ("/sync?fail=1", "GET", 500),
        ("/nowhere", "GET", 404),
        ("/sync", "DELETE", 405),
        ("/async", "DELETE", 405),
        ("/sync", "OPTIONS", 200),
    ],
)
async def test_a_request_without_an_async_view_lives_on_one_worker(  # noqa: PLR0913, PLR0917 - three are the case.
    app: Flask, asgi: FlaskASGI, threads: Threads, target: str, method: str, status: int
) -> None:
    with request_started.connected_to(lambda *_args, **_more: threads.note("signal"), app):
        assert (await ask(asgi, target, method=method)).status == status
    assert threads.seen.keys() >= {"open session", "before", "after", "save session", "close", "signal"}
    assert threads.seen.keys() >= {"teardown request", "teardown context"}
    assert threads.only != threading.get_ident()


@pytest.mark.parametrize("target", ["/async", "/async?fail=1"])
async def test_a_request_with_an_async_view_lives_on_the_loop(asgi: FlaskASGI, threads: Threads, target: str) -> None:
    await ask(asgi, target)
    assert {"open session", "view", "close", "teardown context"} <= threads.seen.keys()
    assert threads.only == threading.get_ident()


@pytest.mark.parametrize("target", ["/async", "/async?fail=1", "/sync"])
async def test_one_setting_puts_every_request_on_a_worker_and_its_coroutines_on_the_loop(
    app: Flask, threads: Threads, target: str
) -> None:
    asgi = FlaskASGI(app, run_on="worker")
    await ask(asgi, target)
    if target != "/sync":
        assert threads.seen.pop("view") == threading.get_ident()
    assert threads.only != threading.get_ident()


async def test_async_hooks_of_a_sync_request_run_on_the_servers_loop(app: Flask, asgi: FlaskASGI) -> None:
    serving = asyncio.get_running_loop()
    heard: list[Any] = []

    @app.before_request
    async def before() -> None:
        heard.append(asyncio.get_running_loop())
        g.user = "ada"

    @app.teardown_request
    async def teardown(_error: BaseException | None) -> None:
        heard.append(asyncio.get_running_loop())

    @app.get("/")
    def view() -> str:
        return f"{g.user} {threading.get_ident() == threading.main_thread().ident}"

    assert (await ask(asgi)).text == "ada False"
    assert heard == [serving, serving]


async def test_a_converter_that_blocks_runs_once_and_on_the_request_thread(app: Flask, asgi: FlaskASGI) -> None:
    threads: list[int] = []

    class Row(BaseConverter):
        def to_python(self, value: str) -> str:
            threads.append(threading.get_ident())
            return value.upper()

    app.url_map.converters["row"] = Row

    @app.get("/sync/<row:row>")
    def sync_view(row: str) -> str:
        return row

    @app.get("/async/<row:row>")
    async def async_view(row: str) -> str:
        return row

    assert (await ask(asgi, "/sync/a")).text == "A"
    assert (await ask(asgi, "/async/b")).text == "B"
    assert len(threads) == 2
    assert threads[0] != threads[1] == threading.get_ident()


async def test_a_sync_generator_with_its_context_keeps_the_thread_of_its_view(app: Flask, asgi: FlaskASGI) -> None:
    threads = Threads()

    @app.get("/")
    def view() -> Response:
        threads.note("view")

        def generate() -> Iterator[str]:
            for number in range(3):
                threads.note(f"step {number}")
                yield request.path

        return Response(stream_with_context(generate()))

    @app.teardown_request
    def teardown(_error: BaseException | None) -> None:
        threads.note("teardown")

    assert (await ask(asgi)).text == "///"
    await within(eventually(lambda: "teardown" in threads.seen))
    assert threads.only != threading.get_ident()


async def test_a_subclass_that_surrounds_itself_lives_on_a_worker_as_it_may_block(threads: Threads) -> None:
    class Surrounded(Flask):
        def wsgi_app(self, environ: Any, start_response: Any) -> Any:
            threads.note("middleware")
            return super().wsgi_app(environ, start_response)

    app = Surrounded("surrounded")

    @app.get("/")
    async def view() -> str:
        return threading.current_thread().name

    assert (await ask(FlaskASGI(app))).text == "MainThread"
    assert threads.only != threading.get_ident()
