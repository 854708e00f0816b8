"""``make logins``: how late a health check is answered while 20 logins are under way, in one worker of hypercorn.

Each login shows the right password, hashed as production has it, and begins a session. As soon as one is answered the
next is sent, so that there are 20 at any time; limits are off, as they would stop them. Health checks come at a fixed
rate and are measured from when they were due. At most 50 ms for 99 of 100 are wanted on a machine that has nothing
else to do.
"""

import asyncio
import json
import os
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

from argon2 import PasswordHasher

from app.settings import Settings
from bench.compare import RATE
from bench.databases import databases
from bench.jobs import JOBS
from bench.load import latencies
from bench.servers import SECRET_KEY, Server, start
from bench.stats import percentile
from carboy.config import load_settings
from containers import CONFIG_FILE

UNDER_WAY = 20
WANTED_MILLISECONDS = 50
PASSWORD = "several words that nobody puts together"  # noqa: S105 - of a database of a benchmark.
HEALTH = next(job for job in JOBS if job.name == "static")


def add_password(file: Path) -> None:
    """Give the first user a password."""
    given = {"CARBOY_ENV": "production", "CARBOY_DATABASE__URL": f"sqlite+aiosqlite:///{file}"}
    settings = load_settings(Settings, CONFIG_FILE, {**given, "CARBOY_SECURITY__SECRET_KEY": SECRET_KEY}).passwords
    hasher = PasswordHasher(settings.iterations, settings.memory_kib, settings.parallelism)
    columns = "account_id, kind, secret, confirmed_at, created_at, updated_at, version"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute(
            f"INSERT INTO credentials ({columns}) "
            "SELECT id, 'password', ?, created_at, created_at, created_at, 1 FROM accounts",
            (hasher.hash(PASSWORD),),
        )


async def keep_logging_in(port: int, done: list[float]) -> None:
    """Log in, again and again, and note how many milliseconds each login took."""
    body = json.dumps({"login": "user1", "password": PASSWORD}).encode()
    head = "POST /api/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            began = time.perf_counter()
            writer.write(f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
            answer = (await reader.readuntil(b"\r\n\r\n")).lower()
            await reader.readexactly(int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0]))
            if not answer.startswith(b"http/1.1 200"):
                raise RuntimeError(f"A login was refused: {answer.splitlines()[0].decode()}")
            done.append((time.perf_counter() - began) * 1000)
    finally:
        writer.close()


async def measure(server: Server, seconds: float) -> tuple[list[float], list[float], list[float]]:
    """Return the latencies of health checks alone, of those beside logins, and of the logins."""
    alone = await latencies(server, HEALTH, RATE, seconds)
    done: list[float] = []
    logins = [asyncio.create_task(keep_logging_in(server.port, done)) for _ in range(UNDER_WAY)]
    beside = await latencies(server, HEALTH, RATE, seconds)
    for login in logins:
        login.cancel()
    failures = [one for one in await asyncio.gather(*logins, return_exceptions=True) if isinstance(one, Exception)]
    if failures:
        raise failures[0]
    return alone, beside, done


def told(title: str, times: list[float]) -> str:
    return f"{title}: p50 {percentile(times, 0.5):.1f} ms, p99 {percentile(times, 0.99):.1f} ms of {len(times)}"


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, databases("sqlite", ["carboy"], Path(folder)) as urls:
        add_password(Path(folder) / "carboy.db")
        os.environ["CARBOY_LIMITS__ENABLED"] = "false"
        with start("carboy", "hypercorn", urls["carboy"], None) as server:
            server.wait_until_it_answers()
            alone, beside, logins = asyncio.run(measure(server, seconds))
    print(told("health checks alone", alone))
    print(told(f"health checks beside {UNDER_WAY} logins", beside), f"(p99 of at most {WANTED_MILLISECONDS} ms wanted)")
    print(told("logins", logins), f"({len(logins) / seconds:.0f} a second)")


if __name__ == "__main__":
    main(float(sys.argv[1]))
