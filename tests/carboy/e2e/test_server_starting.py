"""A server that cannot serve says why and ends; one that can says that it does."""

import json
import runpy
import socket
import subprocess
import sys
from collections.abc import Iterator
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
        (PRODUCTION | {"CARBOY_SECURITY__SECRET_KEY": "change-me" * 4}, "security.secret_key: this is a sample"),
    ],
)
def test_loading_the_application_ends_with_a_sentence_on_a_wrong_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str], reason: str
) -> None:
    for name, value in (database_in(tmp_path) | wrong).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(PROJECT / "asgi.py"))
    assert reason in str(ended.value)


def test_a_missing_folder_of_the_database_is_named_before_the_port_opens() -> None:
    with launch(HYPERCORN, {"CARBOY_DATABASE__URL": "sqlite:////nowhere/carboy.db"}) as server:
        assert server.wait() == 1
        assert (
            server.output()
            == "database.url: there is no folder /nowhere; `flask db upgrade` makes it (from CARBOY_DATABASE__URL).\n"
        )


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "carboy", *arguments]
    return subprocess.run(  # noqa: S603 - the tests choose what is run.
        command, cwd=PROJECT, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.fixture
def taken() -> Iterator[str]:
    """An address that is in use."""
    with socket.create_server((HOST, 0)) as server:
        yield f"{HOST}:{server.getsockname()[1]}"


def test_an_address_in_use_is_named(taken: str) -> None:
    ended = start("--bind", taken, "--workers", "2")
    assert ended.stderr == f"{taken}: Address already in use. Serve elsewhere, as with --bind 127.0.0.1:8001.\n"
    assert (ended.returncode, ended.stdout) == (1, "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--bind", f"{HOST}:99999"], ":99999: there is no such port."),
        (["--config", "none.toml"], "none.toml: No such file or directory."),
        (["--config", "Makefile"], "Makefile: Invalid statement"),
        (["none:app"], "Cannot load application from 'none:app', module not found."),
    ],
)
def test_what_else_keeps_a_server_from_starting_is_named(arguments: list[str], sentence: str) -> None:
    with free_port() as port:
        ended = start("--bind", f"{HOST}:{port}", *arguments)
    assert sentence in ended.stderr
    assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)


def test_make_run_migrates_only_if_it_can_serve(taken: str) -> None:
    assert start("--check", "--bind", taken).returncode == 1
    with free_port() as port:
        assert (ended := start("--check", "--bind", f"{HOST}:{port}")).returncode == 0, ended.stderr
    steps = subprocess.run(["make", "-n", "run"], cwd=PROJECT, capture_output=True, text=True, check=True)  # noqa: S607 - any make.
    checks, migrates, serves = (steps.stdout.index(step) for step in ("--check", "db upgrade", "exec "))
    assert checks < migrates < serves


@pytest.mark.parametrize("server", [HYPERCORN, HYPERCORN_WORKERS, UVICORN, GRANIAN])
def test_each_server_ends_with_the_sentence(environment: dict[str, str], server: tuple[str, ...]) -> None:
    with launch(server, environment | {"CARBOY_ENV": "prod"}) as process:
        process.wait()
        assert "CARBOY_ENV=prod: no such profile" in process.output()
        assert "Running on" not in process.output()
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
