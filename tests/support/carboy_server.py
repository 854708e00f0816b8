"""Runs the whole application under a real server, on a port and a database of its own."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import httpx
from support.accounts import HEADERS, add_services
from support.server import NO_TLS, PATIENCE, read_to_end

PROJECT = Path(__file__).parent.parent.parent
SCRIPTS = Path(sys.executable).parent
HOST = "127.0.0.1"

HYPERCORN = ("python", "-m", "carboy", "--config", "hypercorn.toml", "--bind", f"{HOST}:{{port}}", "asgi:app")
"""How an operator starts hypercorn; the port is filled in."""

HYPERCORN_WORKERS = (*HYPERCORN[:-1], "--workers", "2", "asgi:app")
UVICORN = ("uvicorn", "--host", HOST, "--port", "{port}", "asgi:app")
GRANIAN = ("granian", "--interface", "asgi", "--host", HOST, "--port", "{port}", "asgi:app")

PRODUCTION = {
    "CARBOY_ENV": "production",
    "CARBOY_SECURITY__SECRET_KEY": "0123456789abcdef-0123456789ABCDEF",
    # Nobody sends requests elsewhere, so that waiting for that is a waste of time.
    "CARBOY_HTTP__DRAIN_SECONDS": "0",
}


class CarboyServer:
    """A server process and those that it has started: they share a process group."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, output: IO[bytes]) -> None:
        self.process = process
        self.port = port
        self._output = output

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def client(self, **options: Any) -> httpx.Client:
        options.setdefault("headers", HEADERS)
        # A proxy of the developer's environment has no business here.
        return httpx.Client(base_url=self.url, timeout=PATIENCE, trust_env=False, verify=NO_TLS, **options)

    def connect(self) -> socket.socket:
        return socket.create_connection((HOST, self.port), timeout=PATIENCE)

    def exchange(self, request: bytes) -> bytes:
        """Send raw bytes and return all that comes back until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_to_end(connection)

    def accepts(self) -> bool:
        try:
            self.connect().close()
        except ConnectionError:
            # A port that is just being closed resets what it has not refused.
            return False
        return True

    def wait_until_ready(self) -> None:
        wait_for(lambda: self.process.poll() is not None or self.accepts(), "The port is not opened")
        if self.process.poll() is not None:
            raise RuntimeError(f"The server has not started; it said:\n{self.output()}")

    def output(self) -> str:
        # To seek would move the place at which the server writes: it shares it.
        descriptor = self._output.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the server and all that it has started to end, and return its exit status."""
        status = self.process.wait(PATIENCE)
        wait_for(lambda: not self._group_lives(), "Processes are left behind")
        return status

    def stop(self) -> int:
        self.signal(signal.SIGTERM)
        return self.wait()

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PATIENCE)

    def processes(self) -> list[int]:
        """Return the ids of the server's process and of those that it has started, as far as they have not ended."""
        found = []
        for status in Path("/proc").glob("[0-9]*/stat"):
            # One may end while we look.
            with suppress(FileNotFoundError, ProcessLookupError):
                # The name of the program stands in parentheses and may hold anything. Z is a process that has ended.
                state, _parent, group, *_ = status.read_text().rpartition(")")[2].split()
                if int(group) == self.process.pid and state != "Z":
                    found.append(int(status.parent.name))
        return found

    def _group_lives(self) -> bool:
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True


def wait_for(condition: Callable[[], bool], otherwise: str) -> None:
    """Ask again and again, as nothing tells of what happens in another process."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.01)


@contextmanager
def launch(
    command: Sequence[str],
    environment: Mapping[str, str],
    *,
    port: int | None = None,
    errors: IO[bytes] | None = None,
    folder: Path = PROJECT,
) -> Iterator[CarboyServer]:
    """Start a server without waiting for it, and make sure that nothing of it is left in the end.

    Args:
        command: The program and its arguments, in which ``{port}`` is filled in.
        environment: Variables to add to the environment.
        port: Where it is to listen; None for a free port.
        errors: Its standard error, which is otherwise part of its output.
        folder: The project.
    """
    with free_port() as free, tempfile.TemporaryFile() as output:
        port = port or free
        program, *arguments = (argument.format(port=port) for argument in command)
        process = subprocess.Popen(  # noqa: S603 - the tests choose what is run.
            [SCRIPTS / program, *arguments],
            cwd=folder,
            env={**os.environ, **environment},
            stdout=output,
            stderr=errors or output,
            start_new_session=True,
        )
        server = CarboyServer(process, port, output)
        try:
            yield server
        finally:
            server.kill()


@contextmanager
def serve(command: Sequence[str], environment: Mapping[str, str], **options: Any) -> Iterator[CarboyServer]:
    """Start a server, wait until it serves, and stop it as an operator would unless the test has done so.

    The options are those of `launch`.
    """
    with launch(command, environment, **options) as server:
        server.wait_until_ready()
        yield server
        if server.process.poll() is None:
            # A clean end, so that coverage is written.
            server.stop()


def flask(*arguments: str, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a `flask` command to its end."""
    return subprocess.run(  # noqa: S603 - likewise.
        [SCRIPTS / "flask", *arguments],
        cwd=PROJECT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@contextmanager
def free_port() -> Iterator[int]:
    """Keep a port for a server: who names it may have it, and nobody else is given it, such as another server."""
    with socket.socket() as keeper:
        # Sockets that all allow it share a port until one of them listens.
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind((HOST, 0))
        yield keeper.getsockname()[1]


def database_file(environment: Mapping[str, str]) -> Path:
    return Path(environment["CARBOY_DATABASE__URL"].removeprefix("sqlite+aiosqlite:///"))


def database_in(folder: Path) -> dict[str, str]:
    return {"CARBOY_DATABASE__URL": f"sqlite+aiosqlite:///{folder}/carboy.db"}


def migrated_copy(original: Path, folder: Path) -> dict[str, str]:
    """Copy a database that has been migrated, which is faster than to migrate another, and add the tests' services."""
    environment = database_in(folder)
    shutil.copy(original, database_file(environment))
    add_services(database_file(environment))
    return environment


def altered_settings(folder: Path, command: tuple[str, ...] = HYPERCORN, **changes: float) -> tuple[str, ...]:
    """Return a command of hypercorn's with a copy of hypercorn.toml in which some numbers are changed."""
    text = (PROJECT / "hypercorn.toml").read_text(encoding="utf-8")
    for name, value in changes.items():
        text, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
        assert count == 1, name
    altered = folder / "hypercorn.toml"
    altered.write_text(text, encoding="utf-8")
    return tuple(str(altered) if argument == "hypercorn.toml" else argument for argument in command)
