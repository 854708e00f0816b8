"""``make bench``: measures, then writes ``var/bench.json`` and a plot, and prints the tables.

Set BENCH_JOBS, BENCH_PEERS, BENCH_DB or BENCH_SERVERS to comma-separated names to measure less, QUICK=1 to measure
briefly.
"""

import asyncio
import json
import os
import random
import sys
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.databases import databases
from bench.jobs import JOBS, Job, comparable
from bench.load import Measurement, latencies, pin_postgresql, require_wrk, run_load
from bench.report import describe_machine, print_tables, save_plot
from bench.servers import PEERS, ROOT, Server, serve
from bench.stats import percentile

QUICK = bool(os.environ.get("QUICK"))
ROUNDS = 3 if QUICK else 10
SECONDS = 1 if QUICK else 2
RATE, RATE_SECONDS = 100, 5
AGAIN = "carboy-again"
"""A second Carboy: what separates it from the first is noise."""


def chosen(variable: str, all_names: list[str]) -> list[str]:
    """Return the names that a variable chooses, all of them if it is not set.

    Raises:
        SystemExit: It names something that there is not.
    """
    names = [name for name in os.environ.get(variable, "").split(",") if name] or all_names
    unknown = set(names) - set(all_names)
    if unknown:
        raise SystemExit(f"{variable}: no such name: {', '.join(sorted(unknown))}; there are {', '.join(all_names)}.")
    return names


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def main() -> None:
    require_wrk()
    jobs = [job for job in JOBS if job.name in chosen("BENCH_JOBS", [job.name for job in JOBS])]
    peers = chosen("BENCH_PEERS", list(PEERS))
    if "carboy" not in peers:
        raise SystemExit("BENCH_PEERS: carboy must be among them, as all others are compared with it.")
    kinds = chosen("BENCH_DB", ["sqlite", "postgresql"]) if not QUICK or "BENCH_DB" in os.environ else ["sqlite"]
    servers = chosen("BENCH_SERVERS", ["hypercorn", "uvicorn"])
    if QUICK and "BENCH_SERVERS" not in os.environ:
        servers = ["hypercorn"]
    results: list[dict[str, Any]] = []
    for kind in kinds:
        for server in servers:
            results += measure(kind, server, jobs, [*peers, AGAIN])
    report = {"machine": describe_machine(), "rounds": ROUNDS, "seconds": SECONDS, "results": results}
    output = ROOT / "var" / "bench.json"
    output.write_text(json.dumps(report, indent=1), encoding="utf-8")
    print_tables(report)
    save_plot(report, output.with_suffix(".svg"))
    say(f"Written: {output} and {output.with_suffix('.svg').name}")


def measure(kind: str, server_kind: str, jobs: list[Job], peers: list[str]) -> list[dict[str, Any]]:
    """Measure all contenders on one database under one server; those that answer otherwise are left out, and said."""
    cores = sorted(os.sched_getaffinity(0))
    server_core, load_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    say(f"{kind}, {server_kind}: starting {len(peers)} servers")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = stack.enter_context(databases(kind, [peer.replace("-", "_") for peer in peers], folder))
        running = {
            peer: stack.enter_context(serve(peer, server_kind, urls[peer.replace("-", "_")], server_core))
            for peer in peers
        }
        if kind == "postgresql" and load_core is not None and not pin_postgresql(load_core):
            say("PostgreSQL's processes could not be pinned to the load's core")
        at_rest = {peer: server.memory_bytes() for peer, server in running.items()}
        results = [_measure_job(job, running, load_core) for job in jobs]
        after = {peer: server.memory_bytes() for peer, server in running.items()}
    return [
        {"database": kind, "server": server_kind, **result, "memory_at_rest": at_rest, "memory_after": after}
        for result in results
    ]


def _measure_job(job: Job, running: dict[str, Server], load_core: int | None) -> dict[str, Any]:
    voided = _void_those_that_differ(job, running)
    counted = {peer: server for peer, server in running.items() if peer not in voided}
    measured: dict[str, list[Measurement]] = {peer: [] for peer in counted}
    for number in range(ROUNDS + 1):
        order = list(counted.values())
        random.shuffle(order)
        for server in order:
            if server.peer in voided:
                continue
            try:
                measurement = run_load(server, job, SECONDS, load_core)
            except RuntimeError as error:
                voided[server.peer] = str(error)
                continue
            if number:  # The first round warms up.
                measured[server.peer].append(measurement)
        say(f"  {job.title}: round {number} of {ROUNDS}")
    late = {peer: _latencies(server, job) for peer, server in counted.items() if peer not in voided}
    for peer, reason in voided.items():
        say(f"  {job.title}: {peer} does not count: {reason}")
    return {
        "job": job.name,
        "cpu": {peer: [one.cpu_microseconds for one in measured[peer]] for peer in late},
        "throughput": {peer: [one.throughput for one in measured[peer]] for peer in late},
        "latency": late,
        "voided": voided,
    }


def _latencies(server: Server, job: Job) -> dict[str, float]:
    taken = asyncio.run(latencies(server, job, RATE, 1 if QUICK else RATE_SECONDS))
    return {"p50": percentile(taken, 0.5), "p99": percentile(taken, 0.99)}


def _void_those_that_differ(job: Job, running: dict[str, Server]) -> dict[str, str]:
    """Ask each contender once, and return why those do not count that do not answer as Carboy does."""
    answers = {peer: _ask(server, job) for peer, server in running.items()}
    expected = answers["carboy"]
    if expected[0] != job.status:
        raise SystemExit(f"{job.title}: Carboy itself answers {expected}")
    return {peer: f"it answers {answer}" for peer, answer in answers.items() if answer != expected}


def _ask(server: Server, job: Job) -> tuple[int, Any]:
    body = job.body.format(unique="asked").encode() if job.body else None
    request = urllib.request.Request(
        f"http://127.0.0.1:{server.port}{job.path.format(id=7)}",
        data=body,
        method=job.method,
        headers={"Content-Type": "application/json"} if body else {},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - likewise.
            return answer.status, comparable(json.load(answer))
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")


if __name__ == "__main__":
    main()
