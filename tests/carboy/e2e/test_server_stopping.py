"""What becomes of requests and connections when a server is told to stop."""

import http.client
import json
import signal
import sqlite3
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from support.accounts import HEADER_LINE
from support.carboy_server import (
    GRANIAN,
    HYPERCORN,
    HYPERCORN_WORKERS,
    PROJECT,
    UVICORN,
    CarboyServer,
    altered_settings,
    database_file,
    serve,
    wait_for,
)
from support.server import PATIENCE, read_to_end
from support.sqlite_lock import write_lock
from support.users import registration

from app.settings import Settings
from carboy.config import load_settings


@contextmanager
def registering(server: CarboyServer, name: str) -> Iterator[http.client.HTTPResponse]:
    """Send a registration, and go on once its view reads it; what is given is the response that will come."""
    body = json.dumps(registration(name)).encode()
    head = b"POST /api/users HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\nexpect: 100-continue\r\n"
    with server.connect() as connection:
        connection.sendall(head + HEADER_LINE + b"content-length: %d\r\n\r\n" % len(body))
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        connection.sendall(body)
        yield http.client.HTTPResponse(connection, method="POST")


@pytest.mark.parametrize(
    ("command", "number", "group", "status"),
    [
        pytest.param(HYPERCORN, signal.SIGTERM, False, 0, id="hypercorn"),
        pytest.param(HYPERCORN, signal.SIGINT, True, 0, id="hypercorn at a terminal"),
        # Of two workers the idle one ends first, whereupon the master sends SIGTERM to the other.
        pytest.param(HYPERCORN_WORKERS, signal.SIGTERM, False, 0, id="hypercorn with workers"),
        pytest.param(HYPERCORN_WORKERS, signal.SIGTERM, True, 0, id="hypercorn with workers under systemd"),
        # It ends by the signal that it was sent, once it has cleaned up.
        pytest.param(UVICORN, signal.SIGTERM, False, -signal.SIGTERM, id="uvicorn"),
        pytest.param(GRANIAN, signal.SIGTERM, False, 0, id="granian"),
    ],
)
def test_a_request_in_flight_is_answered_before_the_server_ends(
    environment: Mapping[str, str], command: Sequence[str], number: signal.Signals, *, group: bool, status: int
) -> None:
    database = database_file(environment)
    with serve(command, environment) as server, ExitStack() as held:
        if command is HYPERCORN_WORKERS:
            wait_for(lambda: server.output().count("Running on") == 2, "One of the workers does not start")
        with write_lock(database):
            answer = held.enter_context(registering(server, "ada"))
            processes = len(server.processes())
            server.signal(number, group=group)
            if command is HYPERCORN_WORKERS:
                # The master keeps the socket open; what comes in then is reset in the end.
                wait_for(lambda: len(server.processes()) < processes, "The idle worker does not end")
            else:
                wait_for(lambda: not server.accepts(), "The port stays open")
            assert server.process.poll() is None
        answer.begin()
        assert (answer.status, json.load(answer)["username"]) == (201, "ada")
        assert server.wait() == status
    with closing(sqlite3.connect(database)) as stored:
        assert stored.execute("SELECT username FROM users").fetchall() == [("ada",)]


def test_the_server_waits_longer_than_any_statement_may_take() -> None:
    server = tomllib.loads((PROJECT / "hypercorn.toml").read_text(encoding="utf-8"))
    application = load_settings(Settings, PROJECT / "config.yaml", {})
    assert application.database.statement_timeout < server["graceful_timeout"] < application.http.stop_seconds


def test_idle_connections_do_not_hold_up_the_end(environment: Mapping[str, str]) -> None:
    with serve(HYPERCORN, environment) as server, server.client() as client:
        assert client.get("/health/ready").status_code == 200
        with server.connect() as silent, server.connect() as beginning:
            beginning.sendall(b"GET /health/ready HT")
            # Both have been accepted when one that came after them has been served.
            assert server.exchange(b"GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
            # Patience is shorter than graceful_timeout.
            assert server.stop() == 0
            assert (read_to_end(silent), read_to_end(beginning)) == (b"", b"")


def test_an_unfinished_request_holds_up_the_end_only_until_graceful_timeout(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    command = altered_settings(tmp_path, graceful_timeout=0.5)
    with serve(command, environment) as server, server.connect() as connection:
        connection.sendall(
            b"POST /api/users HTTP/1.1\r\nhost: a\r\n"
            + HEADER_LINE
            + b"expect: 100-continue\r\ncontent-length: 9\r\n\r\n"
        )
        assert connection.recv(4096).startswith(b"HTTP/1.1 100")
        assert server.stop() == 0


def test_a_worker_whose_master_is_gone_ends_at_sigterm(environment: Mapping[str, str]) -> None:
    with serve(HYPERCORN_WORKERS, environment) as server:
        assert server.exchange(b"GET /health/live HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        server.process.kill()
        server.process.wait(PATIENCE)
        assert server.accepts()
        server.signal(signal.SIGTERM, group=True)
        server.wait()
