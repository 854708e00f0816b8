"""Runs Alembic on the application's own engine, one migration at a time whoever else tries."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Table, event, inspect, text
from sqlalchemy.exc import DBAPIError

from carboy.db import sqlite
from carboy.db.engines import Engines
from carboy.errors import CarboyError

FOLDER = Path(__file__).with_name("migrations")
LOCK = 0x43_61_72_62_6F_79
"""The advisory lock that migrations take on PostgreSQL: "Carboy" in ASCII."""

Command = Callable[..., Any]


class MigrationError(Exception):
    """A migration command could not do what it was asked for; nothing of it remains."""


async def run(engines: Engines, alembic_command: Command, *args: str) -> None:
    """Run a command of this module in one transaction on the database, then close all connections.

    Raises:
        MigrationError: The revision does not exist, the database cannot be reached, or its schema is not as expected.
    """
    try:
        if engines.migrator.dialect.name == "sqlite":
            sqlite.create_file(engines.migrator.url)
        async with engines.migrator.begin() as connection:
            await connection.run_sync(_lock)
            await connection.run_sync(_run, alembic_command, *args)
            await connection.run_sync(_check_foreign_keys)
    except (CommandError, DBAPIError, CarboyError, OSError) as error:
        raise MigrationError(f"{error} ({error.__cause__})" if error.__cause__ else str(error)) from error
    finally:
        await engines.dispose()


def _run(connection: Connection, alembic_command: Command, *args: str) -> None:
    if connection.dialect.name != "sqlite":
        alembic_command(_config(connection), *args)
        return
    # To change a table of SQLite, Alembic copies it, and overlooks what keeps ids of deleted rows from coming again.
    given_out = _ids_given_out(connection)
    event.listen(Table, "before_create", _keep_autoincrement)
    try:
        alembic_command(_config(connection), *args)
    finally:
        event.remove(Table, "before_create", _keep_autoincrement)
    _keep_ids_given_out(connection, given_out)


def upgrade(config: Config, revision: str) -> None:
    command.upgrade(config, revision)


def downgrade(config: Config, revision: str) -> None:
    command.downgrade(config, revision)


def current(config: Config) -> None:
    command.current(config)


def check(config: Config) -> None:
    command.check(config)


def revision(config: Config, message: str) -> None:
    command.revision(config, message, autogenerate=True)


def _config(connection: Connection) -> Config:
    # Alembic's own default is what stdout was when it was imported.
    config = Config(stdout=sys.stdout)
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(slug)s")
    config.attributes["connection"] = connection
    return config


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    else:
        # SQLite's BEGIN IMMEDIATE locks out other writers, and it goes with the first statement, whichever that is.
        connection.execute(text("SELECT 1"))


def _check_foreign_keys(connection: Connection) -> None:
    # On SQLite they are off during a migration.
    if connection.dialect.name == "sqlite":
        broken = {row.table for row in connection.execute(text("PRAGMA foreign_key_check"))}
        if broken:
            raise MigrationError(f"Rows refer to others that are not there, in {', '.join(sorted(broken))}.")


def _keep_autoincrement(table: Table, _connection: Connection, **_options: object) -> None:
    table.dialect_options["sqlite"]["autoincrement"] = True


def _ids_given_out(connection: Connection) -> dict[str, int]:
    """Return the highest id that each table of SQLite has ever given out."""
    if not inspect(connection).has_table("sqlite_sequence"):
        return {}
    return {row.name: row.seq for row in connection.execute(text("SELECT name, seq FROM sqlite_sequence"))}


def _keep_ids_given_out(connection: Connection, before: dict[str, int]) -> None:
    after = _ids_given_out(connection)
    for name in before.keys() & set(inspect(connection).get_table_names()):
        parameters = {"name": name, "seq": max(before[name], after.get(name, 0))}
        connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), parameters)
        connection.execute(text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), parameters)
