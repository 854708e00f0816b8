"""Measures how long a search takes among a million users, for rare words, a frequent one and one that nobody has."""

import asyncio
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.databases import databases, surname_of
from bench.jobs import Job
from bench.load import read_answer, request_of
from bench.progress import Progress
from bench.servers import Cores, Server, start
from bench.stats import percentile

USERS = int(os.environ.get("BENCH_USERS") or 1_000_000)
REQUESTS = 300
WARM_UP = 20
LAST = USERS - WARM_UP
"""The first of the users who are looked for by their surnames."""
SEARCHES = (
    # A surname, which some four people have, another with each request.
    Job("rare", "a rare word", "GET", "/api/users?q={surname}&limit=50"),
    # The beginning of one address: parts of it are in each row, which is the worst that an index of trigrams can meet.
    Job("alike", "a rare word that begins as all do", "GET", "/api/users?q=user{id}%40&limit=50"),
    Job("frequent", "a frequent word", "GET", "/api/users?q=user&limit=50"),
    Job("two", "two characters", "GET", "/api/users?q=us&limit=50"),
    Job("none", "a word that nobody has", "GET", "/api/users?q=nobody{id}&limit=50"),
)


def measure_search(kind: str, cores: Cores) -> dict[str, Any]:
    """Return how long each search took, in milliseconds from request to answer, and its CPU time, in microseconds.

    One request follows the other, so that none waits for another.
    """
    progress = Progress(f"search, {kind}", 1 + len(SEARCHES))
    found: dict[str, dict[str, float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        databases(kind, ["search"], Path(folder), USERS) as urls,
        start("carboy", "hypercorn", urls["search"], cores.server) as server,
    ):
        server.wait_until_it_answers()
        progress.step(f"filled with {USERS:,} users")
        for search in SEARCHES:
            found[search.title] = asyncio.run(_measure(server, search))
            progress.step(search.title)
    return {"database": kind, "users": USERS, "searches": found}


async def _measure(server: Server, search: Job) -> dict[str, float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    taken: list[float] = []
    for number in range(-WARM_UP, REQUESTS):
        if number == 0:
            before = server.cpu_seconds()
        began = time.perf_counter()
        named = replace(search, path=search.path.replace("{surname}", surname_of(LAST - number)))
        writer.write(request_of(named, server.peer, number, "s"))
        await read_answer(reader)
        taken.append((time.perf_counter() - began) * 1e3)
    cpu = (server.cpu_seconds() - before) / REQUESTS * 1e6
    writer.close()
    measured = taken[WARM_UP:]
    return {"min": min(measured), "median": median(measured), "p99": percentile(measured, 0.99), "cpu_us": cpu}
