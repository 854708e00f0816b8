"""What `flask db revision` writes keeps the rows that are there, on both databases, and says what is left to decide."""

from collections.abc import Callable
from enum import Enum as PythonEnum
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Enum,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)
from sqlalchemy.exc import IntegrityError
from support.databases import database_settings
from support.migrating import change_models, drop_column, flask_db, newest

from carboy.db import Database, create_engines, create_session_factory
from carboy.models.search import SEARCHED

Change = Callable[[MetaData], object]
INSERT = (
    "INSERT INTO users (username, username_key, email, email_key, full_name, active, created_at, updated_at, version)"
    " VALUES ('ada', 'ada', 'a@b.org', 'a@b.org', 'Ada', true, '2026-01-01', '2026-01-01', 1)"
)


class Status(PythonEnum):
    DRAFT = "draft"
    SENT = "sent"


@pytest.fixture
def database_url(empty_url: str) -> str:
    return empty_url


@pytest.fixture
def rows(app: Flask, database_url: str) -> Callable[[str], list[tuple[Any, ...]]]:
    """Run a statement in the database, and return its rows."""

    async def run(statement: str) -> list[tuple[Any, ...]]:
        database = Database(create_engines(database_settings(database_url)), create_session_factory())
        try:
            return [tuple(row) for row in await database.write(lambda: database.execute(text(statement), writes=True))]
        finally:
            await database.close()

    return app.async_to_sync(run)


@pytest.fixture
def revise(
    app: Flask, migrations: Path, monkeypatch: pytest.MonkeyPatch, rows: Callable[[str], object]
) -> Callable[..., tuple[Path, str]]:
    """Migrate a database with one user, change the models, and write a migration: its file, and what was said."""
    flask_db(app, "upgrade")
    rows(INSERT)

    def revise(change: Change, *options: str) -> tuple[Path, str]:
        before = set(migrations.glob("*.py"))
        change_models(monkeypatch, change)
        said = flask_db(app, "revision", "change", *options)
        [file] = set(migrations.glob("*.py")) - before
        return file, " ".join(said.split())

    return revise


def there_and_back(app: Flask) -> None:
    """Go up, down and up again, and find that nothing differs from the models."""
    flask_db(app, "upgrade")
    flask_db(app, "check")
    flask_db(app, "downgrade", "-1")
    flask_db(app, "upgrade")
    flask_db(app, "check")


def add(column: Column[Any], models: MetaData) -> None:
    models.tables["users"].append_column(column)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (partial(Column, "nick", String(20), nullable=False, default="a'b"), "a'b"),
        (partial(Column, "points", Integer, nullable=False, default=7), 7),
        (partial(Column, "weight", Float, nullable=False, default=-1.5), -1.5),
        (partial(Column, "trusted", Boolean, nullable=False, default=True), True),
    ],
)
def test_a_new_required_column_gives_its_default_to_the_rows_that_are_there(
    app: Flask, revise: Any, rows: Any, column: Callable[[], Column[Any]], value: object
) -> None:
    name, before = column().name, newest()
    file, said = revise(lambda models: add(column(), models))
    assert f"users.{name}: the rows that are there get the default" in said
    assert "server_default" in file.read_text()
    assert "DROP" not in flask_db(app, "sql", "--dialect", "postgresql", f"{before}:head")
    there_and_back(app)
    # A process of the version before, which does not know the column, goes on inserting.
    rows(INSERT.replace("ada", "bob").replace("a@", "b@"))
    assert rows(f"SELECT {name} FROM users") == [(value,), (value,)]  # noqa: S608 - it stands above.


def test_a_new_required_column_without_a_default_asks_for_a_value(app: Flask, revise: Any, rows: Any) -> None:
    file, said = revise(partial(add, Column("nick", Text, nullable=False)))
    assert "users.nick must not be null" in said
    assert "docs/migrations.md" in said
    assert "null" in flask_db(app, "upgrade", exit_code=1).lower()
    assert rows("SELECT full_name FROM users") == [("Ada",)]
    lines = [
        line.replace("# op", "op").replace("...", "username") if line.strip().startswith("# op.execute(") else line
        for line in file.read_text().splitlines()
    ]
    file.write_text("\n".join(lines))
    there_and_back(app)
    assert rows("SELECT nick FROM users") == [("ada",)]


