"""A server that cannot serve says why and ends; one that can says that it does."""

import json
import socket
from pathlib import Path

import pytest
from support.carboy_server import HOST, HYPERCORN, PRODUCTION, database_in, launch, serve

CONNECTION_CLOSES = b"GET /health/live HTTP/1.1\r\nhost: a\r\nx-request-id: the-one\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"CARBOY_DATABASE__POOL_SIZ": "3"}, "CARBOY_DATABASE__POOL_SIZ"),
        ({"CARBOY_DATABASE__POOL_SIZE": "many"}, "database.pool_size"),
        ({"CARBOY_ENV": "production"}, "security.secret_key: missing; set CARBOY_SECURITY__SECRET_KEY"),
        (PRODUCTION | {"CARBOY_SECURITY__SECRET_KEY": "change-me" * 4}, "security.secret_key: this is a sample"),
    ],
)
def test_a_wrong_configuration_is_named_before_the_port_opens(
    tmp_path: Path, wrong: dict[str, str], reason: str
) -> None:
    with launch(HYPERCORN, database_in(tmp_path) | wrong) as server:
        assert server.wait() != 0
        assert reason in server.output()
        assert "Traceback" not in server.output()
        assert "Running on" not in server.output()


def test_a_port_in_use_is_named(environment: dict[str, str]) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with launch(HYPERCORN, environment, port=port) as server:
            assert server.wait() != 0
            assert "Address already in use" in server.output()


def log_of_one_request(environment: dict[str, str]) -> list[str]:
    with serve(HYPERCORN, environment) as server:
        assert server.exchange(CONNECTION_CLOSES).startswith(b"HTTP/1.1 200")
        assert server.stop() == 0
        return server.output().splitlines()


def test_in_production_each_line_of_the_log_is_json(environment: dict[str, str]) -> None:
    lines = [json.loads(line) for line in log_of_one_request(environment | PRODUCTION)]
    assert next(line["event"] for line in lines if line["logger"] == "hypercorn.error").startswith("Running on")
    (request,) = [line for line in lines if line["event"] == "request"]
    assert (request["method"], request["route"], request["status"]) == ("GET", "/health/live", 200)
    assert (request["request_id"], request["client"]) == ("the-one", HOST)


def test_in_development_the_log_is_for_people_and_says_each_thing_once(environment: dict[str, str]) -> None:
    lines = log_of_one_request(environment)
    assert sum("Running on http://" in line for line in lines) == 1
    assert sum("route=/health/live" in line and "status=200" in line for line in lines) == 1


def test_a_server_starts_without_migrations_but_does_not_run_them(tmp_path: Path) -> None:
    with serve(HYPERCORN, database_in(tmp_path)) as server, server.client() as client:
        assert client.get("/health/live").status_code == 200
        answer = client.get("/api/users")
        assert answer.status_code >= 500
        assert answer.headers["Content-Type"] == "application/problem+json"
