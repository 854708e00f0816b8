"""Clients that stall or idle, and those that are slow for a good reason."""

import json
import socket
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import HEADER_LINE
from support.carboy_server import (
    PROJECT,
    CarboyServer,
    altered_settings,
    database_file,
    migrated_copy,
    serve,
)
from support.server import read_to_end
from support.sqlite_lock import write_lock
from support.users import registration

from carboy.config.settings import Settings

pytestmark = pytest.mark.alone

STALL_SECONDS = 1.0
KEEP_ALIVE_TIMEOUT = 1.2
LINGER_SECONDS = 2.0
HEADERS = b"host: a\r\ncontent-type: application/json\r\n" + HEADER_LINE


@pytest.fixture(scope="module")
def environment(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return migrated_copy(migrated_database, tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="module")
def server(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarboyServer]:
    """A server as in production but that it is ten times as impatient."""
    command = altered_settings(tmp_path_factory.mktemp("settings"), keep_alive_timeout=KEEP_ALIVE_TIMEOUT)
    with serve(command, environment | {"CARBOY_HTTP__BODY_STALL_SECONDS": str(STALL_SECONDS)}) as server:
        yield server


def test_the_settings_are_those_of_production_but_for_a_factor(settings: Settings) -> None:
    hypercorn = tomllib.loads((PROJECT / "hypercorn.toml").read_text(encoding="utf-8"))
    assert hypercorn["keep_alive_timeout"] == KEEP_ALIVE_TIMEOUT * 10
    assert settings.http.body_stall_seconds == STALL_SECONDS * 10
    # With it, hypercorn takes clients that wait for ones that have left.
    assert "read_timeout" not in hypercorn


@pytest.mark.parametrize("chunked", [False, True])
def test_a_stalled_body_is_answered_and_cut_off(server: CarboyServer, *, chunked: bool) -> None:
    head = b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n" if chunked else b"content-length: 100\r\n\r\n{"
    with server.connect() as connection:
        begun = time.monotonic()
        connection.sendall(b"POST /api/users HTTP/1.1\r\n" + HEADERS + head)
        answer = connection.recv(4096)
        assert STALL_SECONDS <= time.monotonic() - begun < STALL_SECONDS * 3
        answer += read_to_end(connection)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"request_timeout" in answer
        assert time.monotonic() - begun < STALL_SECONDS * 3 + LINGER_SECONDS


def test_a_body_that_trickles_is_answered_and_cut_off_whatever_came_before(server: CarboyServer) -> None:
    with server.connect() as connection:
        head = b"content-length: 1000000\r\n\r\n"
        connection.sendall(b"POST /api/users HTTP/1.1\r\n" + HEADERS + head + b"x" * 511 * 1024)
        connection.settimeout(0.1)
        begun = time.monotonic()
        answer = b""
        while not answer:
            assert time.monotonic() - begun < STALL_SECONDS * 4
            connection.sendall(b"x")
            answer = receive(connection)
        assert answer.startswith(b"HTTP/1.1 408")


def receive(connection: socket.socket) -> bytes:
    """Return what has come within the connection's time-out."""
    try:
        return connection.recv(65536)
    except TimeoutError:
        return b""


def test_an_idle_connection_is_closed(server: CarboyServer) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\n" + HEADERS + b"\r\n")
        begun = time.monotonic()
        assert read_to_end(connection).startswith(b"HTTP/1.1 200")
        assert time.monotonic() - begun < KEEP_ALIVE_TIMEOUT * 3


def test_headers_that_trickle_in_are_cut_off(server: CarboyServer) -> None:
    with server.connect() as connection:
        connection.settimeout(0.1)
        begun = time.monotonic()
        while is_open_to(connection, b"G"):
            assert time.monotonic() - begun < KEEP_ALIVE_TIMEOUT * 4


def is_open_to(connection: socket.socket, data: bytes) -> bool:
    """Send data, and tell whether the connection is still open a moment later."""
    try:
        connection.sendall(data)
        return connection.recv(1) != b""
    except TimeoutError:
        return True
    except ConnectionError:
        return False


def test_a_view_may_take_longer_than_the_server_waits_for_clients(
    server: CarboyServer, environment: dict[str, str]
) -> None:
    body = json.dumps(registration("ada")).encode()
    with server.connect() as patient:
        with write_lock(database_file(environment)):
            length = f"content-length: {len(body)}\r\nconnection: close\r\n\r\n".encode()
            patient.sendall(b"POST /api/users HTTP/1.1\r\n" + HEADERS + length + body)
            # One that came after it and stalls has been cut off meanwhile.
            server.exchange(b"POST /api/users HTTP/1.1\r\n" + HEADERS + b"content-length: 100\r\n\r\n{")
        assert read_to_end(patient).startswith(b"HTTP/1.1 201")
