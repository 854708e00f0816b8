"""Makes requests: as fast as they are answered, by wrk, or at a fixed rate."""

import asyncio
import itertools
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from bench.jobs import USERS, Job
from bench.servers import Server

CONNECTIONS = 16
SCRIPT = Path(__file__).with_name("load.lua")
_salts = itertools.count(time.time_ns() // 1_000_000)


@dataclass(frozen=True)
class Measurement:
    """What one round of one contender came to."""

    requests: int
    seconds: float
    cpu_seconds: float

    @property
    def cpu_microseconds(self) -> float:
        return self.cpu_seconds / self.requests * 1e6

    @property
    def throughput(self) -> float:
        return self.requests / self.seconds


def require_wrk() -> None:
    """Stop with the way to install it where wrk is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("The load is made by wrk: apt-get install wrk (Debian), brew install wrk (macOS).")


def run_load(  # noqa: PLR0913 - what differs between the pieces.
    server: Server, job: Job, seconds: float, core: int | None, *, connections: int = CONNECTIONS, users: int = USERS
) -> Measurement:
    """Keep a server busy for some seconds.

    Raises:
        RuntimeError: Any request failed or was answered with an error.
    """
    salt = f"{next(_salts):x}x"
    pin = ["taskset", "-c", str(core)] if core is not None else []
    command = [*pin, "wrk", "-t1", f"-c{connections}", f"-d{max(1, round(seconds))}s", "-s", str(SCRIPT),
               f"http://127.0.0.1:{server.port}", "--", job.method, job.path_at(server.peer),
               job.body.replace("{{", "{").replace("}}", "}"), str(users), salt, job.token]  # fmt: skip
    before = server.cpu_seconds()
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    cpu = server.cpu_seconds() - before
    summary = json.loads(output.splitlines()[-1])
    if summary["failed"] or not summary["requests"]:
        raise RuntimeError(f"{server.peer}: {summary['failed']} of {summary['requests']} requests failed")
    return Measurement(summary["requests"], summary["microseconds"] / 1e6, cpu)


async def latencies(server: Server, job: Job, rate: int, seconds: float) -> list[float]:
    """Make requests at a fixed rate, whatever the answers do, and return how late each answer was, in milliseconds.

    A request that has to wait for the one before it is measured from when it was due, so that a slow answer is not
    hidden by the requests that it kept from being made (coordinated omission).
    """
    idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        idle.put_nowait(await asyncio.open_connection("127.0.0.1", server.port))
    start = time.perf_counter() + 0.1
    salt = f"{next(_salts):x}y"

    async def one(number: int) -> float:
        due = start + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        reader, writer = await idle.get()
        try:
            writer.write(request_of(job, server.peer, number, salt))
            await read_answer(reader)
        finally:
            idle.put_nowait((reader, writer))
        return (time.perf_counter() - due) * 1000

    taken = await asyncio.gather(*(one(number) for number in range(int(rate * seconds))))
    while not idle.empty():
        idle.get_nowait()[1].close()
    return taken


def request_of(job: Job, peer: str, number: int, salt: str) -> bytes:
    """Return the bytes of a request, which names one user after the other."""
    path = job.path_at(peer).format(id=number % USERS + 1)
    body = job.body.format(unique=f"{salt}{number}").encode() if job.body else b""
    content = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n" if body else ""
    content += "".join(f"{name}: {value}\r\n" for name, value in job.headers.items())
    return f"{job.method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{content}\r\n".encode() + body


async def read_answer(reader: asyncio.StreamReader) -> None:
    """Read an answer to its end.

    Raises:
        RuntimeError: It is an error.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)
    if not head.startswith((b"http/1.1 200", b"http/1.1 201")):
        raise RuntimeError(f"An answer was an error: {head.splitlines()[0].decode()}")


def pin_postgresql(core: int) -> bool:
    """Move PostgreSQL's processes to a core, where we may; tell whether that was so."""
    pinned = False
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text(encoding="ascii").strip() == "postgres":
                os.sched_setaffinity(int(process.name), {core})
                pinned = True
        except (OSError, UnicodeDecodeError):
            continue
    return pinned
