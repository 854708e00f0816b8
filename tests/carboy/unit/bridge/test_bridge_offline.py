"""The same application without a server: Flask's test client and its command line."""

import asyncio
import gc
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import click
import pytest
from flask import Flask, Response, g, request, stream_with_context
from support.asgi import ask

from carboy.bridge import FlaskASGI, sync_iterator


@pytest.fixture
def loops(app: Flask) -> list[tuple[asyncio.AbstractEventLoop, str]]:  # noqa: C901 - one view of each kind.
    """Add views of each kind; the list gets the loop and the thread of each async one."""
    noted: list[tuple[asyncio.AbstractEventLoop, str]] = []

    def note() -> None:
        noted.append((asyncio.get_running_loop(), threading.current_thread().name))

    @app.before_request
    async def before() -> None:
        note()
        g.word = "g"

    @app.get("/async")
    async def async_view() -> str:
        await asyncio.sleep(0)
        note()
        return f"{request.path} {g.word}"

    @app.get("/sync")
    def sync_view() -> str:
        return f"{request.path} {g.word} {threading.current_thread() is threading.main_thread()}"

    @app.get("/async-stream")
    async def async_stream() -> AsyncIterator[str]:
        for word in ("a", "b"):
            await asyncio.sleep(0)
            note()
            yield word

    @app.get("/sync-stream")
    async def sync_stream() -> Iterator[str]:
        return iter(["a", "b"])

    async def words() -> AsyncIterator[str]:
        for word in (request.path, g.word):
            await asyncio.sleep(0)
            note()
            yield word

    @app.get("/context-stream")
    async def context_stream() -> Response:
        return Response(stream_with_context(sync_iterator(words())))

    @app.cli.command("work")
    @click.argument("word")
    def work(word: str) -> None:
        async def shout() -> str:
            await asyncio.sleep(0)
            note()
            return word.upper()

        for _ in range(2):
            click.echo(app.async_to_sync(shout)())

    FlaskASGI(app)
    return noted


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/async", "/async g"),
        ("/sync", "/sync g True"),
        ("/async-stream", "ab"),
        ("/sync-stream", "ab"),
        ("/context-stream", "/context-streamg"),
    ],
)
def test_the_test_client_runs_async_code_on_one_background_loop(
    app: Flask, loops: list[Any], path: str, text: str
) -> None:
    client = app.test_client()
    assert [client.get(path).text for _ in range(2)] == [text, text]
    assert len(loops) >= 2
    assert len(set(loops)) == 1
    assert loops[0][1] == "carboy-loop"


def test_commands_share_that_loop_with_the_test_client(app: Flask, loops: list[Any]) -> None:
    result = app.test_cli_runner().invoke(args=["work", "hello"])
    assert (result.exit_code, result.output) == (0, "HELLO\nHELLO\n")
    app.test_client().get("/async")
    assert len(set(loops)) == 1


def test_threads_share_that_loop(app: Flask, loops: list[Any]) -> None:
    threads = [threading.Thread(target=lambda: app.test_client().get("/async")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(loops) == 16
    assert len(set(loops)) == 1


async def test_the_test_client_inside_a_running_loop_says_what_is_wrong(app: Flask, loops: list[Any]) -> None:
    app.testing = True
    client = app.test_client()
    with pytest.raises(RuntimeError, match="An event loop is running in this thread: await the coroutine"):
        client.get("/async")
    assert loops == []


async def test_the_test_client_in_another_thread_of_a_serving_process_uses_the_servers_loop(app: Flask) -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    @app.get("/")
    async def view() -> str:
        loops.append(asyncio.get_running_loop())
        return "ok"

    asgi = FlaskASGI(app)
    await ask(asgi)
    answer = await asyncio.to_thread(app.test_client().get, "/")
    assert answer.text == "ok"
    assert loops == [asyncio.get_running_loop()] * 2


def test_an_exception_of_an_async_view_reaches_the_test_client(app: Flask) -> None:
    FlaskASGI(app)
    app.testing = True

    @app.get("/")
    async def view() -> str:
        raise LookupError("lost")

    with pytest.raises(LookupError, match="lost"):
        app.test_client().get("/")


def test_a_cancelled_coroutine_raises_what_asyncio_raises(app: Flask) -> None:
    FlaskASGI(app)

    async def cancel() -> None:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        app.async_to_sync(cancel)()


def test_the_background_loop_ends_with_its_application() -> None:
    app = Flask("bridge_tests")
    FlaskASGI(app)

    async def here() -> threading.Thread:
        return threading.current_thread()

    thread = app.async_to_sync(here)()
    del app
    gc.collect()
    thread.join(20)
    assert not thread.is_alive()
