"""Runs Alembic under a lock, so that one process migrates at a time.

Each command takes both histories of a database, see `carboy.db.histories`, and its own arguments.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from alembic import command as alembic
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from carboy.db import sqlite, sqlite_tables
from carboy.db.engines import Engines
from carboy.db.histories import Histories, MigrationError, heads_of, histories_of, require_one_head
from carboy.errors import CarboyError
from carboy.models import search

LOCK = 0x43_61_72_62_6F_79
"""The advisory lock that migrations take on PostgreSQL: "Carboy" in ASCII."""
LOCK_PAUSE_SECONDS = 0.1
ALEMBIC_BEHIND = "Target database is not up to date."
BEHIND = "The database is not up to date: run flask db upgrade first."

Command = Callable[..., None]
"""A command of this module: it takes the histories, and text."""


async def run(engines: Engines, package: str, command: Command, *args: Any, **attributes: Any) -> None:
    """Run a command of this module in one transaction on the database, then close all connections.

    On PostgreSQL, a revision's ``autocommit_block`` ends that transaction before the block and begins another after it.

    Args:
        engines: The engines of the database.
        package: The application's, as for `histories_of`.
        command: The command.
        *args: Its arguments after the histories.
        **attributes: Further attributes for Alembic's environment.

    Raises:
        MigrationError: The revision does not exist, the database cannot be reached, or its schema is not as expected.
    """
    try:
        if engines.migrator.dialect.name == "sqlite":
            sqlite.create_file(engines.migrator.url)
        async with _alone(engines), engines.migrator.connect() as connection:
            # SQLite's BEGIN IMMEDIATE locks out other writers. It is sent with the first statement.
            await connection.execute(text("SELECT 1"))
            await connection.run_sync(_run, package, command, *args, **attributes)
            await connection.run_sync(sqlite_tables.check_foreign_keys)
            await connection.commit()
    except (CommandError, DBAPIError, CarboyError, OSError) as error:
        said = str(error).replace(ALEMBIC_BEHIND, BEHIND)
        raise MigrationError(f"{said} ({error.__cause__})" if error.__cause__ else said) from error
    finally:
        await engines.dispose()


def run_offline(package: str, command: Command, *args: Any, **attributes: Any) -> None:
    """Run a command of this module that needs no database.

    Raises:
        MigrationError: The revision does not exist, or the files of a history do not fit each other.
    """
    try:
        command(histories_of(package, **attributes), *args)
    except CommandError as error:
        raise MigrationError(str(error)) from error


@asynccontextmanager
async def _alone(engines: Engines) -> AsyncIterator[None]:
    """Hold PostgreSQL's lock, on a separate connection, because the migration's may end its transaction before."""
    if engines.migrator.dialect.name == "sqlite":
        yield
        return
    async with engines.migrator.connect() as connection:
        # Polled, because CREATE INDEX CONCURRENTLY waits for all statements that began before it, including one that
        # would wait for this lock.
        while not await connection.scalar(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": LOCK}):
            await connection.rollback()
            await asyncio.sleep(LOCK_PAUSE_SECONDS)
        await connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
        yield


def _run(connection: Connection, package: str, command: Command, *args: Any, **attributes: Any) -> None:
    histories = histories_of(package, connection, **attributes)
    if connection.dialect.name != "sqlite":
        command(histories, *args)
        return
    with sqlite_tables.ids_kept(connection):
        command(histories, *args)
    search.restore_triggers(connection)


def upgrade(histories: Histories, revision: str) -> None:
    """Bring the kit's tables to their newest revision, and the application's to the one named."""
    for history in histories:
        if revision != "heads":
            require_one_head(history)
    alembic.upgrade(histories.kit, "heads")
    alembic.upgrade(histories.app, revision)


def downgrade(histories: Histories, revision: str) -> None:
    """Bring the application's tables back to a revision."""
    heads_of(histories.app)
    alembic.downgrade(histories.app, revision)


def downgrade_kit(histories: Histories, revision: str) -> None:
    """Bring the kit's tables back to a revision, before an older version of it is installed."""
    alembic.downgrade(histories.kit, revision)


def current(histories: Histories) -> None:
    for history in histories:
        alembic.current(history)


def heads(histories: Histories) -> None:
    """Print the newest revision of each history, and how to join two of one."""
    for history in histories:
        heads_of(history)
        alembic.heads(history)
    for history in histories:
        require_one_head(history)


def show_history(histories: Histories) -> None:
    """Print all revisions of the application, the newest first."""
    heads_of(histories.app)
    alembic.history(histories.app)


def check(histories: Histories) -> None:
    for history in histories:
        require_one_head(history)
    for history in histories:
        alembic.check(history)


def merge(histories: Histories, message: str) -> None:
    _merge(histories.app, message)


def merge_kit(histories: Histories, message: str) -> None:
    _merge(histories.kit, message)


def _merge(history: Config, message: str) -> None:
    if len(heads_of(history)) == 1:
        raise MigrationError("There is one head: there is nothing to join.")
    alembic.merge(history, "heads", message=message)


def revision(histories: Histories, message: str) -> None:
    _revise(histories.app, message)


def revision_of_kit(histories: Histories, message: str) -> None:
    _revise(histories.kit, message)


def _revise(history: Config, message: str) -> None:
    require_one_head(history)
    alembic.revision(history, message, autogenerate=True)
    for note in history.attributes["notes"]:
        history.print_stdout("%s", f"\n{note}")


def show_sql(histories: Histories, revisions: str) -> None:
    """Print the statements of an upgrade: of both histories from the start, or of a range ``from:to`` of one."""
    if ":" not in revisions:
        alembic.upgrade(histories.kit, "heads", sql=True)
    require_one_head(histories.app)
    alembic.upgrade(histories.app, revisions, sql=True)
