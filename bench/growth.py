"""Measures whether what a request costs grows with the table, or with how far into a list it is."""

import random
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from bench.databases import databases
from bench.jobs import JOBS, Job
from bench.load import run_load
from bench.progress import Progress
from bench.servers import SECRET_KEY, Cores, serve_all
from carboy.daos.keyset import Place
from carboy.services import Cursors

SIZES = (1_000, 100_000, 1_000_000)
ROUNDS = 5


def measure_growth(kind: str, cores: Cores) -> dict[str, Any]:
    """Return the CPU microseconds per request, round by round, for each job and each number of users."""
    cases = [
        (f"{job.title}{suffix}", {size: _at_the_end(job, size) if suffix else job for size in SIZES})
        for job in JOBS
        if job.name != "static"
        for suffix in (("", ", at the end") if job.name == "list" else ("",))
    ]
    progress = Progress(f"growth, {kind}", len(SIZES) + len(cases) * ROUNDS)
    cpu: dict[str, dict[str, list[float]]] = {title: {str(size): [] for size in SIZES} for title, _ in cases}
    with ExitStack() as stack:
        urls = {}
        for size in SIZES:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            urls[f"carboy-{size}"] = stack.enter_context(databases(kind, [f"of_{size}"], folder, size))[f"of_{size}"]
            progress.step(f"filled with {size:,} users")
        running = stack.enter_context(serve_all(urls, "hypercorn", cores.server))
        for title, jobs in cases:
            for number in range(ROUNDS + 1):
                for size in random.sample(SIZES, len(SIZES)):
                    one = run_load(running[f"carboy-{size}"], jobs[size], 1, cores.load, users=size)
                    if number:  # The first round warms up.
                        cpu[title][str(size)].append(one.cpu_microseconds)
                if number:
                    progress.step(f"{title}: round {number} of {ROUNDS}")
    return {"database": kind, "cpu": cpu}


def _at_the_end(job: Job, size: int) -> Job:
    cursor = Cursors(SecretStr(SECRET_KEY)).encode(Place((size - 60,)), "users", "id")
    return replace(job, path=f"{job.path}&cursor={cursor}")
