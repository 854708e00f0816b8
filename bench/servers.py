"""Starts the contenders' servers, pins them to a core, and reads what they have used."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
POOL_SIZE = 10
SECRET_KEY = "the benchmark signs its cursors with this"  # noqa: S105 - it protects nothing.
PEERS = {
    "carboy": "Carboy",
    "flask": "Flask + WsgiToAsgi",
    "quart": "Quart",
    "fastapi": "FastAPI",
    "litestar": "Litestar",
    "starlette": "Starlette",
    "raw": "raw ASGI, raw driver (the limit)",
}


@dataclass(frozen=True)
class Cores:
    """The core that the servers run on, and the one of load and database; None where there is only one."""

    server: int | None
    load: int | None

    @classmethod
    def found(cls) -> "Cores":
        """Take the first two cores that this process may use."""
        cores = sorted(os.sched_getaffinity(0))
        return cls(cores[0], cores[1]) if len(cores) > 1 else cls(None, None)


@dataclass
class Server:
    """A running contender."""

    peer: str
    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def wait_until_it_answers(self, seconds: float = 90) -> None:
        """Return once it serves.

        Raises:
            RuntimeError: It does not within so many seconds, with what it printed.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=1):
                    return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"{self.peer} did not start:\n{self.log.read_text(encoding='utf-8', errors='replace')}")

    def cpu_seconds(self) -> float:
        """Return the processor time that the process with its threads, and its worker processes, have used."""
        return sum(_cpu_ticks(pid) for pid in self._pids()) / TICKS_PER_SECOND

    def memory_bytes(self) -> int:
        """Return the resident memory of the process that serves."""
        status = Path(f"/proc/{self._pids()[-1]}/status").read_text(encoding="ascii")
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmRSS"))

    def _pids(self) -> list[int]:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return [pid, *map(int, children)]


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@contextmanager
def serve_all(urls: dict[str, str], kind: str, core: int | None, project: Path = ROOT) -> Iterator[dict[str, Server]]:
    """Run contenders, each on the database of its URL, until the block ends; they start at the same time.

    Carboy is the project in the folder.

    Raises:
        RuntimeError: One does not answer within one and a half minutes, with what it printed.
    """
    with ExitStack() as stack:
        running = {
            peer: stack.enter_context(start(peer, kind, url, core, project=project)) for peer, url in urls.items()
        }
        for server in running.values():
            server.wait_until_it_answers()
        yield running


@contextmanager
def start(  # noqa: PLR0913 - the last two name another Carboy.
    peer: str,
    kind: str,
    database_url: str,
    core: int | None,
    *options: str,
    project: Path = ROOT,
    source: Path | None = None,
) -> Iterator[Server]:
    """Start a contender under a server of this kind, pinned to a core, and stop it when the block ends.

    Another Carboy than this one is named by the folder of its project, another version by that of its source.
    """
    port = _free_port()
    module = peer.partition("-")[0]
    target = f"bench.peers.{module}_peer:app"
    commands = {
        "hypercorn": ["hypercorn", "--config", f"{ROOT}/bench/hypercorn.toml", "--bind", f"127.0.0.1:{port}", *options,
                      target],
        "uvicorn": ["uvicorn", "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
                    "--timeout-keep-alive", "75", "--port", str(port), *options, target],
    }  # fmt: skip
    log = ROOT / "var" / f"bench-{peer}.log"
    log.parent.mkdir(exist_ok=True)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *commands[kind]],
            cwd=project,
            env=_environment(database_url, [source or project / "src", project, ROOT]),
            stdout=output,
            stderr=output,
        )
    try:
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        yield Server(peer, process, port, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _environment(database_url: str, paths: list[Path]) -> dict[str, str]:
    """Give every contender the same database and pool, and Carboy its production defaults for all else."""
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "BENCH_DATABASE_URL": database_url,
        "BENCH_POOL_SIZE": str(POOL_SIZE),
        "CARBOY_ENV": "production",
        "CARBOY_HTTP__DRAIN_SECONDS": "0",
        "CARBOY_DATABASE__URL": database_url,
        "CARBOY_DATABASE__POOL_SIZE": str(POOL_SIZE),
        # The others wait for as long as it takes, and so may Carboy where 16 writers queue for one disk.
        "CARBOY_DATABASE__ACQUIRE_TIMEOUT": "30",
        "CARBOY_SECURITY__SECRET_KEY": SECRET_KEY,
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
