"""The commands of `flask`, as processes: they do what they say, and end."""

import sqlite3
from contextlib import closing
from pathlib import Path

from support.carboy_server import database_file, database_in, flask


def test_the_configuration_is_shown(tmp_path: Path) -> None:
    result = flask("config", "show", environment=database_in(tmp_path))
    assert result.returncode == 0, result.stderr
    assert "environment: development" in result.stdout
    assert "CARBOY_DATABASE__URL" in result.stdout


def test_the_container_is_drawn(tmp_path: Path) -> None:
    result = flask("container", "graph", environment=database_in(tmp_path))
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("flowchart")
    assert "user_service" in result.stdout


def test_a_database_is_migrated_from_nothing_and_again(tmp_path: Path) -> None:
    environment = database_in(tmp_path)
    for _ in range(2):
        result = flask("db", "upgrade", environment=environment)
        assert result.returncode == 0, result.stderr
    with closing(sqlite3.connect(database_file(environment))) as database:
        assert database.execute("SELECT count(*) FROM users").fetchone() == (0,)


def test_a_wrong_configuration_fails_a_command_too(tmp_path: Path) -> None:
    result = flask("db", "upgrade", environment=database_in(tmp_path) | {"CARBOY_DATABASE__POOL_SIZ": "3"})
    assert result.returncode != 0
    assert "CARBOY_DATABASE__POOL_SIZ" in result.stderr
