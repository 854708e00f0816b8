"""A server whose standard error cannot be written answers as ever."""

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO

import pytest
from support.carboy_server import HYPERCORN, PRODUCTION, serve
from support.users import registration


@contextmanager
def full_disk() -> Iterator[IO[bytes]]:
    with Path("/dev/full").open("wb") as full:
        yield full


@contextmanager
def dead_collector() -> Iterator[IO[bytes]]:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        yield pipe


@contextmanager
def stopped_collector() -> Iterator[IO[bytes]]:
    """Yield a pipe that is full, and that nobody reads."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    while True:
        try:
            os.write(writer, bytes(4096))
        except BlockingIOError:
            break
    os.set_blocking(writer, True)
    with os.fdopen(writer, "wb") as pipe:
        yield pipe
    os.close(reader)


@pytest.mark.parametrize("broken", [full_disk, dead_collector, stopped_collector])
def test_requests_are_answered_whatever_has_become_of_standard_error(
    environment: dict[str, str], broken: Callable[[], AbstractContextManager[IO[bytes]]]
) -> None:
    with broken() as errors, serve(HYPERCORN, environment | PRODUCTION, errors=errors) as server:
        with server.client() as client:
            assert [client.get("/health/live").status_code for _ in range(20)] == [200] * 20
            assert client.post("/api/users", json=registration("ada")).status_code == 201
            assert client.get("/api/nothing").status_code == 404
            assert len(client.get("/api/users").json()["items"]) == 1
        assert server.stop() == 0
