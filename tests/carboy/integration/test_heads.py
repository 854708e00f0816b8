"""Files of migrations never collide, and two heads are joined by a command that every other one names."""

from functools import partial
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Column, MetaData, Text
from support.migrating import change_models, flask_db, newest, write_revision

LONG = "add a column for the name that somebody is"
PARENT = newest()


@pytest.fixture
def database_url(empty_url: str) -> str:
    return empty_url


@pytest.fixture
def two_heads(migrations: Path) -> Path:
    """Two branches, each with a migration, have been merged."""
    table = "op.create_table({0!r}, sa.Column('id', sa.Integer(), primary_key=True))"
    for name in ("aaaa", "bbbb"):
        write_revision(migrations, name, PARENT, table.format(name), f"op.drop_table({name!r})")
    return migrations


@pytest.mark.parametrize("messages", [("add nick", "add nick"), (f"{LONG} called by", f"{LONG} known by")])
def test_two_migrations_of_one_day_with_one_message_are_two_files(
    app: Flask, migrations: Path, monkeypatch: pytest.MonkeyPatch, messages: tuple[str, str]
) -> None:
    def add(name: str, models: MetaData) -> None:
        models.tables["users"].append_column(Column(name, Text, nullable=True))

    before = set(migrations.glob("*.py"))
    for message, column in zip(messages, ("nick", "other"), strict=True):
        flask_db(app, "upgrade")
        change_models(monkeypatch, partial(add, column))
        flask_db(app, "revision", message)
    new = set(migrations.glob("*.py")) - before
    assert len(new) == 2
    flask_db(app, "upgrade")
    flask_db(app, "check")
    flask_db(app, "downgrade", "-2")
    flask_db(app, "upgrade")
    assert all(file.name.split("_")[1] in flask_db(app, "history") for file in new)


@pytest.mark.parametrize("command", [("upgrade",), ("check",), ("heads",), ("revision", "x"), ("sql",)])
def test_two_heads_are_told_with_the_command_that_joins_them(
    app: Flask, two_heads: Path, command: tuple[str, ...]
) -> None:
    said = flask_db(app, *command, exit_code=1)
    assert "There are 2 heads" in said
    assert "aaaa (20261128_aaaa_by_hand.py) and bbbb (20261128_bbbb_by_hand.py)" in said
    assert "flask db merge" in said


@pytest.mark.parametrize("applied", [PARENT, "aaaa", "heads"])
def test_two_heads_are_joined_whatever_has_been_applied(app: Flask, two_heads: Path, applied: str) -> None:
    if applied == PARENT:
        for file in two_heads.glob("20261128*"):
            file.rename(file.with_suffix(".txt"))
        flask_db(app, "upgrade")
        for file in two_heads.glob("20261128*"):
            file.rename(file.with_suffix(".py"))
    elif applied == "heads":
        flask_db(app, "upgrade", "heads")
    said = flask_db(app, "merge", "join both")
    assert "_join_both.py" in said
    flask_db(app, "upgrade")
    assert flask_db(app, "current").count("(head)") == 2
    assert "(mergepoint)" in flask_db(app, "history")
    flask_db(app, "downgrade", PARENT)
    flask_db(app, "upgrade")


def test_one_head_is_not_joined(app: Flask, migrations: Path) -> None:
    before = set(migrations.glob("*.py"))
    assert "There is one head" in flask_db(app, "merge", exit_code=1)
    assert "There is one head" in flask_db(app, "merge", "--kit", exit_code=1)
    assert set(migrations.glob("*.py")) == before
    assert flask_db(app, "heads").count("(head)") == 2


@pytest.mark.parametrize("command", ["upgrade", "heads", "history", "merge"])
def test_a_missing_file_is_told_in_a_sentence(app: Flask, migrations: Path, command: str) -> None:
    write_revision(migrations, "aaaa", "gone")
    said = flask_db(app, command, exit_code=1)
    assert said.startswith(f"Error: The files in {migrations} are no history: ")
    assert "gone" in said


def test_a_revision_that_is_there_twice_is_told_in_a_sentence(app: Flask, migrations: Path) -> None:
    file = write_revision(migrations, "aaaa", PARENT)
    file.with_name("copy.py").write_text(file.read_text())
    assert "aaaa is present more than once" in flask_db(app, "upgrade", exit_code=1)
