"""Compares the contenders: the same jobs, on databases with the same rows, in shuffled rounds."""

import asyncio
import json
import random
import tempfile
import urllib.error
import urllib.request
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.databases import databases
from bench.guide import copy_project, follow
from bench.jobs import INVOICE_JOBS, Job, comparable
from bench.load import Measurement, latencies, run_load
from bench.progress import Progress
from bench.servers import ROOT, Cores, Server, serve_all
from bench.stats import percentile

AGAIN = "carboy-again"
"""A second Carboy: what separates it from the first is noise."""
CROWD = 32
"""Connections of the round that compares throughput with Flask's own way of being async."""
CROWDED = ("carboy", "flask")
RATE = 100
"""Requests a second at which latency is measured: a tenth or so of what the contenders can do."""


@dataclass(frozen=True)
class Plan:
    """How long to measure, and where.

    Attributes:
        rounds: How often each contender has its turn.
        cores: Where servers and load run.
        quick: Whether to be brief.
        project: The folder of a Carboy with invoices; None for the one that stands here.
    """

    rounds: int
    cores: Cores
    quick: bool
    project: Path | None = None


def compare_invoices(kind: str, plan: Plan) -> list[dict[str, Any]]:
    """Measure those that have invoices, Carboy's as the guide has them."""
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        copy_project(project)
        (project / "var").mkdir()
        follow("invoices", project)
        peers = ["carboy", "fastapi", "litestar", AGAIN]
        return compare(kind, "hypercorn", list(INVOICE_JOBS), peers, replace(plan, project=project))


def compare(kind: str, server_kind: str, jobs: list[Job], peers: list[str], plan: Plan) -> list[dict[str, Any]]:
    """Measure all contenders on one database under one server; those that answer otherwise are left out, and said."""
    progress = Progress(f"{kind}, {server_kind}", len(jobs) * (plan.rounds + 2))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = [peer.replace("-", "_") for peer in peers]
        urls = stack.enter_context(databases(kind, names, folder, invoices_of=plan.project))
        addresses = {peer: urls[name] for peer, name in zip(peers, names, strict=True)}
        running = stack.enter_context(serve_all(addresses, server_kind, plan.cores.server, plan.project or ROOT))
        at_rest = {peer: server.memory_bytes() for peer, server in running.items()}
        results = [_measure(job, _having(job, running), plan, progress) for job in jobs]
        after = {peer: server.memory_bytes() for peer, server in running.items()}
    return [
        {"database": kind, "server": server_kind, **result, "memory_at_rest": at_rest, "memory_after": after}
        for result in results
    ]


def _having(job: Job, running: dict[str, Server]) -> dict[str, Server]:
    """Return those contenders that have a job."""
    return {peer: server for peer, server in running.items() if job.is_at(peer)}


def _measure(job: Job, running: dict[str, Server], plan: Plan, progress: Progress) -> dict[str, Any]:
    quick, core = plan.quick, plan.cores.load
    voided = _void_those_that_differ(job, running)
    measured: dict[str, list[Measurement]] = {peer: [] for peer in running}
    crowd: dict[str, list[float]] = {peer: [] for peer in CROWDED if peer in running}
    without: list[float] = []
    for number in range(plan.rounds):
        if number == 0:
            for server in running.values():
                _try(voided, server, lambda server: asyncio.run(latencies(server, job, 400, 0.3 if quick else 1)))
            progress.step(f"{job.title}: warmed up")
        for server in random.sample(list(running.values()), len(running)):
            one = _try(voided, server, lambda server: run_load(server, job, 1, core))
            measured[server.peer] += [one] if one else []
            if server.peer == "carboy" and job.token:
                one = _try(voided, server, lambda server: run_load(server, job.without_account, 1, core))
                without += [one.cpu_microseconds] if one else []
            if server.peer in crowd and (number == 0 or not quick):
                many = _try(voided, server, lambda server: run_load(server, job, 1, core, connections=CROWD))
                crowd[server.peer] += [many.throughput] if many else []
        progress.step(f"{job.title}: round {number + 1} of {plan.rounds}")
    late = {
        peer: _try(voided, server, lambda server: _latencies(server, job, quick=quick))
        for peer, server in running.items()
    }
    progress.step(f"{job.title}: latencies")
    for peer, reason in voided.items():
        progress.say(f"{job.title}: {peer} does not count: {reason}")
    counted = [peer for peer in running if peer not in voided]
    return {
        "job": job.name,
        "cpu": {peer: [one.cpu_microseconds for one in measured[peer]] for peer in counted},
        "throughput": {peer: [one.throughput for one in measured[peer]] for peer in counted},
        "crowd": {peer: values for peer, values in crowd.items() if peer in counted},
        "latency": {peer: late[peer] for peer in counted},
        "without_account": without,
        "voided": voided,
    }


def _try(voided: dict[str, str], server: Server, measure: Any) -> Any:
    """Measure, unless the contender does not count any more; an error is why it does not from now on."""
    if server.peer in voided:
        return None
    try:
        return measure(server)
    except (RuntimeError, OSError, EOFError) as error:
        voided[server.peer] = str(error)
        return None


def _latencies(server: Server, job: Job, *, quick: bool) -> dict[str, float]:
    taken = asyncio.run(latencies(server, job, RATE, 0.5 if quick else 3))
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
        f"http://127.0.0.1:{server.port}{job.path_at(server.peer).format(id=7)}",
        data=body,
        method=job.method,
        headers=({"Content-Type": "application/json"} if body else {}) | job.headers,
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - likewise.
            return answer.status, comparable(json.load(answer))
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
