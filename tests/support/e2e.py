"""Fixtures of the tests under real servers."""

from pathlib import Path

import pytest
from support.carboy_server import database_file, database_in, migrated_copy
from support.databases import migrated
from support.larger import LargerProject, follow_guide


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest revision, for copying."""
    environment = database_in(tmp_path_factory.mktemp("migrated"))
    migrated(environment["CARBOY_DATABASE__URL"])
    return database_file(environment)


@pytest.fixture
def environment(migrated_database: Path, tmp_path: Path) -> dict[str, str]:
    """What a server needs to find a database of its own, which is migrated and empty."""
    return migrated_copy(migrated_database, tmp_path)


@pytest.fixture(scope="session")
def larger_project(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> LargerProject:
    return follow_guide(tmp_path_factory.mktemp("larger"), migrated_database)
