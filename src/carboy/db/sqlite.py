"""What is particular to SQLite."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from sqlalchemy import URL, Connection, NullPool, event
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from carboy.db import connecting
from carboy.db.failures import PRIMARY_CODE
from carboy.settings import DatabaseSettings

POLLING_MILLISECONDS = 5
"""How long SQLite itself waits for the lock of another process, before it is asked again."""
MIGRATION_TIMEOUT = 3600.0
"""Seconds to wait for another migration to end."""


def create_engines(url: URL, settings: DatabaseSettings) -> tuple[AsyncEngine, AsyncEngine, AsyncEngine]:
    """Make a reader with many connections, a writer with one, as SQLite lets only one write at a time, and a migrator.

    Writers of this process queue for that connection in the order of their coming, where SQLite's own lock would have
    them poll and starve each other. Those of other processes still meet at SQLite's lock.
    """
    pool = {"max_overflow": 0, "pool_timeout": settings.acquire_timeout}
    reader = _create(
        url,
        settings.statement_timeout,
        pool_size=settings.pool_size,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        **pool,
    )
    writer = _create(url, settings.statement_timeout, pool_size=1, **pool)
    migrator = _create(url, MIGRATION_TIMEOUT, poolclass=NullPool)
    event.listen(reader.sync_engine, "connect", _forbid_writes)
    event.listen(migrator.sync_engine, "connect", _ignore_foreign_keys)
    for engine, timeout in ((writer, settings.statement_timeout), (migrator, MIGRATION_TIMEOUT)):
        event.listen(engine.sync_engine, "connect", _poll_often)
        event.listen(engine.sync_engine, "begin", _begin_within(timeout))
    return reader, writer, migrator


def _create(url: URL, timeout: float, **options: Any) -> AsyncEngine:
    engine = create_async_engine(
        url,
        # With None, the driver leaves transactions to us. It would begin them late, and a transaction that has read
        # before it writes fails at once when another has written between, whatever its time-out is.
        connect_args={"isolation_level": None, "timeout": timeout},
        # Errors are logged, and what people have sent is not for the log.
        hide_parameters=True,
        **options,
    )
    event.listen(engine.sync_engine, "do_connect", _connect)
    event.listen(engine.sync_engine, "connect", _configure)
    event.listen(engine.sync_engine, "checkout", _check_file)
    event.listen(engine.sync_engine, "invalidate", _roll_back)
    return engine


def _connect(dialect: Dialect, record: ConnectionPoolEntry, args: Any, options: dict[str, Any]) -> DBAPIConnection:
    path = Path(args[0])
    # A file that is not there must not be made: an empty database would look like one that has lost its data.
    connection = connecting.connect(dialect, (f"{path.as_uri()}?mode=rw", *args[1:]), options | {"uri": True})
    record.info.update(path=path, file=_identity(path))
    return connection


def _check_file(_connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
    # What is written to a file that was removed or replaced while it was open is lost without an error.
    if _identity(record.info["path"]) != record.info["file"]:
        raise DisconnectionError("The database file is not the one that was opened.")


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _roll_back(connection: DBAPIConnection, _record: object, _error: object) -> None:
    # Closing would not end the transaction while somebody holds a cursor, be it in the traceback of a cancelled task,
    # and nobody else could write.
    with suppress(Exception):
        connection.rollback()


def _configure(connection: DBAPIConnection, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        _pragma(connection, pragma)


def _forbid_writes(connection: DBAPIConnection, _record: object) -> None:
    _pragma(connection, "query_only=ON")


def _ignore_foreign_keys(connection: DBAPIConnection, _record: object) -> None:
    # Alembic changes a table by copying it and dropping the old one, which would delete the rows that refer to it.
    _pragma(connection, "foreign_keys=OFF")


def _pragma(connection: DBAPIConnection, pragma: str) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _poll_often(connection: DBAPIConnection, _record: object) -> None:
    _pragma(connection, f"busy_timeout={POLLING_MILLISECONDS}")


def _begin_within(timeout: float) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        # SQLite asks ever more rarely for a lock, ten times a second in the end, while a process with much to write
        # gives it up for less than a millisecond: the others would starve.
        deadline = monotonic() + timeout
        cursor = connection.connection.cursor()
        while monotonic() < deadline:
            try:
                cursor.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & PRIMARY_CODE != sqlite3.SQLITE_BUSY:
                    break
            else:
                cursor.close()
                return
        # Once more in the way that tells the rest of the application what is wrong.
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return begin


def create_file(url: URL) -> None:
    """Make the file of the database, and the folder that it goes to, unless they are there."""
    if url.database:
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
