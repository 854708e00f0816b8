"""`flask db backup` and `flask db restore`, on both databases."""

import asyncio
import shutil
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import make_url
from support.databases import database_settings, new_postgresql_database, rows_of
from support.migrating import flask_db

from app.users.daos import UserDao
from carboy.db import Database, backup, create_engines, create_session_factory
from carboy.testing import override
from containers import Container

pytestmark = pytest.mark.skipif(shutil.which("pg_dump") is None, reason="PostgreSQL's client is not there")


@contextmanager
def nothing_like(url: str, folder: Path) -> Iterator[str]:
    """Give the URL of a database of the same kind with nothing in it."""
    if url.startswith("sqlite"):
        yield f"sqlite+aiosqlite:///{folder}/elsewhere/restored.db"
        return
    with new_postgresql_database() as created:
        yield created


def users_in(url: str) -> list[dict[str, object]]:
    async def look() -> list[dict[str, object]]:
        engines = create_engines(database_settings(url))
        try:
            return await rows_of(Database(engines, create_session_factory()), "users")
        finally:
            await engines.dispose()

    return asyncio.run(look())


def add_users(url: str, count: int) -> None:
    async def add() -> None:
        engines = create_engines(database_settings(url))
        database = Database(engines, create_session_factory())
        for number in range(count):
            user = {"username": f"user{number}", "email": f"user{number}@example.org", "full_name": "Ünï"}
            await database.write(partial(UserDao(database).add, user))
        await engines.dispose()

    asyncio.run(add())


def test_what_was_backed_up_is_there_again(database_url: str, tmp_path: Path) -> None:
    add_users(database_url, 20)
    file, said = tmp_path / "backup", list[str]()
    backup.back_up(database_url, file, said.append)
    assert said
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with nothing_like(database_url, tmp_path) as elsewhere:
        backup.restore(elsewhere, file, said.append)
        assert users_in(elsewhere) == users_in(database_url)
        assert len(users_in(elsewhere)) == 20
        with pytest.raises(backup.BackupError, match=r"exists|There are tables"):
            backup.restore(elsewhere, file, said.append)


def test_a_restored_database_is_at_the_revisions_of_its_backup(
    app: Flask, container: Container, database_url: str, tmp_path: Path
) -> None:
    flask_db(app, "backup", str(tmp_path / "backup"))
    with nothing_like(database_url, tmp_path) as elsewhere:
        settings = container.settings().model_copy(update={"database": database_settings(elsewhere)})
        with override(container, settings=settings):
            flask_db(app, "restore", str(tmp_path / "backup"))
            assert flask_db(app, "current").count("(head)") == 2


def test_no_file_is_overwritten(app: Flask, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    file.write_text("of yesterday")
    assert "exists, and is not overwritten" in flask_db(app, "backup", str(file), exit_code=1)
    assert file.read_text() == "of yesterday"


def test_a_damaged_backup_is_refused(app: Flask, database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "backup"
    flask_db(app, "backup", str(file))
    file.write_bytes(b"damaged" + file.read_bytes()[7:])
    with nothing_like(database_url, tmp_path) as elsewhere, pytest.raises(backup.BackupError):
        backup.restore(elsewhere, file, lambda _: None)
    assert not [*tmp_path.rglob("*.part")]


def test_a_backup_that_fails_leaves_nothing(database_url: str, tmp_path: Path) -> None:
    url = make_url(database_url)
    gone = url.set(database="/nowhere/at.db") if url.drivername.startswith("sqlite") else url.set(port=1)
    with pytest.raises(backup.BackupError):
        backup.back_up(gone.render_as_string(hide_password=False), tmp_path / "backup", lambda _: None)
    assert [*tmp_path.glob("backup*")] == []


def test_a_backup_ends_while_others_write(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backup, "PAGES", 1)
    source = make_url(sqlite_url).database or ""
    enough, written = threading.Event(), 0

    def write() -> None:
        nonlocal written
        with closing(sqlite3.connect(source, timeout=20, isolation_level=None)) as connection:
            connection.execute("CREATE TABLE apart_notes (text)")
            while not enough.is_set():
                connection.execute("INSERT INTO apart_notes VALUES (randomblob(2000))")
                written += 1

    writer = threading.Thread(target=write)
    writer.start()
    while written < 50:
        enough.wait(0.001)
    steps = list[str]()
    backup.back_up(sqlite_url, tmp_path / "backup", steps.append)
    enough.set()
    writer.join()
    with closing(sqlite3.connect(tmp_path / "backup")) as copy:
        [(count,)] = copy.execute("SELECT count(*) FROM apart_notes")
    assert 50 <= count <= written
    assert len(steps) > 10
