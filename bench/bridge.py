"""Compares the bridge's cost with that of another version, in turns: ``python -m bench.bridge /path/of/its/src``.

Each round runs both versions one after the other, in a process of its own, first without a server and then behind
hypercorn. What is shown is the processor time of a request, this version's over the other's within a round, as the
median of the rounds with its interval. BENCH_ROUNDS sets their number.
"""

import asyncio
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path

import uvloop

from bench.inprocess import ask
from bench.jobs import Job
from bench.load import require_wrk, run_load
from bench.servers import ROOT, Cores, Server, start
from bench.stats import estimate

JOBS = [
    Job("async", "an async view", "GET", "/async/{id}"),
    Job("waiting", "an async view that waits", "GET", "/waiting/{id}"),
    Job("sync", "a sync view", "GET", "/sync/{id}"),
]
CONCURRENT = 8
BATCH = 400
SECONDS = 2


async def measure_here() -> list[float]:
    """Return the CPU microseconds of each job, those of the batch that took least."""
    from bench.peers.bridge_peer import app  # noqa: PLC0415 - its version is this process's PYTHONPATH.

    costs = []
    for job in JOBS:

        async def client(job: Job = job) -> None:
            for number in range(BATCH // CONCURRENT):
                await ask(app, job, number)

        best, end = float("inf"), time.monotonic() + SECONDS
        while time.monotonic() < end:
            before = time.process_time()
            await asyncio.gather(*(client() for _ in range(CONCURRENT)))
            best = min(best, time.process_time() - before)
        costs.append(best / BATCH * 1e6)
    return costs


def measure_in_process(source: Path, core: int | None) -> list[float]:
    pin = ["taskset", "-c", str(core)] if core is not None else []
    run = [*pin, sys.executable, "-m", "bench.bridge", "--measure"]
    environment = os.environ | {"PYTHONPATH": f"{source}{os.pathsep}{ROOT}"}
    output = subprocess.run(run, cwd=ROOT, env=environment, check=True, capture_output=True, text=True).stdout
    return [float(cost) for cost in output.split()]


def measure_behind_hypercorn(server: Server, core: int | None) -> list[float]:
    costs = []
    for job in JOBS:
        run_load(server, job, 1, core)
        costs.append(run_load(server, job, SECONDS, core).cpu_microseconds)
    return costs


def main(other: Path) -> None:
    require_wrk()
    cores, rounds = Cores.found(), int(os.environ.get("BENCH_ROUNDS") or 10)
    sources = [other, ROOT / "src"]
    in_process: list[list[list[float]]] = []
    served: list[list[list[float]]] = []
    with ExitStack() as stack:
        servers = []
        for number, source in enumerate(sources):
            server = stack.enter_context(start(f"bridge-{number}", "hypercorn", "", cores.server, source=source))
            server.wait_until_it_answers()
            servers.append(server)
        for number in range(rounds):
            print(f"round {number + 1} of {rounds}", file=sys.stderr)
            in_process.append([measure_in_process(source, cores.server) for source in sources])
            served.append([measure_behind_hypercorn(server, cores.load) for server in servers])
    width = shutil.get_terminal_size().columns
    print("-" * min(width, 79))
    for title, measured in (("in process", in_process), ("behind hypercorn", served)):
        for place, job in enumerate(JOBS):
            ratio = estimate([ours[place] / theirs[place] for theirs, ours in measured])
            least = [min(costs[version][place] for costs in measured) for version in range(2)]
            print(
                f"{title:17} {job.title:26} {least[0]:6.0f} -> {least[1]:4.0f} us, "
                f"{ratio.median:.3f} ({ratio.low:.3f}-{ratio.high:.3f})"
            )


if __name__ == "__main__":
    if sys.argv[1:] == ["--measure"]:
        print(*uvloop.run(measure_here()))
    elif len(sys.argv) == 2 and (Path(sys.argv[1]) / "carboy").is_dir():
        main(Path(sys.argv[1]).resolve())
    else:
        raise SystemExit("Name the src folder of the version to compare with: python -m bench.bridge ../before/src")
