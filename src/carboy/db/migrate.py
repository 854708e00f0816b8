"""Runs Alembic under a lock, so that one process migrates at a time.

A database has two histories, each in a table of its own: the kit's, of the tables that come with it, and the
application's. So an upgrade of the kit may bring a table, and no revision of either refers to one of the other.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import NamedTuple

from alembic import command as alembic
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Table, event, inspect, text
from sqlalchemy.exc import DBAPIError

from carboy.db import sqlite
from carboy.db.engines import Engines
from carboy.errors import CarboyError
from carboy.models import Base, search

SCRIPTS = Path(__file__).with_name("alembic")
KIT = "carboy"
LOCK = 0x43_61_72_62_6F_79
"""The advisory lock that migrations take on PostgreSQL: "Carboy" in ASCII."""


class Histories(NamedTuple):
    """What Alembic is to know of each."""

    kit: Config
    app: Config


Command = Callable[..., None]
"""One of this module: it takes the histories, and text."""


class MigrationError(Exception):
    """A migration command could not do what it was asked for; nothing of it remains."""


async def run(engines: Engines, package: str, command: Command, *args: str) -> None:
    """Run a command of this module in one transaction on the database, then close all connections.

    Args:
        engines: Those of the database.
        package: The application's, which holds its revisions in ``migrations`` and its tables in modules ``models``.
        command: The command.
        *args: What it takes besides the histories.

    Raises:
        MigrationError: The revision does not exist, the database cannot be reached, or its schema is not as expected.
    """
    try:
        if engines.migrator.dialect.name == "sqlite":
            sqlite.create_file(engines.migrator.url)
        async with engines.migrator.begin() as connection:
            await connection.run_sync(_lock)
            await connection.run_sync(_run, package, command, *args)
            await connection.run_sync(_check_foreign_keys)
    except (CommandError, DBAPIError, CarboyError, OSError) as error:
        raise MigrationError(f"{error} ({error.__cause__})" if error.__cause__ else str(error)) from error
    finally:
        await engines.dispose()


def _run(connection: Connection, package: str, command: Command, *args: str) -> None:
    histories = _histories(connection, package)
    if connection.dialect.name != "sqlite":
        command(histories, *args)
        return
    # To change a table of SQLite, Alembic copies it, and overlooks what keeps ids of deleted rows from coming again.
    given_out = _ids_given_out(connection)
    event.listen(Table, "before_create", _keep_autoincrement)
    try:
        command(histories, *args)
    finally:
        event.remove(Table, "before_create", _keep_autoincrement)
    _keep_ids_given_out(connection, given_out)
    search.restore_triggers(connection)


def upgrade(histories: Histories, revision: str) -> None:
    """Bring the kit's tables to their newest revision, and the application's to the one named."""
    alembic.upgrade(histories.kit, "head")
    alembic.upgrade(histories.app, revision)


def downgrade(histories: Histories, revision: str) -> None:
    """Bring the application's tables back to a revision."""
    alembic.downgrade(histories.app, revision)


def downgrade_kit(histories: Histories, revision: str) -> None:
    """Bring the kit's tables back to a revision, before an older version of it is installed."""
    alembic.downgrade(histories.kit, revision)


def current(histories: Histories) -> None:
    for history in histories:
        alembic.current(history)


def check(histories: Histories) -> None:
    for history in histories:
        alembic.check(history)


def revision(histories: Histories, message: str) -> None:
    alembic.revision(histories.app, message, autogenerate=True)


def revision_of_kit(histories: Histories, message: str) -> None:
    alembic.revision(histories.kit, message, autogenerate=True)


def _histories(connection: Connection, package: str) -> Histories:
    for name in (KIT, package):
        _import_models(name)
    kits = {table.name for table in tables_of(KIT)}
    others = {*kits, "carboy_version", *search.search_tables(connection)}
    # What is in the database and in no model was the application's.
    return Histories(
        _history(connection, KIT, "carboy_version", kits.__contains__),
        _history(connection, package, "alembic_version", lambda table: table not in others),
    )


def _history(connection: Connection, package: str, version_table: str, owns: Callable[[str], bool]) -> Config:
    # Alembic's own default is what stdout was when it was imported.
    config = Config(stdout=sys.stdout)
    config.set_main_option("script_location", str(SCRIPTS))
    config.set_main_option("version_locations", str(folder_of(package)))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("file_template", "%%(year)d%%(month).2d%%(day).2d_%%(slug)s")
    config.attributes |= {"connection": connection, "version_table": version_table, "owns": owns}
    return config


def folder_of(package: str) -> Path:
    """Return where the revisions of a package stand."""
    return Path(import_module(package).__path__[0]) / "migrations"


def tables_of(package: str) -> list[Table]:
    """Return the tables that the models of a package have declared."""
    mappers = [mapper for mapper in Base.registry.mappers if mapper.class_.__module__.partition(".")[0] == package]
    return [table for mapper in mappers for table in mapper.tables if isinstance(table, Table)]


def _import_models(package: str) -> None:
    """Import each ``models`` of a package: a table that nothing uses yet has to be known too."""
    for module in walk_packages(import_module(package).__path__, f"{package}."):
        if "models" in module.name.split("."):
            import_module(module.name)


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
