"""Bodies that are too large, that hide another request, or for which there is no room."""

import json
import resource
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from support.accounts import HEADER_LINE
from support.carboy_server import (
    GRANIAN,
    HYPERCORN,
    UVICORN,
    CarboyServer,
    migrated_copy,
    serve,
    wait_for,
)

HEADERS = b"host: a\r\ncontent-type: application/json\r\n" + HEADER_LINE


@pytest.fixture(scope="module")
def environment(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return migrated_copy(migrated_database, tmp_path_factory.mktemp("database"))


@pytest.fixture(scope="module")
def server(environment: dict[str, str]) -> Iterator[CarboyServer]:
    with serve(HYPERCORN, environment) as server:
        yield server


def test_without_room_for_temporary_files_a_long_body_is_503(server: CarboyServer) -> None:
    request = b"POST /api/users HTTP/1.1\r\n" + HEADERS + b"content-length: 1000000\r\n\r\n" + b"x" * 1_000_000
    limits = resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (100_000, resource.RLIM_INFINITY))
    try:
        answer = server.exchange(request)
    finally:
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, limits)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503")
    assert b"\r\nretry-after: 10" in head
    assert json.loads(body)["code"] == "unavailable"
    wait_for(lambda: "There is no room for a request body" in server.output(), "The reason is not logged")


@pytest.mark.parametrize("command", [HYPERCORN, UVICORN, GRANIAN], ids=lambda command: command[0])
def test_a_request_that_hides_in_a_body_is_served_by_no_server(
    environment: dict[str, str], command: Sequence[str]
) -> None:
    hidden = b"0\r\n\r\nGET /health/live?hidden HTTP/1.1\r\nhost: a\r\n\r\n"
    length = b"content-length: %d\r\n" % len(hidden)
    chunked = b"transfer-encoding: chunked\r\n"
    with serve(command, environment) as server:
        for headers in (
            length + chunked,
            chunked + length,
            length + b"content-length: 5\r\n",
            b"content-length: x\r\n",
            b"transfer-encoding: gzip, chunked\r\n",
        ):
            answer = server.exchange(b"POST /api/users HTTP/1.1\r\n" + HEADERS + headers + b"\r\n" + hidden)
            # hypercorn knows no coding but chunked and says so.
            assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.1 501")), headers
            assert answer.count(b"HTTP/1.1 ") == 1, headers


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
