"""Clients that stall, idle, or send more than is accepted; and those that are slow for a good reason."""

import json
import socket
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.carboy_server import PROJECT, CarboyServer, altered_settings, database_file, migrated_copy, serve
from support.requests import registration
from support.server import read_to_end
from support.sqlite_lock import write_lock

pytestmark = pytest.mark.alone

READ_TIMEOUT = 1.5
KEEP_ALIVE_TIMEOUT = 1.2
HEADERS = b"host: a\r\ncontent-type: application/json\r\n"


@pytest.fixture(scope="module")
def environment(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return migrated_copy(migrated_database, tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="module")
def server(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[CarboyServer]:
    """A server as in production but that it is ten times as impatient."""
    command = altered_settings(
        tmp_path_factory.mktemp("settings"), read_timeout=READ_TIMEOUT, keep_alive_timeout=KEEP_ALIVE_TIMEOUT
    )
    with serve(command, environment) as server:
        yield server


def test_the_settings_are_those_of_production_but_for_a_factor() -> None:
    settings = tomllib.loads((PROJECT / "hypercorn.toml").read_text(encoding="utf-8"))
    assert settings["read_timeout"] == READ_TIMEOUT * 10
    assert settings["keep_alive_timeout"] == KEEP_ALIVE_TIMEOUT * 10


def test_a_stalled_body_is_cut_off_and_reaches_no_view(server: CarboyServer) -> None:
    begun = time.monotonic()
    answer = server.exchange(b"POST /api/users HTTP/1.1\r\n" + HEADERS + b"content-length: 100\r\n\r\n{")
    assert answer == b""
    assert READ_TIMEOUT <= time.monotonic() - begun < READ_TIMEOUT * 3
    assert "method=POST" not in server.output()


def test_an_idle_connection_is_closed_while_the_server_still_reads_from_it(server: CarboyServer) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\n" + HEADERS + b"\r\n")
        begun = time.monotonic()
        assert read_to_end(connection).startswith(b"HTTP/1.1 200")
        # Left open any longer, it would swallow the next request without an answer.
        assert time.monotonic() - begun < READ_TIMEOUT


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


@pytest.mark.parametrize("expectation", [b"", b"expect: 100-continue\r\n"])
def test_a_body_that_is_too_large_is_refused_before_it_is_sent(server: CarboyServer, expectation: bytes) -> None:
    answer = server.exchange(
        b"POST /api/users HTTP/1.1\r\n" + HEADERS + expectation + b"content-length: 2000000\r\n\r\n"
    )
    # hypercorn asks for the body before the application has seen the request.
    answer = answer.removeprefix(answer[: answer.index(b"\r\n\r\n") + 4]) if b"HTTP/1.1 100" in answer else answer
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"content_too_large" in answer


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_large(server: CarboyServer) -> None:
    with server.connect() as connection:
        connection.sendall(b"POST /api/users HTTP/1.1\r\n" + HEADERS + b"transfer-encoding: chunked\r\n\r\n")
        # A byte more than is accepted; that the body does not end here is known by its missing last chunk.
        connection.sendall(b"100001\r\n" + b"x" * 0x100001)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413")
