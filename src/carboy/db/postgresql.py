"""What is particular to PostgreSQL."""

from typing import Any

from sqlalchemy import URL, event
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from carboy.errors import DatabaseUnavailableError
from carboy.settings import DatabaseSettings


def create_engines(url: URL, settings: DatabaseSettings) -> tuple[AsyncEngine, AsyncEngine]:
    """Make a reader and a writer that share one pool, as connections are what PostgreSQL has few of."""
    writer = create_async_engine(
        url,
        connect_args={"timeout": settings.acquire_timeout, "command_timeout": settings.statement_timeout},
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.acquire_timeout,
        # The first free connection is the one used last, so that a pool that is too large shrinks at the server.
        pool_use_lifo=True,
        skip_autocommit_rollback=True,
    )
    event.listen(writer.sync_engine, "do_connect", _connect)
    return writer.execution_options(isolation_level="AUTOCOMMIT"), writer


def _connect(dialect: Dialect, _record: object, args: tuple[Any, ...], options: dict[str, Any]) -> DBAPIConnection:
    try:
        return dialect.connect(*args, **options)
    except OSError as error:  # TimeoutError is one too.
        # The driver passes on what the socket says, which nothing after this could tell from a fault of its own.
        raise DatabaseUnavailableError from error