def test_a_required_column_that_is_dropped_can_come_back(app: Flask, revise: Any, rows: Any) -> None:
    file, _ = revise(lambda models: drop_column(models.tables["users"], "active"))
    flask_db(app, "upgrade")
    file.write_text(
        "\n".join(
            line.replace("# op", "op").replace("...", "true") if "# op.execute(" in line else line
            for line in file.read_text().splitlines()
        )
    )
    flask_db(app, "downgrade", "-1")
    assert rows("SELECT active FROM users") in ([(True,)], [(1,)])


def rename(models: MetaData) -> None:
    drop_column(models.tables["users"], "full_name")
    add(Column("name", String(200), nullable=True), models)


def test_a_column_that_may_have_a_new_name_is_asked_about(revise: Any) -> None:
    file, said = revise(rename)
    assert "the values of full_name are lost" in said
    assert "--rename users.full_name=name" in said
    assert "--rename users.full_name=name" in " ".join(file.read_text().replace("#", "").split())


def test_a_renamed_column_keeps_its_values(app: Flask, revise: Any, rows: Any) -> None:
    file, said = revise(rename, "--rename", "users.full_name=name")
    assert "users.full_name is name from now on" in said
    assert "drop_column" not in file.read_text()
    flask_db(app, "upgrade")
    flask_db(app, "check")
    assert rows("SELECT name FROM users") == [("Ada",)]
    flask_db(app, "downgrade", "-1")
    assert rows("SELECT full_name FROM users") == [("Ada",)]
    flask_db(app, "upgrade")


@pytest.mark.parametrize("mistaken", ["users.nick=name", "notes.title=name", "users.full_name", "full_name=name"])
def test_a_renaming_that_the_models_do_not_show_is_refused(
    app: Flask, migrations: Path, monkeypatch: pytest.MonkeyPatch, mistaken: str
) -> None:
    flask_db(app, "upgrade")
    change_models(monkeypatch, rename)
    before = set(migrations.glob("*.py"))
    said = flask_db(app, "revision", "rename", "--rename", mistaken, exit_code=1)
    assert said.startswith(f"Error: --rename {mistaken}: ")
    assert set(migrations.glob("*.py")) == before


def apart_invoices(*arguments: Any, models: MetaData) -> None:
    Table("apart_invoices", models, Column("id", Integer, primary_key=True), *arguments)


def test_a_renamed_column_keeps_its_unique_constraint(app: Flask, revise: Any, rows: Any) -> None:
    revise(lambda models: apart_invoices(Column("number", Text, nullable=False, unique=True), models=models))
    flask_db(app, "upgrade")
    rows("INSERT INTO apart_invoices (number) VALUES ('A-1')")

    def change(models: MetaData) -> None:
        models.remove(models.tables["apart_invoices"])
        apart_invoices(Column("code", Text, nullable=False, unique=True), models=models)

    revise(change, "--rename", "apart_invoices.number=code")
    there_and_back(app)
    assert rows("SELECT code FROM apart_invoices") == [("A-1",)]
    with pytest.raises(IntegrityError):
        rows("INSERT INTO apart_invoices (code) VALUES ('A-1')")


def checked(*values: str) -> tuple[Column[Any], CheckConstraint]:
    allowed = ", ".join(f"'{value}'" for value in values)
    return Column("status", Text, nullable=False), CheckConstraint(f"status IN ({allowed})", name="status")


