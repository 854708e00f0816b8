"""Maps driver errors to Carboy's errors."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from carboy.errors import CarboyError, DatabaseBusyError, DatabaseUnavailableError


class TransactionConflictError(DatabaseBusyError):
    """The transaction was rolled back because of a concurrent one. A retry may succeed."""


class ConnectionLostError(DatabaseUnavailableError):
    """The connection is unusable, as after a restart of the server or a failover. A new one may work."""


# PostgreSQL's codes or their first characters, see its appendix "Error Codes".
CONFLICTS = ("40001", "40P01")
"""serialization_failure, deadlock_detected"""
BUSY = ("55P03", "57014")
"""lock_not_available, query_canceled"""
LOST = ("08", "25006", "25P03", "25P04", "26000", "42P05", "57P")
"""Connection exceptions; read_only_sql_transaction: the server has become a standby, and its connections stay open;
time-outs after which the server closes a connection within a transaction; unknown or duplicate prepared statements,
behind a pooler that has switched servers; operator intervention."""
INTERNAL, TYPE_IS_GONE = "XX000", "cache lookup failed for type"
"""A migration has replaced a type that prepared statements use, on all connections."""
SPOILT = ("25P01", "25P02", "57014")
"""no_active_sql_transaction, in_failed_sql_transaction, query_canceled: driver and server may disagree on whether a
transaction is open. If BEGIN was cancelled, each later transaction on that connection fails."""
UNAVAILABLE = ("53", "58")
"""Insufficient resources, such as a full disk; system errors, such as an I/O error."""
DISK_FULL = "53100"

# SQLite's primary result codes, see https://sqlite.org/rescode.html.
SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL})
SQLITE_LOST = frozenset({sqlite3.SQLITE_READONLY})
"""A file that was opened while its disk was read-only stays read-only for that connection."""
SQLITE_SPOILT = frozenset({sqlite3.SQLITE_IOERR})
SQLITE_UNAVAILABLE = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PERM}
)
PRIMARY_CODE = 0xFF
"""The lowest byte of an extended result code is the primary one."""


def translate(error: BaseException) -> CarboyError | None:  # noqa: PLR0911 - a table of meanings.
    """Return what a failed statement means: a conflict, a busy or an unreachable database; None for anything else."""
    if isinstance(error, TimeoutError):
        # asyncpg raises it when a statement takes longer than command_timeout.
        return DatabaseBusyError()
    if not isinstance(error, DBAPIError):
        return None
    state, result = _codes(error)
    if state.startswith(CONFLICTS):
        return TransactionConflictError()
    if type(error.orig).__name__ == "InvalidCachedStatementError":
        # A migration has changed a type. SQLAlchemy prepares its statements again after this error.
        return TransactionConflictError()
    if state.startswith(BUSY) or result in SQLITE_BUSY:
        return DatabaseBusyError()
    if state.startswith(UNAVAILABLE) or result in SQLITE_UNAVAILABLE:
        return DatabaseUnavailableError()
    if is_lost(error) or error.connection_invalidated:
        return ConnectionLostError()
    return None


def is_lost(error: BaseException | None) -> bool:
    """Tell whether an error means that no connection to this server is usable any more."""
    state, result = _codes(error)
    return state.startswith(LOST) or result in SQLITE_LOST or (state == INTERNAL and TYPE_IS_GONE in str(error))


def is_full(error: BaseException | None) -> bool:
    """Tell whether an error means that PostgreSQL's disk is full."""
    return _codes(error)[0] == DISK_FULL


def is_spoilt(error: BaseException | None) -> bool:
    """Tell whether a connection must not be used again after an error, although it still works."""
    state, result = _codes(error)
    return state.startswith(SPOILT) or result in SQLITE_SPOILT


def _codes(error: BaseException | None) -> tuple[str, int]:
    """Return PostgreSQL's code and SQLite's, empty and 0 if the error has none."""
    original = getattr(error, "orig", None)
    return getattr(original, "sqlstate", None) or "", getattr(original, "sqlite_errorcode", 0) & PRIMARY_CODE
