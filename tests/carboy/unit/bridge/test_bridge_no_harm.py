"""No view harms another request, whatever it raises, cancels or forks."""

import asyncio
import logging
import multiprocessing
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from flask import Flask
from support.asgi import Conversation, ask, http_scope, within

from carboy.bridge import FlaskASGI


class PanicError(BaseException):
    """As Rust extensions raise one."""


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), PanicError(), BaseExceptionGroup("group", [KeyboardInterrupt()])],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("path", ["/sync", "/async", "/before", "/sync-hook-of-async"])
async def test_an_exception_that_would_end_the_process_is_a_logged_500(
    app: Flask, asgi: FlaskASGI, caplog: pytest.LogCaptureFixture, path: str, error: BaseException
) -> None:
    going_on = asyncio.Event()
    app.register_error_handler(500, lambda _error: ("ours", 500))

    @app.get("/sync")
    @app.get("/before")
    def sync_view() -> str:
        raise error

    @app.get("/async")
    @app.get("/sync-hook-of-async")
    async def async_view() -> str:
        raise error

    @app.get("/other")
    async def other() -> str:
        await going_on.wait()
        return "other"

    beside = Conversation(asgi, http_scope("/other")).start()
    await asyncio.sleep(0)
    answer = await ask(asgi, path)
    assert (answer.status, answer.text) == (500, "ours")
    assert any(record.levelno == logging.ERROR and record.exc_info for record in caplog.records)
    going_on.set()
    assert (await beside.end()).text == "other"


@pytest.mark.parametrize("error", [PanicError, GeneratorExit])
@pytest.mark.parametrize("path", ["/sync", "/async"])
async def test_what_a_teardown_raises_reaches_the_server_as_an_ordinary_error(
    app: Flask, asgi: FlaskASGI, path: str, error: type[BaseException]
) -> None:
    """Servers end all of a connection's other requests with any other."""

    @app.teardown_request
    def fail(_error: BaseException | None) -> None:
        raise error

    app.add_url_rule("/sync", "sync", lambda: "sync")

    @app.get("/async")
    async def view() -> str:
        return "async"

    with pytest.raises(RuntimeError, match=error.__name__):
        await ask(asgi, path)


def test_without_a_server_a_view_may_end_the_process(app: Flask) -> None:
    FlaskASGI(app)
    app.add_url_rule("/", "view", sys.exit)
    with pytest.raises(SystemExit):
        app.test_client().get("/")


@pytest.mark.parametrize("is_async", [True, False])
async def test_a_stream_that_would_end_the_process_fails_alone(app: Flask, asgi: FlaskASGI, *, is_async: bool) -> None:
    def generate() -> Iterator[str]:
        yield "x"
        sys.exit(3)

    async def agenerate() -> AsyncIterator[str]:
        yield "x"
        sys.exit(3)

    app.add_url_rule("/", "view", agenerate if is_async else generate)
    with pytest.raises(RuntimeError, match="SystemExit"):
        await ask(asgi)


@pytest.mark.parametrize("path", ["/async", "/sync"])
async def test_awaiting_a_task_that_another_has_cancelled_is_a_logged_500(
    app: Flask, asgi: FlaskASGI, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    async def job() -> str:
        shared = asyncio.ensure_future(asyncio.sleep(20))
        shared.cancel()
        await shared
        return "never"

    app.add_url_rule("/sync", "sync", app.async_to_sync(job))
    app.add_url_rule("/async", "async", job)
    answer = await ask(asgi, path)
    assert answer.status == 500
    assert "cancelled" in caplog.text


@pytest.mark.parametrize("path", ["/async", "/sync"])
async def test_a_cancelled_task_is_an_error_of_its_request_in_hooks_around_the_view_too(
    app: Flask, asgi: FlaskASGI, path: str
) -> None:
    @app.teardown_request
    async def await_cancelled(_error: BaseException | None) -> None:
        raise asyncio.CancelledError

    app.add_url_rule("/sync", "sync", lambda: "sync")

    @app.get("/async")
    async def view() -> str:
        return "async"

    for _ in range(2):
        with pytest.raises(RuntimeError, match="cancelled"):
            await within(ask(asgi, path), 5)


async def test_a_view_that_cancels_itself_is_an_error_of_that_request(app: Flask, asgi: FlaskASGI) -> None:
    @app.get("/")
    async def view() -> str:
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        await asyncio.sleep(20)
        return "never"

    with pytest.raises(RuntimeError, match="cancelled"):
        await ask(asgi)


def test_a_cancelled_task_is_a_500_in_flasks_test_client_too(app: Flask) -> None:
    FlaskASGI(app)

    @app.get("/")
    async def view() -> str:
        shared = asyncio.ensure_future(asyncio.sleep(20))
        shared.cancel()
        await shared
        return "never"

    assert app.test_client().get("/").status_code == 500


def run_in_child(app: Flask, answers: Any) -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    answers.put(app.ensure_sync(work)())


def fork(app: Flask) -> int:
    """Run async code in a forked child, and return what it returned."""
    context = multiprocessing.get_context("fork")
    answers = context.Queue()
    child = context.Process(target=run_in_child, args=[app, answers], daemon=True)
    child.start()
    try:
        result: int = answers.get(timeout=20)
        child.join(20)
        assert child.exitcode == 0
    finally:
        child.kill()
    return result


FORKS = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


@FORKS
def test_a_forked_child_can_run_async_code(app: Flask) -> None:
    FlaskASGI(app)

    async def work() -> int:
        return 6

    assert app.ensure_sync(work)() == 6
    assert fork(app) == 7


@FORKS
@pytest.mark.parametrize("path", ["/sync", "/async", "/hook"])
async def test_a_child_that_a_request_forks_can_run_async_code(app: Flask, asgi: FlaskASGI, path: str) -> None:
    app.add_url_rule("/sync", "sync", lambda: str(fork(app)))

    @app.get("/async")
    async def view() -> str:
        return str(fork(app))

    @app.get("/hook")
    async def hook() -> str:
        return str(app.ensure_sync(lambda: fork(app))())

    assert (await within(ask(asgi, path))).text == "7"
    # And the parent's own loop serves on.
    assert (await ask(asgi, path)).text == "7"
