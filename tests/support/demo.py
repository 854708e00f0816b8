"""A small Flask application for tests that run a real server: `support.demo:asgi`."""

import asyncio
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from flask import Flask, Response, g, request, send_file, stream_with_context

from carboy.bridge import FlaskASGI, sync_iterator

CHUNK = b"x" * 65536
PATIENCE = 15.0

app = Flask("demo", static_folder=None)
app.config["MAX_CONTENT_LENGTH"] = int(os.environ.get("DEMO_LIMIT", str(2**30)))
events: list[str] = []
changed = asyncio.Event()
released = threading.Event()


def note(event: str) -> None:
    """Remember an event, and write it where it outlives the process."""
    events.append(event)
    changed.set()
    if "DEMO_LOG" in os.environ:
        with Path(os.environ["DEMO_LOG"]).open("a") as log:
            log.write(f"{event}\n")


@asynccontextmanager
async def lifespan() -> AsyncIterator[None]:
    if os.environ.get("DEMO_FAILS") == "start":
        raise LookupError("there is no database")
    note("start")
    yield
    note("stop")
    if os.environ.get("DEMO_FAILS") == "stop":
        raise LookupError("the database is stuck")


asgi = FlaskASGI(app, lifespan=lifespan, stop_seconds=float(os.environ.get("DEMO_STOP_SECONDS", "5")))


@app.teardown_request
async def teardown(_error: BaseException | None) -> None:
    await asyncio.sleep(0)
    # Flask 3.1 tears a streamed request down twice.
    if "torn_down" not in g:
        g.torn_down = True
        note(f"teardown {request.args.get('name', request.path)}")


@app.get("/wait/<path:event>")
async def wait(event: str) -> str:
    """Answer how often an event has happened once that is more often than asked, so that tests need not poll."""
    async with asyncio.timeout(PATIENCE):
        while events.count(event) <= int(request.args.get("after", "0")):
            changed.clear()
            await changed.wait()
    return str(events.count(event))


@app.get("/")
async def index() -> dict[str, Any]:
    return {
        "loop": type(asyncio.get_running_loop()).__module__.partition(".")[0],
        "host": request.host,
        "path": request.path,
        "remote": request.remote_addr,
        "server": request.environ["SERVER_NAME"],
    }


@app.get("/sync")
def sync_view() -> str:
    return request.path


@app.get("/blocking")
def blocking() -> str:
    note("blocking")
    time.sleep(float(request.args["seconds"]))
    return "done"


@app.get("/held")
def held() -> str:
    """Block until another request releases it."""
    released.clear()
    note("held")
    return "released" if released.wait(PATIENCE) else "forgotten"


@app.post("/release")
async def release() -> str:
    released.set()
    return "done"


@app.get("/slow")
async def slow() -> str:
    note("slow")
    await asyncio.sleep(float(request.args["seconds"]))
    note("slow ends")
    return "done"


@app.post("/echo")
async def echo() -> bytes:
    note("echo")
    return request.get_data()


@app.post("/unread")
async def unread() -> str:
    return "unread"


@app.post("/upload")
def upload() -> dict[str, Any]:
    """Read the body in pieces, as one does who has no room for the whole."""
    digest, length = hashlib.sha256(), 0
    while piece := request.stream.read(65536):
        digest.update(piece)
        length += len(piece)
    return {"length": length, "digest": digest.hexdigest()}


@app.post("/form")
def form() -> dict[str, Any]:
    return {"name": request.form["name"], "size": len(request.files["file"].read())}


@app.get("/file")
async def file() -> Response:
    return send_file(os.environ["DEMO_FILE"])


@app.get("/never/<kind>")
def never(kind: str) -> Iterator[bytes]:
    """Block for ever, in the view or once the first chunk is out."""

    def generate() -> Iterator[bytes]:
        yield b"begun"
        threading.Event().wait()

    note(f"never {kind}")
    if kind == "view":
        threading.Event().wait()
    return generate()


@app.get("/stubborn")
async def stubborn() -> str:
    note("never stubborn")
    while True:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(PATIENCE)


@app.get("/whole")
async def whole() -> bytes:
    return CHUNK * 32


@app.get("/tasks")
async def tasks() -> str:
    """Return how many tasks the event loop has."""
    return str(len(asyncio.all_tasks()))


@app.get("/stream/<kind>")
def stream(kind: str) -> Any:
    count = int(request.args["chunks"])
    name = request.args.get("name", kind)

    def generate() -> Iterator[bytes]:
        try:
            for _ in range(count):
                yield CHUNK
        finally:
            note(f"end {name}")

    async def agenerate() -> AsyncIterator[bytes]:
        try:
            for _ in range(count):
                yield CHUNK
        finally:
            await asyncio.sleep(0)
            note(f"end {name}")

    async def wait_for_ever() -> AsyncIterator[bytes]:
        try:
            yield b"x"
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            note(f"end {name}")

    async def pausing() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield b"x"
            await asyncio.sleep(float(request.args["seconds"]))
        yield b"end"

    async def silent() -> AsyncIterator[bytes]:
        try:
            note(f"begin {name}")
            await asyncio.Event().wait()
            yield b"never"
        finally:
            note(f"end {name}")

    return {
        "sync": generate,
        "async": agenerate,
        "context": lambda: Response(stream_with_context(generate())),
        "waiting": wait_for_ever,
        "waiting-context": lambda: Response(stream_with_context(sync_iterator(wait_for_ever()))),
        "pausing": lambda: Response(stream_with_context(sync_iterator(pausing()))),
        "silent": silent,
    }[kind]()