def test_a_choice_that_gets_another_value_is_noticed(app: Flask, revise: Any, rows: Any) -> None:
    revise(lambda models: apart_invoices(*checked("draft", "sent"), models=models))
    there_and_back(app)
    rows("INSERT INTO apart_invoices (status) VALUES ('sent')")

    def change(models: MetaData) -> None:
        models.remove(models.tables["apart_invoices"])
        apart_invoices(*checked("draft", "sent", "paid"), models=models)

    _, said = revise(change)
    assert "ck_apart_invoices_status: change rows" in said
    there_and_back(app)
    rows("INSERT INTO apart_invoices (status) VALUES ('paid')")
    assert rows("SELECT count(*) FROM apart_invoices") == [(2,)]


def test_a_new_check_is_noticed(app: Flask, revise: Any) -> None:
    def change(models: MetaData) -> None:
        models.tables["users"].append_constraint(CheckConstraint("version > 0", name="version"))

    file, _ = revise(change)
    assert "ck_users_version" in file.read_text()
    there_and_back(app)


@pytest.mark.parametrize("is_new", [True, False], ids=["of a new table", "of a table that is there"])
def test_an_enum_goes_down_and_up_again(app: Flask, revise: Any, *, is_new: bool) -> None:
    column: Column[Any] = Column("status", Enum(Status, name="invoice_status"), nullable=True)
    revise(lambda models: apart_invoices(column, models=models) if is_new else add(column, models))
    there_and_back(app)


def test_an_index_of_a_table_that_is_there_is_warned_of(app: Flask, revise: Any) -> None:
    _, said = revise(lambda models: Index(None, models.tables["users"].c.version))
    assert "ix_users_version: nobody can write to users" in said
    there_and_back(app)


def test_an_index_of_a_new_table_is_not(revise: Any) -> None:
    _, said = revise(lambda models: apart_invoices(Column("place", Integer, index=True), models=models))
    assert "nobody can write" not in said


def lines_of(file: Path) -> list[str]:
    """Return what a migration does, in its order."""
    return [line.strip() for line in file.read_text().splitlines() if "_search_index(op" in line or "_table(" in line]


def search_in(models: MetaData, name: str, *columns: str) -> None:
    """Declare what a model's ``__search__`` does."""
    models.tables[name].info[SEARCHED] = columns


def test_a_search_index_comes_with_its_table_and_goes_with_it(app: Flask, revise: Any, rows: Any) -> None:
    def change(models: MetaData) -> None:
        apart_invoices(Column("note_key", Text, nullable=False), models=models)
        search_in(models, "apart_invoices", "note_key")

    file, _ = revise(change)
    assert "from carboy.models.search import create_search_index, drop_search_index" in file.read_text()
    created, indexed, unindexed, dropped = lines_of(file)
    assert created.startswith("op.create_table('apart_invoices'")
    assert indexed == "create_search_index(op, 'apart_invoices', ['note_key'])"
    assert (unindexed, dropped) == ("drop_search_index(op, 'apart_invoices')", "op.drop_table('apart_invoices')")
    there_and_back(app)
    file, _ = revise(lambda models: models.remove(models.tables["apart_invoices"]))
    assert lines_of(file)[:2] == [unindexed, dropped]
    there_and_back(app)


@pytest.mark.parametrize("columns", [("username_key",), ()], ids=["of fewer columns", "of none"])
def test_a_search_index_follows_its_model(app: Flask, revise: Any, columns: tuple[str, ...]) -> None:
    file, said = revise(lambda models: search_in(models, "users", *columns))
    assert ("nobody can write to users" in said) == bool(columns)
    all_of = "create_search_index(op, 'users', ['username_key', 'email_key', 'full_name_key'])"
    drop, some_of = "drop_search_index(op, 'users')", "create_search_index(op, 'users', ['username_key'])"
    assert lines_of(file) == ([drop, some_of, drop, all_of] if columns else [drop, all_of])
    there_and_back(app)


def test_a_search_index_without_a_migration_is_missed(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    flask_db(app, "upgrade")
    change_models(monkeypatch, lambda models: search_in(models, "users", "username_key"))
    assert "search index" in flask_db(app, "check", exit_code=1)
