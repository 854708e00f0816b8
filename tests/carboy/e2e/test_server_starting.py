"""A server that cannot serve says why and ends; one that can says that it does."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from support.carboy_server import (
    GRANIAN,
    HOST,
    HYPERCORN,
    HYPERCORN_WORKERS,
    PRODUCTION,
    PROJECT,
    UVICORN,
    database_in,
    flask,
    free_port,
    launch,
    serve,
)
from support.server import PATIENCE

CONNECTION_CLOSES = b"GET /health/live HTTP/1.1\r\nhost: a\r\nx-request-id: the-one\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"CARBOY_DATABASE__POOL_SIZ": "3"}, "CARBOY_DATABASE__POOL_SIZ"),
        ({"CARBOY_DATABASE__POOL_SIZE": "many"}, "database.pool_size"),
        ({"CARBOY_ENV": "production"}, "security.secret_key: missing; set CARBOY_SECURITY__SECRET_KEY"),
        ({"CARBOY_ENV": "prod"}, "CARBOY_ENV=prod: no such profile"),
        (
            {"CARBOY_DATABASE__URL": "postgresql://u:p@h/d?sslmod=require"},
            "database.url: the argument 'sslmod' is not known",
        ),
        (
            {"CARBOY_DATABASE__URL": "sqlite:////nowhere/carboy.db"},
            "database.url: there is no folder /nowhere; `flask db upgrade` makes it (from CARBOY_DATABASE__URL).",
        ),
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


def check_port(port: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "carboy.server.port", HOST, str(port)]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)  # noqa: S603 - ours.


def test_make_run_says_in_a_sentence_that_the_port_is_in_use() -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        checked = check_port(port)
    assert checked.returncode == 1
    assert checked.stderr == f"{HOST}:{port}: Address already in use. Serve elsewhere, as with make run PORT=8001.\n"
    with free_port() as port:
        assert (checked := check_port(port)).returncode == 0, checked.stderr
    assert check_port("many").stderr.startswith(f"{HOST}:many: not a port.")
    steps = subprocess.run(["make", "-n", "run", "PORT=80"], cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S607 - any make.
    assert (
        steps.stdout.index("carboy.server.port") < steps.stdout.index("db upgrade") < steps.stdout.index("hypercorn --")
    )


@pytest.mark.parametrize("server", [HYPERCORN, HYPERCORN_WORKERS, UVICORN, GRANIAN])
def test_each_server_ends_with_the_sentence(environment: dict[str, str], server: tuple[str, ...]) -> None:
    with launch(server, environment | {"CARBOY_ENV": "prod"}) as process:
        process.wait()
        assert "CARBOY_ENV=prod: no such profile" in process.output()
        assert "Traceback" not in process.output()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ended = flask("db", "upgrade", environment=database_in(tmp_path / "file"))
    assert ended.returncode == 1
    assert ended.stderr == f"Error: database.url: {tmp_path}/file/carboy.db cannot be made (File exists).\n"


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
