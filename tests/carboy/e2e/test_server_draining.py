"""A server that is told to stop serves on while whoever sends it requests learns that it should not."""

import signal
from collections.abc import Sequence

import httpx
import pytest
from support.carboy_server import HYPERCORN, HYPERCORN_WORKERS, UVICORN, CarboyServer, serve, wait_for


def is_ready(client: httpx.Client) -> bool:
    answer = client.get("/health/ready")
    assert answer.status_code == 200 or answer.json()["code"] == "shutting_down"
    return answer.status_code == 200


def assert_serves_as_one_that_will_stop(server: CarboyServer) -> None:
    """Check that requests are answered, on a connection that was open and on new ones, and that none is kept."""
    with server.client() as client:
        wait_for(lambda: not is_ready(client), "Readiness does not fail")
        for _ in range(3):
            answer = client.get("/api/users")
            assert (answer.status_code, answer.headers["Connection"]) == (200, "close")
    assert server.process.poll() is None


@pytest.mark.parametrize(
    ("command", "number", "status"),
    [
        pytest.param(HYPERCORN, signal.SIGTERM, 0, id="hypercorn"),
        pytest.param(HYPERCORN, signal.SIGINT, 0, id="hypercorn at a terminal"),
        pytest.param(UVICORN, signal.SIGTERM, -signal.SIGTERM, id="uvicorn"),
    ],
)
def test_requests_are_served_until_a_second_signal_cuts_the_draining_short(
    environment: dict[str, str], command: Sequence[str], number: signal.Signals, status: int
) -> None:
    with serve(command, environment | {"CARBOY_HTTP__DRAIN_SECONDS": "3600"}) as server:
        with server.client() as client:
            assert is_ready(client)
            assert "Connection" not in client.get("/api/users").headers
            server.signal(number)
            assert_serves_as_one_that_will_stop(server)
        server.signal(number)
        assert server.wait() == status


@pytest.mark.parametrize("command", [HYPERCORN, UVICORN, HYPERCORN_WORKERS])
def test_a_server_ends_by_itself_when_it_has_drained(environment: dict[str, str], command: Sequence[str]) -> None:
    with serve(command, environment | {"CARBOY_HTTP__DRAIN_SECONDS": "3"}) as server:
        if command is HYPERCORN_WORKERS:
            wait_for(lambda: server.output().count("Running on") == 2, "One of the workers does not start")
        # A supervisor such as systemd signals master and workers alike, which cuts nothing short.
        server.signal(signal.SIGTERM, group=True)
        assert_serves_as_one_that_will_stop(server)
        assert server.wait() == (-signal.SIGTERM if command is UVICORN else 0)
