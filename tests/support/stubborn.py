"""The application with views that never end, each in another way. Each says on standard error that it has begun."""

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

from flask import Response

from app import create_app
from carboy.server import create_asgi
from containers import Container

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

container = Container()
flask_app = create_app(container)


def begin() -> None:
    sys.stderr.write("the view has begun\n")
    sys.stderr.flush()


@flask_app.get("/swallows-cancellation")
async def swallow() -> str:
    begin()
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()


@flask_app.get("/blocks-its-thread")
def block() -> str:
    begin()
    threading.Event().wait()
    return ""


@flask_app.get("/generates-nothing")
def generate() -> Response:
    def chunks() -> Iterator[bytes]:
        yield b"first"
        begin()
        threading.Event().wait()

    return Response(chunks())


@flask_app.get("/blocks-the-loop")
async def block_loop() -> str:
    begin()
    time.sleep(3600)  # noqa: ASYNC251 - that is what is tested.
    return ""


@flask_app.get("/spins")
async def spin() -> str:
    begin()
    while True:
        pass


@flask_app.get("/blocks-the-loop-outside-python")
async def block_loop_in_c() -> str:
    begin()
    sqlite3.connect(":memory:").execute(ENDLESS).fetchone()
    return ""


@flask_app.get("/is-not-read")
def send_much() -> Response:
    def chunks() -> Iterator[bytes]:
        begin()
        while True:
            yield bytes(65536)

    return Response(chunks())


app = create_asgi(container, flask_app)
