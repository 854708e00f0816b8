"""Measures what metrics and traces add to a request, in turns within one run.

The same application runs in several processes, each with other telemetry, and one after the other makes a batch of
requests, on the same core. What else the machine does is then shared by all of them; a ratio is taken within a turn.
"""

import os
import random
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, cast

from bench.databases import databases
from bench.jobs import Job
from bench.progress import Progress
from bench.servers import ROOT, Cores

LOG = ROOT / "var" / "bench-telemetry.log"
TURNS = 10
"""In each round."""
WARM_UP = 2
"""How many turns come before them."""
NOTHING = "nothing"
VARIANTS: Mapping[str, Mapping[str, str]] = {
    NOTHING: {},
    "nothing again (noise)": {},
    "metrics": {"CARBOY_METRICS__PORT": "9464"},
    "traces, a tenth kept": {"CARBOY_TRACING__ENDPOINT": "", "CARBOY_TRACING__SAMPLE_RATIO": "0.1"},
    "traces, all kept": {"CARBOY_TRACING__ENDPOINT": ""},
}
"""What each process has on; the collector's address is filled in."""


class Collector(BaseHTTPRequestHandler):
    """Takes whatever spans it is sent."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_words: object) -> None:
        """Say nothing."""


@contextmanager
def collector() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class Application:
    """A process of the application that makes a batch of requests when it is told to."""

    def __init__(self, environment: Mapping[str, str], core: int | None) -> None:
        pin = ["taskset", "-c", str(core)] if core is not None else []
        LOG.parent.mkdir(exist_ok=True)
        with LOG.open("ab") as log:
            self._process = subprocess.Popen(
                [*pin, sys.executable, "-m", "bench.inprocess", "--in-turns"],
                cwd=ROOT,
                env=os.environ | environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        # As it was asked for pipes, it has them.
        self._stdin, self._stdout = cast("IO[str]", self._process.stdin), cast("IO[str]", self._process.stdout)

    def batch(self, job: Job) -> float:
        """Return the CPU microseconds of a request, in all threads of the process.

        Raises:
            RuntimeError: The process has ended.
        """
        self._stdin.write(f"{job.name}\n")
        self._stdin.flush()
        said = self._stdout.readline()
        if not said:
            raise RuntimeError(f"The application has ended; see {LOG}.")
        return float(said)

    def end(self) -> None:
        self._stdin.close()
        self._process.wait()


def measure_telemetry(kind: str, jobs: list[Job], rounds: int, cores: Cores) -> dict[str, Any]:
    """Return the CPU microseconds of a request, the least of each round, for each job and each kind of telemetry.

    Each round starts the processes anew: where its memory happens to lie makes a process faster or slower by one or two
    percent for as long as it lives, which is as much as is to be seen.
    """
    LOG.unlink(missing_ok=True)
    progress = Progress(f"telemetry, {kind}", rounds * len(jobs))
    cpu: dict[str, dict[str, list[float]]] = {job.name: {variant: [] for variant in VARIANTS} for job in jobs}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = [f"telemetry_{number}" for number in range(len(VARIANTS))]
        urls = dict(zip(VARIANTS, stack.enter_context(databases(kind, names, folder)).values(), strict=True))
        address = stack.enter_context(collector())
        for number in range(rounds):
            with _started(urls, address, cores) as running:
                for job in jobs:
                    for variant, least in _take_turns(running, job).items():
                        cpu[job.name][variant].append(least)
                    progress.step(f"{job.title}: round {number + 1} of {rounds}")
    return {"database": kind, "cpu": cpu}


@contextmanager
def _started(urls: Mapping[str, str], address: str, cores: Cores) -> Iterator[dict[str, Application]]:
    """Start the application with each kind of telemetry, on a database of its own."""
    with ExitStack() as stack:
        running = {}
        for variant, chosen in VARIANTS.items():
            given = {key: value or address for key, value in chosen.items()}
            running[variant] = Application({"BENCH_DATABASE_URL": urls[variant], **given}, cores.server)
            stack.callback(running[variant].end)
        yield running


def _take_turns(running: Mapping[str, Application], job: Job) -> dict[str, float]:
    """Return the least that a request took of each of them."""
    taken: dict[str, list[float]] = {variant: [] for variant in running}
    for _ in range(WARM_UP + TURNS):
        for variant in random.sample(list(running), len(running)):
            taken[variant].append(running[variant].batch(job))
    return {variant: min(times[WARM_UP:]) for variant, times in taken.items()}
