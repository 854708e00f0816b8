"""Measures one worker for long, and two workers against one."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from bench.databases import databases
from bench.jobs import JOBS
from bench.load import CONNECTIONS, run_load
from bench.progress import Progress
from bench.servers import Cores, Server, start

MILESTONES = (10_000, 100_000)
ROUNDS = 5


def measure_memory(kind: str, cores: Cores) -> dict[str, Any]:
    """Return the resident memory of a worker, in bytes, after so many requests of all jobs in turn."""
    progress = Progress(f"memory, {kind}", 100)
    reached: dict[str, int] = {}
    requests, shown = 0, 0
    with _carboy(kind, cores.server) as server:
        for milestone in MILESTONES:
            while requests < milestone:
                for job in JOBS:
                    # Few and long runs, as hypercorn itself keeps some kilobytes of each connection that it has had.
                    requests += run_load(server, job, 5, cores.load).requests
                while shown < min(100, requests * 100 // MILESTONES[-1]):
                    shown += 1
                    progress.step(f"{requests:,} requests")
            reached[str(milestone)] = server.memory_bytes()
    return {"database": kind, "bytes": reached}


def measure_workers(kind: str) -> dict[str, Any]:
    """Return the throughput of one worker process and of two, and how busy the cores were without them.

    Two workers can only serve twice as much where two cores have nothing else to do; the load, and PostgreSQL, need
    some of them too.
    """
    job = next(job for job in JOBS if job.name == "one")
    progress = Progress(f"workers, {kind}", ROUNDS)
    throughput: dict[str, list[float]] = {"1": [], "2": []}
    share: list[float] = []
    with ExitStack() as stack:
        servers = {str(n): stack.enter_context(_carboy(kind, None, "--workers", str(n))) for n in (1, 2)}
        for number in range(ROUNDS):
            for workers, server in servers.items():
                before, used = _busy_seconds(), server.cpu_seconds()
                one = run_load(server, job, 2, None, connections=CONNECTIONS * int(workers))
                throughput[workers].append(one.throughput)
                if workers == "2":
                    others = _busy_seconds() - before - (server.cpu_seconds() - used)
                    share.append(others / one.seconds / (os.cpu_count() or 1))
            progress.step(f"round {number + 1} of {ROUNDS}")
    return {"database": kind, "cores": os.cpu_count(), "throughput": throughput, "taken_by_others": share}


@contextmanager
def _carboy(kind: str, core: int | None, *options: str) -> Iterator[Server]:
    """Run Carboy on a database of its own until the block ends."""
    with (
        tempfile.TemporaryDirectory() as folder,
        databases(kind, [f"of_{len(options)}_{'_'.join(options[1:])}".rstrip("_")], Path(folder)) as urls,
        start("carboy", "hypercorn", next(iter(urls.values())), core, *options) as server,
    ):
        server.wait_until_it_answers()
        yield server


def _busy_seconds() -> float:
    """Return the processor time that all of this machine's processes have used, in seconds."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = (
        int(field) for field in Path("/proc/stat").read_text(encoding="ascii").splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")
