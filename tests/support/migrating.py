"""Databases without a table, and migrations that a test may add to."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import MetaData, Table
from support.databases import drop_all, new_postgresql_database

from carboy.db import histories
from carboy.models import Base

REVISION = '''"""{message}"""

import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {parent!r}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''


def newest() -> str:
    """Return the newest revision of the application."""
    [head] = histories.heads_of(histories.files_of("app").app)
    return head.revision


@pytest.fixture(scope="session")
def bare_postgresql_database(postgresql_database: str) -> Iterator[str]:
    """A database for tests that migrate it; it is emptied for each of them, which is faster than to create another."""
    with new_postgresql_database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database without any table; on SQLite there is no file yet, nor its folder."""
    if request.param == "sqlite":
        return f"sqlite+aiosqlite:///{tmp_path}/var/new.db"
    url: str = request.getfixturevalue("bare_postgresql_database")
    asyncio.run(drop_all(url))
    return url


@pytest.fixture
def migrations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the application's migrations, so that a new one is not written into the project."""
    copy = tmp_path / "migrations"
    original = histories.folder_of
    shutil.copytree(original("app"), copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(histories, "folder_of", lambda package: copy if package == "app" else original(package))
    return copy


def write_revision(
    folder: Path, revision: str, parent: str | None, upgrade: str = "pass", downgrade: str = "pass"
) -> Path:
    """Write a migration as a person would."""
    path = folder / f"20261128_{revision}_by_hand.py"
    names = {"message": "by hand", "revision": revision, "parent": parent}
    path.write_text(REVISION.format(**names, upgrade=upgrade, downgrade=downgrade), encoding="utf-8")
    return path


def flask_db(app: Flask, *arguments: str, exit_code: int = 0) -> str:
    """Run `flask db` and return what it says."""
    result = app.test_cli_runner().invoke(args=["db", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.output


def change_models(monkeypatch: pytest.MonkeyPatch, change: Callable[[MetaData], object]) -> None:
    """Change the tables that the models declare, until the test ends."""
    changed = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.sorted_tables:
        table.to_metadata(changed)
    change(changed)
    monkeypatch.setattr(Base, "metadata", changed)


def drop_column(table: Table, name: str) -> None:
    """Take a column out of a table, as from a model."""
    table._columns.remove(table.c[name])  # noqa: SLF001 - SQLAlchemy has no public way.
