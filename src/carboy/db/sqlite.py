"""What is particular to SQLite."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from carboy.settings import DatabaseSettings


def create_engines(url: URL, settings: DatabaseSettings) -> tuple[AsyncEngine, AsyncEngine]:
    """Make a reader with many connections and a writer with one, as SQLite lets only one write at a time.

    Writers of this process queue for that connection in the order of their coming, where SQLite's own lock would have
    them poll and starve each other. Those of other processes still meet at SQLite's lock.
    """
    reader = _create(
        url, settings, pool_size=settings.pool_size, isolation_level="AUTOCOMMIT", skip_autocommit_rollback=True
    )
    writer = _create(url, settings, pool_size=1)
    event.listen(reader.sync_engine, "connect", _forbid_writes)
    event.listen(writer.sync_engine, "begin", _begin)
    return reader, writer


def _create(url: URL, settings: DatabaseSettings, **options: Any) -> AsyncEngine:
    engine = create_async_engine(
        url,
        # With None, the driver leaves transactions to us. It would begin them late, and a transaction that has read
        # before it writes fails at once when another has written between, whatever its time-out is.
        connect_args={"isolation_level": None, "timeout": settings.statement_timeout},
        max_overflow=0,
        pool_timeout=settings.acquire_timeout,
        **options,
    )
    event.listen(engine.sync_engine, "connect", _configure)
    return engine


def _configure(connection: DBAPIConnection, _record: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        _pragma(connection, pragma)


def _forbid_writes(connection: DBAPIConnection, _record: object) -> None:
    _pragma(connection, "query_only=ON")


def _pragma(connection: DBAPIConnection, pragma: str) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def create_folder(url: URL) -> None:
    """Make the folder that the database file goes to."""
    if url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
