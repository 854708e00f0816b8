"""A server that is told to stop ends in time, whatever its views and its clients do."""

import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.carboy_server import HYPERCORN, altered_settings, serve, wait_for

from carboy.server.termination import FORCED_STATUS


def command_of(folder: Path, *, workers: int = 0) -> Sequence[str]:
    """Return the command that serves views that never end, which the server itself gives up soon."""
    command = (*HYPERCORN[:-1], "--workers", str(workers), "tests.support.stubborn:app")
    return altered_settings(folder, command, graceful_timeout=0.1)


@pytest.mark.parametrize(
    ("path", "view"),
    [
        ("swallows-cancellation", "tasks: Task-"),
        ("blocks-its-thread", "in block\n"),
        ("generates-nothing", "in chunks\n"),
        ("blocks-the-loop", "in block_loop\n"),
        ("spins", "in spin\n"),
        ("blocks-the-loop-outside-python", "in block_loop_in_c\n"),
        ("is-not-read", "tasks: Task-"),
    ],
)
def test_a_request_that_never_ends_is_ended_by_force_and_reported(
    environment: dict[str, str], tmp_path: Path, path: str, view: str
) -> None:
    in_time = {"CARBOY_HTTP__STOP_SECONDS": "1"}
    with serve(command_of(tmp_path), environment | in_time) as server, server.connect() as connection:
        connection.sendall(f"GET /{path} HTTP/1.1\r\nhost: a\r\n\r\n".encode())
        wait_for(lambda: "the view has begun" in server.output(), "The view is not reached")
        server.signal(signal.SIGTERM)
        assert server.wait() == FORCED_STATUS
        assert "ended by force 1 seconds after the server was told to stop" in server.output()
        assert view in server.output()


def test_a_worker_that_is_stuck_ends_although_its_master_sends_no_signal(
    environment: dict[str, str], tmp_path: Path
) -> None:
    in_time = {"CARBOY_HTTP__STOP_SECONDS": "1"}
    with serve(command_of(tmp_path, workers=1), environment | in_time) as server, server.connect() as connection:
        connection.sendall(b"GET /spins HTTP/1.1\r\nhost: a\r\n\r\n")
        wait_for(lambda: "the view has begun" in server.output(), "The view is not reached")
        server.signal(signal.SIGTERM)
        # The master exits with 0 whatever became of its workers.
        server.wait()
        assert "ended by force" in server.output()
        assert "in spin\n" in server.output()


def test_a_server_that_ends_in_time_is_left_alone(environment: dict[str, str], tmp_path: Path) -> None:
    with serve(command_of(tmp_path), environment) as server:
        assert server.stop() == 0
        assert "by force" not in server.output()
