"""Starts the contenders' servers, pins them to a core, and reads what they have used."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
POOL_SIZE = 10
PEERS = {
    "carboy": "Carboy",
    "flask": "Flask + WsgiToAsgi",
    "quart": "Quart",
    "fastapi": "FastAPI",
    "litestar": "Litestar",
    "starlette": "Starlette",
    "raw": "raw ASGI, raw driver (the limit)",
}


@dataclass
class Server:
    """A running contender."""

    peer: str
    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        """Return the processor time that the process and its threads, the ended ones too, have used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND

    def memory_bytes(self) -> int:
        """Return the resident memory."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))


@contextmanager
def serve(peer: str, kind: str, database_url: str, core: int | None) -> Iterator[Server]:
    """Run a contender under a server of this kind, pinned to a core, until the block ends.

    Raises:
        RuntimeError: It does not answer within ten seconds, with what it printed.
    """
    port = _free_port()
    module = "carboy" if peer.startswith("carboy") else peer
    target = f"bench.peers.{module}_peer:app"
    commands = {
        "hypercorn": ["hypercorn", "--config", "bench/hypercorn.toml", "--bind", f"127.0.0.1:{port}", target],
        "uvicorn": ["uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
                    "--timeout-keep-alive", "75", "--port", str(port), target],
    }  # fmt: skip
    command = [sys.executable, "-m", *commands[kind]]
    log = ROOT / "var" / f"bench-{peer}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=_environment(database_url), stdout=output, stderr=output)
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        _wait_until_it_answers(process, port, log)
        yield Server(peer, process, port)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(database_url: str) -> dict[str, str]:
    """Give every contender the same database and pool, and Carboy its production defaults for all else."""
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "BENCH_DATABASE_URL": database_url,
        "BENCH_POOL_SIZE": str(POOL_SIZE),
        "CARBOY_ENV": "production",
        "CARBOY_DATABASE__URL": database_url,
        "CARBOY_DATABASE__POOL_SIZE": str(POOL_SIZE),
        # The others wait for as long as it takes, and so may Carboy where 16 writers queue for one disk.
        "CARBOY_DATABASE__ACQUIRE_TIMEOUT": "30",
        "CARBOY_SECURITY__SECRET_KEY": "the benchmark signs its cursors with this",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_it_answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/live", timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise RuntimeError(f"{process.args!r} did not start:\n{log.read_text(encoding='utf-8', errors='replace')}")
