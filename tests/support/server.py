"""Runs hypercorn as a process of its own, as an operator does, and asks it for what it uses."""

import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

TESTS = Path(__file__).parent.parent
PATIENCE = 20.0
"""Seconds after which whoever waits for the server gives up."""

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""For clients, as no server here speaks TLS: to load the certificates of the world takes longer than many a test."""


class Server:
    """A running hypercorn."""

    def __init__(self, process: subprocess.Popen[bytes], address: tuple[str, int] | str, errors: IO[bytes]) -> None:
        self.process = process
        self.address = address
        self._errors = errors

    @property
    def url(self) -> str:
        host, port = self.address if isinstance(self.address, tuple) else ("localhost", 80)
        return f"http://{f'[{host}]' if ':' in host else host}:{port}"

    def connect(self) -> socket.socket:
        if isinstance(self.address, tuple):
            return socket.create_connection(self.address, timeout=PATIENCE)
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(PATIENCE)
        connection.connect(self.address)
        return connection

    def exchange(self, request: bytes) -> bytes:
        """Send raw bytes and return all that comes back until the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_to_end(connection)

    def wait_until_ready(self) -> None:
        """Wait for an answer, of whatever kind; until then the connection waits in the queue of the socket."""
        try:
            answer = self.exchange(b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
        except ConnectionError:
            answer = b""
        if not answer.startswith(b"HTTP/1.1"):
            raise RuntimeError(f"The server does not answer; it said:\n{self.output()}")

    def output(self) -> str:
        # To seek would move the place at which the server writes: it shares it.
        descriptor = self._errors.fileno()
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")

    def memory(self, kind: str) -> int:
        """Return VmRSS (now) or VmHWM (its peak) in bytes."""
        return memory_of(self.process.pid, kind)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))  # noqa: PTH208 - these vanish while one looks.

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Ask the server to stop, and return its exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(PATIENCE)


def processor_seconds_of(process: int) -> float:
    """Return the processor time that a process has used."""
    # The name of the program stands in parentheses and may hold anything.
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(process: int, kind: str) -> int:
    """Return VmRSS (now) or VmHWM (its peak) of a process in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(kind))
    return int(line.split()[1]) * 1024


def read_to_end(connection: socket.socket) -> bytes:
    """Return all that comes until the other side closes the connection, or resets it: which of them is chance.

    It is reset when it is closed before all that was sent to it has been read.
    """
    received = bytearray()
    with suppress(ConnectionResetError):
        while data := connection.recv(65536):
            received += data
    return bytes(received)


@contextmanager
def launch(
    app: str,
    *arguments: str,
    worker: str = "asyncio",
    bind: str = "127.0.0.1",
    environment: dict[str, str] | None = None,
) -> Iterator[Server]:
    """Start hypercorn without waiting for it, and make sure that it is gone in the end.

    The socket is opened here and handed over, so that no other process can take its port.

    Args:
        app: The module, below ``tests``, and the name of the ASGI application.
        arguments: Further arguments of hypercorn.
        worker: hypercorn's worker class.
        bind: An IP address, or the path of a Unix socket.
        environment: Variables to add to the environment.
    """
    with listen(bind) as listener, tempfile.TemporaryFile() as errors:
        command = [sys.executable, "-m", "hypercorn", "--workers", "0", "--worker-class", worker]
        command += ["--bind", f"fd://{listener.fileno()}", *arguments, app]
        process = subprocess.Popen(  # noqa: S603 - the tests themselves say what to run.
            command,
            cwd=TESTS,
            env=os.environ | (environment or {}),
            pass_fds=[listener.fileno()],
            stdout=errors,
            stderr=errors,
        )
        address = listener.getsockname()
        # Only the server holds the socket now: when it dies, whoever waits for it learns so.
        listener.close()
        try:
            yield Server(process, address if isinstance(address, str) else address[:2], errors)
        finally:
            process.kill()
            process.wait(PATIENCE)


@contextmanager
def serve(
    app: str,
    *arguments: str,
    worker: str = "asyncio",
    bind: str = "127.0.0.1",
    environment: dict[str, str] | None = None,
) -> Iterator[Server]:
    """Start hypercorn and wait until it serves; see `launch`."""
    with launch(app, *arguments, worker=worker, bind=bind, environment=environment) as server:
        server.wait_until_ready()
        yield server
        if server.process.poll() is None:
            # A clean end, so that coverage is written.
            server.stop()


def listen(bind: str) -> socket.socket:
    if "/" in bind:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(bind)
    else:
        listener = socket.socket(socket.AF_INET6 if ":" in bind else socket.AF_INET)
        listener.bind((bind, 0))
    listener.listen()
    return listener
