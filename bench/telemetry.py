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
TURNS = 5
"""In each round."""
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
    """Return the CPU microseconds of a request, turn by turn, for each job and each kind of telemetry."""
    LOG.unlink(missing_ok=True)
    progress = Progress(f"telemetry, {kind}", len(jobs) * (rounds + 1))
    cpu: dict[str, dict[str, list[float]]] = {job.name: {variant: [] for variant in VARIANTS} for job in jobs}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        names = [f"telemetry_{number}" for number in range(len(VARIANTS))]
        urls = stack.enter_context(databases(kind, names, folder))
        address = stack.enter_context(collector())
        running = {}
        for name, (variant, chosen) in zip(names, VARIANTS.items(), strict=True):
            given = {key: value or address for key, value in chosen.items()}
            running[variant] = Application({"BENCH_DATABASE_URL": urls[name], **given}, cores.server)
            stack.callback(running[variant].end)
        for job in jobs:
            for number in range(rounds + 1):
                for variant in (one for _ in range(TURNS) for one in random.sample(list(VARIANTS), len(VARIANTS))):
                    taken = running[variant].batch(job)
                    if number:  # The first round warms up.
                        cpu[job.name][variant].append(taken)
                progress.step(f"{job.title}: round {number} of {rounds}")
    return {"database": kind, "cpu": cpu}
