"""A Flask application that tells Sentry, in all kinds of places, which request it is working on."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from typing import Any

import sentry_sdk
from flask import Flask, Response, g, request, stream_with_context
from support.asgi import PATIENCE, within

from carboy.bridge import sync_iterator

app = Flask("monitored", static_folder=None)


class Meeting:
    """Where requests wait until all are there, whatever threads and loops they are on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def expect(self, everyone: int) -> None:
        self.missing = everyone
        self._complete: Future[None] = Future()

    def wait(self) -> None:
        self._arrive()
        self._complete.result(PATIENCE)

    async def join(self) -> None:
        self._arrive()
        await within(asyncio.shield(asyncio.wrap_future(self._complete)))

    def _arrive(self) -> None:
        with self._lock:
            self.missing -= 1
            if not self.missing:
                self._complete.set_result(None)


meeting = Meeting()


def leave_traces(where: str) -> str:
    """Tell Sentry which request this is, by all that belongs to a request's scope."""
    number = request.path.rpartition("/")[2]
    sentry_sdk.set_tag("request", request.path)
    sentry_sdk.set_context(where, {"number": number})
    sentry_sdk.add_breadcrumb(message=f"{where} {number}")
    return number


@app.before_request
async def begin() -> None:
    await asyncio.sleep(0)
    number = leave_traces("hook")
    g.number = number
    if request.endpoint in {"sync_hook", "async_hook"}:
        raise LookupError(f"hook {number}")


@app.after_request
async def end(response: Response) -> Response:
    await asyncio.sleep(0)
    sentry_sdk.add_breadcrumb(message=f"over {g.number}")
    return response


@app.get("/sync-raises/<number>")
def sync_raises(number: str) -> str:
    leave_traces("view")
    with sentry_sdk.start_span(op="test", name=f"meeting {number}"):
        meeting.wait()
    raise LookupError(f"view {number}")


@app.get("/sync-tells/<number>")
def sync_tells(number: str) -> str:
    leave_traces("view")
    with sentry_sdk.start_span(op="test", name=f"meeting {number}"):
        meeting.wait()
    sentry_sdk.capture_message(f"view {number}")
    return number


@app.get("/async-raises/<number>")
async def async_raises(number: str) -> str:
    leave_traces("view")
    with sentry_sdk.start_span(op="test", name=f"meeting {number}"):
        await meeting.join()
    raise LookupError(f"view {number}")


@app.get("/async-tells/<number>")
async def async_tells(number: str) -> str:
    leave_traces("view")
    with sentry_sdk.start_span(op="test", name=f"meeting {number}"):
        await meeting.join()
    sentry_sdk.capture_message(f"view {number}")
    return number


def chunks(number: str) -> Iterator[str]:
    yield "begun"
    leave_traces("body")
    meeting.wait()
    sentry_sdk.capture_message(f"body {number}")
    raise LookupError(f"body {number}")


async def async_chunks(number: str) -> AsyncIterator[str]:
    yield "begun"
    leave_traces("body")
    await meeting.join()
    sentry_sdk.capture_message(f"body {number}")
    raise LookupError(f"body {number}")


@app.get("/sync-streams/<number>")
def sync_streams(number: str) -> Any:
    return stream_with_context(chunks(number))


@app.get("/async-streams/<number>")
async def async_streams(number: str) -> Any:
    return stream_with_context(chunks(number))


@app.get("/sync-streams-of-async/<number>")
def sync_streams_of_async(number: str) -> Any:
    # Plain Flask streams no async generator: under WSGI the same is told by a sync one.
    return stream_with_context(chunks(number) if app.config["BY_WSGI"] else sync_iterator(async_chunks(number)))


def fail_to_close(number: str) -> Response:
    def fail() -> None:
        meeting.wait()
        raise LookupError(f"close {number}")

    response = Response("whole")
    response.call_on_close(fail)
    return response


@app.get("/closes/<number>")
def closes(number: str) -> Response:
    return fail_to_close(number)


@app.get("/async-closes/<number>")
async def async_closes(number: str) -> Response:
    # An async function has to be awaited by somebody, on the loop too.
    response = Response("whole")

    async def fail() -> None:
        await meeting.join()
        raise LookupError(f"close {number}")

    response.call_on_close(app.ensure_sync(fail))
    return response


@app.get("/sync-hook/<number>")
def sync_hook(number: str) -> str:
    return number


@app.get("/async-hook/<number>")
async def async_hook(number: str) -> str:
    return number
