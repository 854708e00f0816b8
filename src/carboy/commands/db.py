"""`flask db ...`: the history of the schema, and backups."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from flask import current_app
from flask.cli import AppGroup

from carboy.db import backup, migrate
from carboy.db.histories import MigrationError
from carboy.di.wiring import current_container

db = AppGroup("db", help="Bring the database's schema up to date; back it up.")
of_kit = click.option("--kit", is_flag=True, help="Of the tables that come with Carboy, not of the application's.")


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Migrate to a revision, the newest unless one is named; the kit's own tables to their newest."""
    _migrate(migrate.upgrade, revision)


# -1 is a revision here, not an option.
@db.command("downgrade", context_settings={"ignore_unknown_options": True})
@click.argument("revision")
@of_kit
def downgrade(revision: str, *, kit: bool) -> None:
    """Migrate back to a revision; -1 is the one before."""
    _migrate(migrate.downgrade_kit if kit else migrate.downgrade, revision)


@db.command("current")
def show_current() -> None:
    """Print the revisions that the database is at."""
    _migrate(migrate.current)


@db.command("heads")
def show_heads() -> None:
    """Print the newest revisions; fail if a history has two, and name the command that joins them."""
    _without_database(migrate.heads)


@db.command("history")
def show_history() -> None:
    """Print the application's revisions, the newest first."""
    _without_database(migrate.show_history)


@db.command("check")
def check() -> None:
    """Fail if the models have changed and no migration says so."""
    _migrate(migrate.check)


@db.command("revision")
@click.argument("message")
@click.option("--rename", multiple=True, metavar="TABLE.OLD=NEW", help="This column has a new name; repeatable.")
@of_kit
def revise(message: str, rename: tuple[str, ...], *, kit: bool) -> None:
    """Write a migration for what has changed in the models since the newest one."""
    _migrate(migrate.revision_of_kit if kit else migrate.revision, message, renames=rename)


@db.command("merge")
@click.argument("message", default="merge heads")
@of_kit
def merge(message: str, *, kit: bool) -> None:
    """Write a migration that joins two heads, as when two branches with one each have been merged."""
    _without_database(migrate.merge_kit if kit else migrate.merge, message)


@db.command("sql")
@click.argument("revisions", default="head", metavar="[FROM:TO]")
@click.option("--dialect", type=click.Choice(["postgresql", "sqlite"]), help="Unless it is the configured database's.")
def show_sql(revisions: str, dialect: str | None) -> None:
    """Print the statements of an upgrade, of all revisions or a range; no database is asked."""
    _without_database(
        migrate.show_sql, revisions, dialect=dialect or current_container().engines().migrator.dialect.name
    )


@db.command("backup")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def back_up(file: Path) -> None:
    """Copy the database, which may be in use, to a new FILE."""
    _copy(backup.back_up, file)


@db.command("restore")
@click.argument("file", type=click.Path(dir_okay=False, exists=True, path_type=Path))
def restore(file: Path) -> None:
    """Copy a backup from FILE into a database that is empty, or on SQLite not there."""
    _copy(backup.restore, file)


def _copy(copy: Callable[[str, Path, backup.Tell], None], file: Path) -> None:
    url = current_container().settings().database.url.get_secret_value()
    try:
        copy(url, file, lambda progress: click.echo(progress, err=True))
    except backup.BackupError as error:
        raise click.ClickException(str(error)) from error


def _migrate(command: migrate.Command, *args: str, **attributes: Any) -> None:
    with _told():
        run: Callable[..., None] = current_app.async_to_sync(migrate.run)
        run(current_container().engines(), current_app.import_name, command, *args, **attributes)


def _without_database(command: migrate.Command, *args: str, **attributes: Any) -> None:
    with _told():
        migrate.run_offline(current_app.import_name, command, *args, **attributes)


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except MigrationError as error:
        raise click.ClickException(str(error)) from error
