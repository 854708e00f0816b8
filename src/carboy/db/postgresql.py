"""What is particular to PostgreSQL."""

from collections.abc import Mapping
from hashlib import sha256
from time import monotonic
from typing import Any, cast

from sqlalchemy import URL, BigInteger, NullPool, bindparam, event, func, select, text
from sqlalchemy.dialects.postgresql.asyncpg import AsyncAdapt_asyncpg_connection
from sqlalchemy.engine import Dialect
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from carboy.config.settings import DatabaseSettings
from carboy.db import connecting
from carboy.errors import DatabaseUnavailableError

SHARE_AFTER_SILENCE = 0.2
"""The share of the connect time-out that is used while the server is known not to answer."""

TRY_LOCK = select(func.pg_try_advisory_xact_lock(bindparam("number", type_=BigInteger)))
"""Tries to take the lock with this number until the end of the transaction, and returns whether it did."""

REFUSE_IF_READ_ONLY = text(
    "DO $$ BEGIN"
    " IF current_setting('transaction_read_only')::boolean THEN RAISE read_only_sql_transaction; END IF;"
    " END $$"
)
"""Fails as a write would on a read-only server. It needs no rights, no lock and no disk."""

FILL_A_LITTLE = text(
    "CREATE TEMPORARY TABLE carboy_probe ON COMMIT DROP AS"
    " SELECT repeat('x', 1000) AS filling FROM generate_series(1, 64)"
)
"""Takes 72 KiB where the tables of this database are, and gives them back. It needs the right to make such tables."""


def lock_number(name: str) -> int:
    """Return the number of a lock, a signed 64-bit hash of its name; a collision is possible but most unlikely."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)


def create_engines(
    url: URL, arguments: Mapping[str, Any], settings: DatabaseSettings
) -> tuple[AsyncEngine, AsyncEngine, AsyncEngine]:
    """Make a reader and a writer that share one pool, because PostgreSQL's connections are scarce, and a migrator.

    Args:
        url: The URL, without arguments.
        arguments: Arguments for asyncpg's connect; ``timeout`` replaces the setting ``acquire_timeout``.
        settings: The settings of the database.
    """
    timeout = arguments.get("timeout", settings.acquire_timeout)
    arguments = {name: value for name, value in arguments.items() if name != "timeout"}
    writer = create_async_engine(
        url,
        # Errors are logged; parameters must not be.
        hide_parameters=True,
        connect_args={**arguments, "command_timeout": settings.statement_timeout},
        pool_size=settings.pool_size,
        max_overflow=0,
        pool_timeout=settings.acquire_timeout,
        # The most recently used connection comes first, so that the server can close those that a pool does not need.
        pool_use_lifo=True,
        skip_autocommit_rollback=True,
    )
    migrator = create_async_engine(url, connect_args=arguments, poolclass=NullPool)
    connect = _Connect(timeout)
    for engine in (writer, migrator):
        event.listen(engine.sync_engine, "do_connect", connect)
        engine.sync_engine.dialect.do_terminate = _terminate  # type: ignore[assignment, method-assign]
    return writer.execution_options(isolation_level="AUTOCOMMIT"), writer, migrator


def _terminate(connection: DBAPIConnection) -> None:
    """Close a broken connection without waiting for it.

    SQLAlchemy cancels the running statement first. If the server does not answer, that takes two seconds more, after
    the statement's own time-out.
    """
    terminate = cast("AsyncAdapt_asyncpg_connection", connection).terminate
    if in_greenlet():
        connecting.in_background(greenlet_spawn(terminate))
    else:
        # Called when the loop ends, or by garbage collection.
        terminate()


class _Connect:
    """Opens connections with a time-out, and raises `DatabaseUnavailableError` if one cannot be opened.

    Shortly after the server has not answered, the time-out is shorter: callers that have waited for a free connection
    have little time left.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._silent_until = 0.0

    def __call__(
        self, dialect: Dialect, _record: object, args: tuple[Any, ...], options: dict[str, Any]
    ) -> DBAPIConnection:
        timeout = self._timeout if monotonic() > self._silent_until else self._timeout * SHARE_AFTER_SILENCE
        try:
            opening = greenlet_spawn(dialect.connect, *args, **options, timeout=timeout)
            return await_only(connecting.to_the_end(opening, dialect.do_terminate))
        except TimeoutError as error:
            self._silent_until = monotonic() + self._timeout
            raise DatabaseUnavailableError from error
        except (OSError, dialect.loaded_dbapi.Error) as error:
            # The driver raises the socket's own errors, which later code could not tell from a bug.
            # A wrong database name or password may be corrected soon; clients get the same answer.
            raise DatabaseUnavailableError from error
