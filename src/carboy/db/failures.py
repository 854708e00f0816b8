"""Says what a database's errors mean for whoever asked."""

import re
import sqlite3

from sqlalchemy import Table, UniqueConstraint
from sqlalchemy.exc import DBAPIError, IntegrityError

from carboy.errors import CarboyError, DatabaseBusyError, DatabaseUnavailableError


class TransactionConflictError(DatabaseBusyError):
    """Two transactions were in each other's way, and this one was rolled back. Run again, it may succeed."""


class ConnectionLostError(DatabaseUnavailableError):
    """The connection broke, as when the server restarts: a new one may serve at once."""


# PostgreSQL's codes, see its appendix "Error Codes".
CONFLICTS = frozenset({"40001", "40P01"})
"""serialization_failure, deadlock_detected"""
BUSY = frozenset({"55P03", "57014"})
"""lock_not_available, query_canceled"""
SPOILT = frozenset({"25P01", "25P02", "57014"})
"""no_active_sql_transaction, in_failed_sql_transaction, query_canceled: driver and server may disagree on whether there
is a transaction. If it was BEGIN that was cancelled, each later transaction on that connection would fail."""
UNAVAILABLE = ("08", "53", "57P")
"""Connection exceptions, insufficient resources, operator intervention: the beginnings of their codes."""

# SQLite's primary result codes, see https://sqlite.org/rescode.html.
SQLITE_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_INTERRUPT})
SQLITE_UNAVAILABLE = frozenset(
    {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
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
    state = getattr(error.orig, "sqlstate", None) or ""
    result = getattr(error.orig, "sqlite_errorcode", 0) & PRIMARY_CODE
    if state in CONFLICTS:
        return TransactionConflictError()
    if type(error.orig).__name__ == "InvalidCachedStatementError":
        # A migration has changed a type meanwhile. SQLAlchemy prepares its statements anew after this.
        return TransactionConflictError()
    if state in BUSY or result in SQLITE_BUSY:
        return DatabaseBusyError()
    if error.connection_invalidated:
        return ConnectionLostError()
    if state.startswith(UNAVAILABLE) or result in SQLITE_UNAVAILABLE:
        return DatabaseUnavailableError()
    return None


def is_spoilt(error: BaseException | None) -> bool:
    """Tell whether a connection must not be used again after an error, although it still answers."""
    return (getattr(getattr(error, "orig", None), "sqlstate", None) or "") in SPOILT


def violated_columns(error: IntegrityError, table: Table) -> frozenset[str]:
    """Return the columns of the unique constraint that a statement would have violated; none for other constraints."""
    # PostgreSQL names the constraint, SQLite the columns.
    name = getattr(error.driver_exception, "constraint_name", None)
    if name is None:
        match = re.search(r"UNIQUE constraint failed: (.+)", str(error.orig))
        return frozenset(column.partition(".")[2] for column in match[1].split(", ")) if match else frozenset()
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint) and constraint.name == name:
            return frozenset(column.name for column in constraint.columns)
    return frozenset()
