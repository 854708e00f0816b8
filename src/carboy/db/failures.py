"""Maps driver errors to Carboy's errors."""

import sqlite3

from sqlalchemy.exc import DBAPIError

from carboy.errors import CarboyError, DatabaseBusyError, DatabaseUnavailableError


class TransactionConflictError(DatabaseBusyError):
    """The transaction was rolled back because of a concurrent one. A retry may succeed."""


class ConnectionLostError(DatabaseUnavailableError):
    """The connection is of no more use, as when the server restarts or has become read-only: a new one may serve."""


# PostgreSQL's codes or the beginnings of them, see its appendix "Error Codes".
CONFLICTS = ("40001", "40P01")
"""serialization_failure, deadlock_detected"""
BUSY = ("55P03", "57014")
"""lock_not_available, query_canceled"""
LOST = ("08", "25006", "25P03", "25P04", "26000", "42P05", "57P")
"""Connection exceptions; read_only_sql_transaction: the server is a standby now, and its connections stay open;
time-outs by which the server ends a connection amid a transaction; statements that are not prepared as the driver
believes, behind a pooler that has changed the server; operator intervention."""
INTERNAL, TYPE_IS_GONE = "XX000", "cache lookup failed for type"
"""A migration has replaced a type that statements were prepared with, on this connection and on the others."""
SPOILT = ("25P01", "25P02", "57014")
"""no_active_sql_transaction, in_failed_sql_transaction, query_canceled: driver and server may disagree on whether there
is a transaction. If it was BEGIN that was cancelled, each later transaction on that connection would fail."""
UNAVAILABLE = ("53", "58")
"""Insufficient resources, as a full disk; system errors, as one of input and output."""

# SQLite's primary result codes, see https://sqlite.org/rescode.html.
SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_PROTOCOL})
SQLITE_LOST = frozenset({sqlite3.SQLITE_READONLY})
"""A file that was opened while its disk was read-only stays so for that connection."""
SQLITE_SPOILT = frozenset({sqlite3.SQLITE_IOERR})
SQLITE_UNAVAILABLE = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_PERM}
)
PRIMARY_CODE = 0xFF
"""The lowest byte of an extended result code is the primary one."""


def translate(error: BaseException) -> CarboyError | None:  # noqa: PLR0911 - a table of meanings.
    """Return what a failed statement means: a conflict, a busy or an unreachable database; None for anything else."""
    if isinstance(error, TimeoutError):
        # asyncpg's way to say that a statement took longer than its command_timeout.
        return DatabaseBusyError()
    if not isinstance(error, DBAPIError):
        return None
    state, result = _codes(error)
    if state.startswith(CONFLICTS):
        return TransactionConflictError()
    if type(error.orig).__name__ == "InvalidCachedStatementError":
        # A migration has changed a type meanwhile. SQLAlchemy prepares its statements anew after this.
        return TransactionConflictError()
    if state.startswith(BUSY) or result in SQLITE_BUSY:
        return DatabaseBusyError()
    if state.startswith(UNAVAILABLE) or result in SQLITE_UNAVAILABLE:
        return DatabaseUnavailableError()
    if is_lost(error) or error.connection_invalidated:
        return ConnectionLostError()
    return None


def is_lost(error: BaseException | None) -> bool:
    """Tell whether an error says of the server that no connection to it is of use any more."""
    state, result = _codes(error)
    return state.startswith(LOST) or result in SQLITE_LOST or (state == INTERNAL and TYPE_IS_GONE in str(error))


def is_spoilt(error: BaseException | None) -> bool:
    """Tell whether this one connection must not be used again after an error, although it still answers."""
    state, result = _codes(error)
    return state.startswith(SPOILT) or result in SQLITE_SPOILT


def _codes(error: BaseException | None) -> tuple[str, int]:
    """Return PostgreSQL's code and SQLite's, empty and 0 if the error has none."""
    original = getattr(error, "orig", None)
    return getattr(original, "sqlstate", None) or "", getattr(original, "sqlite_errorcode", 0) & PRIMARY_CODE
