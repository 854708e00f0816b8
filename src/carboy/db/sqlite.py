"""What is particular to SQLite."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, NullPool, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from carboy.config.settings import DatabaseSettings
from carboy.db import connecting
from carboy.db.sqlite_connection import AdaptedConnection, OneHopConnection

MIGRATION_TIMEOUT = 3600.0
"""Seconds to wait for another migration to end."""


def create_engines(url: URL, settings: DatabaseSettings) -> tuple[AsyncEngine, AsyncEngine, AsyncEngine]:
    """Make a reader with many connections, a writer with one, as SQLite lets only one write at a time, and a migrator.

    Writers of this process queue for that connection, first come, first served; with SQLite's lock they would poll and
    starve each other. Writers of other processes still compete for SQLite's lock.
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
        event.listen(engine.sync_engine, "connect", _do_not_wait)
        event.listen(engine.sync_engine, "begin", _begin_within(timeout))
    return reader, writer, migrator


def _create(url: URL, timeout: float, **options: Any) -> AsyncEngine:
    dialect = url.get_dialect()
    driver = dialect.import_dbapi()
    (path, *_), from_url = dialect().create_connect_args(url)
    # The driver does not manage transactions. It would begin them late, and a transaction that reads before it writes
    # fails at once if another has written in between, whatever its time-out is.
    connecting_options = {**from_url, "isolation_level": None, "timeout": timeout}

    def connect() -> AdaptedConnection:
        connection = OneHopConnection(Path(path), **connecting_options)
        opening = connecting.to_the_end(_open(connection), OneHopConnection.stop)
        return AdaptedConnection(driver, await_only(opening))

    engine = create_async_engine(
        url,
        creator=connect,
        # Errors are logged; parameters must not be.
        hide_parameters=True,
        **options,
    )
    event.listen(engine.sync_engine, "connect", configure)
    return engine


async def _open(connection: OneHopConnection) -> OneHopConnection:
    await connection
    return connection


def configure(connection: DBAPIConnection, _record: object) -> None:
    """Set up a new connection of any engine."""
    for pragma in ("synchronous=FULL", "foreign_keys=ON"):
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


def _do_not_wait(connection: DBAPIConnection, _record: object) -> None:
    # The connection itself waits for the one lock that others may hold: see `OneHopConnection`.
    _pragma(connection, "busy_timeout=0")


def _begin_within(timeout: float) -> Callable[[Connection], None]:
    def begin(connection: Connection) -> None:
        driver: Any = connection.connection.driver_connection
        driver.begin_with_next_statement(timeout)

    return begin


def commit_with_next_statement(connection: Connection) -> None:
    """Let the connection's next statement end its transaction: see `OneHopConnection`."""
    driver: Any = connection.connection.driver_connection
    driver.commit_with_next_statement()


def probe_disk(connection: Connection) -> None:
    """Check that the disk can be written to: see `OneHopConnection.probe_disk`."""
    driver: Any = connection.connection.driver_connection
    await_only(driver.probe_disk())


def create_file(url: URL) -> None:
    """Create the database's file and its folder, unless they exist.

    Raises:
        OSError: They cannot be created; its text says why.
    """
    path = Path(url.database or "")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise OSError(f"database.url: {path} cannot be made ({error.strerror}).") from None
