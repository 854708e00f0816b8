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
"""The part of the time for connecting that is left to the next one after a server that did not answer."""

TRY_LOCK = select(func.pg_try_advisory_xact_lock(bindparam("number", type_=BigInteger)))
"""Says whether it took the lock with this number, which ends with the transaction."""

REFUSE_IF_READ_ONLY = text(
    "DO $$ BEGIN"
    " IF current_setting('transaction_read_only')::boolean THEN RAISE read_only_sql_transaction; END IF;"
    " END $$"
)
"""Fails as a write would on a standby, or where writing is switched off. It needs no rights, no lock and no disk."""


def lock_number(name: str) -> int:
    """Return the number of a lock, 64 bits with a sign; by chance two names could share one, as good as never."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], signed=True)


def create_engines(
    url: URL, arguments: Mapping[str, Any], settings: DatabaseSettings
) -> tuple[AsyncEngine, AsyncEngine, AsyncEngine]:
    """Make a reader and a writer that share one pool, as connections are what PostgreSQL has few of; and a migrator.

    Args:
        url: The URL, without arguments.
        arguments: What asyncpg is told to connect; ``timeout`` stands in for the settings' ``acquire_timeout``.
        settings: Those of the database.
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
        # The first free connection is the one used last, so that a pool that is too large shrinks at the server.
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
    """Close a broken connection without making anybody wait.

    What runs on it is cancelled first. A server that is silent would hold that up for the two seconds that SQLAlchemy
    gives it, after all those that the statement had.
    """
    terminate = cast("AsyncAdapt_asyncpg_connection", connection).terminate
    if in_greenlet():
        connecting.in_background(greenlet_spawn(terminate))
    else:
        # The loop ends, or the garbage is collected.
        terminate()


class _Connect:
    """Opens connections in time, and says that the database is unavailable when one cannot be opened.

    Who has waited for another's connection has little time left. So as long as it is fresh news that the server does
    not answer, it is given only a moment.
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
            # The driver passes on what the socket says, which nothing after this could tell from a fault of its own.
            # A wrong database or password may be right soon; the client is told the same.
            raise DatabaseUnavailableError from error
