"""Fixtures of the tests under real servers."""

from pathlib import Path

import pytest
from support.carboy_server import migrated_copy
from support.databases import migrated_file
from support.larger import LargerProject, follow_guide
from support.made_once import made_once


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest revision, for copying."""
    return migrated_file(tmp_path_factory)


@pytest.fixture
def environment(migrated_database: Path, tmp_path: Path) -> dict[str, str]:
    """What a server needs to find a database of its own, which is migrated and empty."""
    return migrated_copy(migrated_database, tmp_path)


@pytest.fixture(scope="session")
def larger_project(migrated_database: Path, tmp_path_factory: pytest.TempPathFactory) -> LargerProject:
    folder = made_once(tmp_path_factory, "larger", lambda folder: follow_guide(folder, migrated_database))
    return LargerProject(folder)
