"""The unit of work: its state, and how it commits or rolls back."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection, Executable
from sqlalchemy.ext.asyncio import AsyncSession

from carboy.db import sqlite
from carboy.db.connection_cache import Connections
from carboy.db.failures import ConnectionLostError, TransactionConflictError

_log = logging.getLogger(__name__)


class TransactionAbortedError(Exception):
    """A transaction was to commit although a part of it had failed; it was rolled back instead.

    PostgreSQL would answer that COMMIT with a silent ROLLBACK.
    """


@dataclass
class Unit:
    """One unit of work."""

    writes: bool
    connection: Connection | None = None
    """Held from a transaction's first statement to its end; a unit that reads holds one only for a session."""
    session: AsyncSession | None = None
    failure: BaseException | None = None
    """The error of a failed part: the unit will not commit, even if its caller caught the error."""
    is_open: bool = True
    is_committing: bool = False
    hints: list[Callable[[], None]] = field(default_factory=list)
    """What is called after the commit."""
    deferred: dict[tuple[Executable, frozenset[str]], list[Mapping[str, object]]] = field(default_factory=dict)
    """Statements that run just before the commit, each with its rows of parameters; all rows name the same columns."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """A connection runs one statement at a time."""


def require_open(unit: Unit) -> None:
    """Require that a unit has not ended. A task that its owner did not wait for may outlive it.

    Raises:
        RuntimeError: The unit has ended.
    """
    if not unit.is_open:
        raise RuntimeError("The unit of work has ended.")


def check_outcome(unit: Unit) -> None:
    """Raise if a part of a unit has failed, so that it does not commit."""
    if isinstance(unit.failure, (TransactionConflictError, ConnectionLostError)):
        raise unit.failure
    if unit.failure is not None:
        raise TransactionAbortedError(
            "The transaction was rolled back: an error within it was caught, and its part had already failed."
        ) from unit.failure


def run_deferred(unit: Unit, connection: Connection, *, commits: bool) -> None:
    """Run the deferred statements of a unit.

    On SQLite the last one commits too, if the unit is to: that saves a trip to the connection's thread.
    """
    if unit.session is not None:
        # What it adds comes first, and what it does at the commit would come too late.
        unit.session.sync_session.flush()
        commits = False
    while unit.deferred:
        key, parameters = next(iter(unit.deferred.items()))
        if commits and len(unit.deferred) == 1 and connection.dialect.name == "sqlite":
            unit.is_committing = True
            sqlite.commit_with_next_statement(connection)
        connection.execute(key[0], parameters)
        del unit.deferred[key]


def end(unit: Unit, connections: Connections, *, commits: bool) -> None:
    """Commit or roll back a unit, and return its connection. After a failed commit it must still be rolled back."""
    is_over = not commits
    try:
        if unit.session is not None:
            if commits:
                unit.session.sync_session.commit()
            unit.session.sync_session.close()
        if unit.connection is not None and commits:
            unit.connection.commit()
        is_over = True
    finally:
        if is_over and unit.connection is not None:
            connection, unit.connection = unit.connection, None
            connections.give_back(connection, is_clean=commits)


def give_hints(unit: Unit) -> None:
    """Call what waits for the commit, which has been made: none may fail it."""
    for hint in unit.hints:
        try:
            hint()
        except Exception:  # noqa: BLE001 - whatever is wrong with a hint, the commit is made.
            _log.exception("a hint after a commit failed")
