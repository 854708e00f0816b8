"""Runs a job on the application without a server: ``python -m bench.inprocess one sqlite``.

`bench.profile` looks at it, and `bench.telemetry` has several take turns.
"""

import asyncio
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import uvloop

from bench.databases import databases
from bench.jobs import JOBS, USERS, Job
from bench.servers import SECRET_KEY, Cores

CONCURRENT = 8
BATCH = 800
SECONDS = 12


async def run(app: Any, job: Job) -> tuple[float, float]:
    """Make requests for some seconds and return the CPU microseconds of one, in all threads and in the loop's alone.

    They are those of the batch that took least.
    """
    numbers = itertools.count(1)
    costs = []
    async with Lifespan(app):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            costs.append(await make_batch(app, job, numbers))
    return min(costs)


async def take_turns(app: Any) -> None:
    """Make a batch of the job that each line of standard input names, and print the CPU microseconds of a request."""
    jobs, numbers = {job.name: job for job in JOBS}, itertools.count(1)
    async with Lifespan(app):
        while name := (await asyncio.to_thread(sys.stdin.readline)).strip():
            print((await make_batch(app, jobs[name], numbers))[0], flush=True)


async def make_batch(app: Any, job: Job, numbers: Iterator[int]) -> tuple[float, float]:
    """Make a batch of requests and return the CPU microseconds of one, as `run` does."""

    async def client() -> None:
        for _ in range(BATCH // CONCURRENT):
            await ask(app, job, next(numbers))

    before = time.process_time(), time.thread_time()
    await asyncio.gather(*(client() for _ in range(CONCURRENT)))
    taken = time.process_time() - before[0], time.thread_time() - before[1]
    return taken[0] / BATCH * 1e6, taken[1] / BATCH * 1e6


async def ask(app: Any, job: Job, number: int) -> None:
    """Make one request, message by message.

    Raises:
        RuntimeError: The answer has another status than the job's.
    """
    path, _, query = job.path.format(id=number % USERS + 1).partition("?")
    body = job.body.format(unique=f"{os.getpid()}x{number}").encode() if job.body else b""
    headers = [
        (b"host", b"127.0.0.1"),
        *((name.lower().encode(), value.encode()) for name, value in job.headers.items()),
    ]
    if body:
        headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": job.method, "scheme": "http",
             "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
             "headers": headers, "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000)}  # fmt: skip
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    if sent[0]["status"] != job.status:
        raise RuntimeError(f"{job.title} was answered {sent}")


class Lifespan:
    """Starts an ASGI application, and stops it at the end of the block."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._to_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, str]] = asyncio.Queue()

    async def __aenter__(self) -> None:
        self._task = asyncio.create_task(self._app({"type": "lifespan"}, self._to_app.get, self._from_app.put))
        self._to_app.put_nowait({"type": "lifespan.startup"})
        await self._from_app.get()

    async def __aexit__(self, *_error: object) -> None:
        self._to_app.put_nowait({"type": "lifespan.shutdown"})
        await self._task


def application(url: str) -> Any:
    """Return Carboy as the comparison with others has it, on the database of this URL."""
    os.environ.update(
        CARBOY_ENV="production",
        CARBOY_DATABASE__URL=url,
        CARBOY_DATABASE__ACQUIRE_TIMEOUT="30",
        CARBOY_SECURITY__SECRET_KEY=SECRET_KEY,
    )
    from bench.peers.carboy_peer import app  # noqa: PLC0415 - it reads the environment.

    return app


def main(name: str, kind: str) -> None:
    job = next(job for job in JOBS if job.name == name)
    core = Cores.found().server
    if core is not None:
        # As the server is pinned when contenders are compared.
        os.sched_setaffinity(0, {core})
    with tempfile.TemporaryDirectory() as folder, databases(kind, ["profiled"], Path(folder)) as urls:
        print(*(round(cost) for cost in uvloop.run(run(application(urls["profiled"]), job))))


if __name__ == "__main__":
    if sys.argv[1:] == ["--in-turns"]:
        uvloop.run(take_turns(application(os.environ["BENCH_DATABASE_URL"])))
    else:
        main(*sys.argv[1:])
