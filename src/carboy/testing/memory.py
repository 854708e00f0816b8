"""A SQLite database in memory, whose statements run on the thread that asks for them: no file, no thread."""

import asyncio
import sqlite3
import weakref
from collections.abc import Iterable
from typing import Any, cast

from sqlalchemy.dialects.sqlite.aiosqlite import SQLiteDialect_aiosqlite

from carboy.db.sqlite_connection import AdaptedConnection, Method, Outcome, outcome_of


class Memory:
    """A database, and what was in it before the transaction that is open.

    Args:
        image: What is in it at first, as `sqlite3.Connection.serialize` gives it.
    """

    def __init__(self, image: bytes) -> None:
        self.now, self._before = (
            # A view that is not async runs on a thread of its own.
            sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            for _ in range(2)
        )
        for connection in (self.now, self._before):
            weakref.finalize(self, connection.close)
        self.now.deserialize(image)
        self._committed: bytes | None = None
        self.is_reachable = True

    def begin(self) -> None:
        """Begin the one transaction that may write."""
        # Some microseconds for a database as small as those of tests are.
        self._committed = self.now.serialize()
        self.now.execute("BEGIN IMMEDIATE")

    def committed(self) -> sqlite3.Connection:
        """Return a connection that sees what everybody may see."""
        if not self.now.in_transaction:
            return self.now
        if self._committed is not None:
            self._before.deserialize(self._committed)
            self._committed = None
        return self._before

    def check_reachable(self) -> None:
        """Fail as SQLite does whose file cannot be opened, if `is_reachable` is False."""
        if not self.is_reachable:
            error = sqlite3.OperationalError("unable to open database file")
            error.sqlite_errorcode = sqlite3.SQLITE_CANTOPEN
            raise error

    def create_function(self, *args: Any, **options: Any) -> None:
        for connection in (self.now, self._before):
            connection.create_function(*args, **options)


class Reader:
    """Stands in for a connection of aiosqlite whose statements stand alone and do not write."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._connection = memory
        """By this SQLAlchemy knows that it is open."""

    async def run(self, method: Method, sql: str, parameters: Iterable[Any]) -> Outcome:
        # Other tasks go on meanwhile, as they do while a real database works.
        await asyncio.sleep(0)
        self._memory.check_reachable()
        return self._run(method, sql, parameters)

    def _run(self, method: Method, sql: str, parameters: Iterable[Any]) -> Outcome:
        connection = self._memory.committed()
        connection.execute("PRAGMA query_only=ON")
        try:
            return outcome_of(connection, method, sql, parameters)
        finally:
            connection.execute("PRAGMA query_only=OFF")

    async def create_function(self, *args: Any, **options: Any) -> None:
        self._memory.create_function(*args, **options)

    async def commit(self) -> None:
        """Do nothing: each statement stands alone."""

    async def rollback(self) -> None:
        """Do nothing: each statement stands alone."""

    async def close(self) -> None:
        """Do nothing: the database stays as long as somebody refers to it."""


class Writer(Reader):
    """The same for the one connection that writes."""

    def _run(self, method: Method, sql: str, parameters: Iterable[Any]) -> Outcome:
        return outcome_of(self._memory.now, method, sql, parameters)

    def commit_with_next_statement(self) -> None:
        """Do nothing: a commit takes no trip that could be saved."""

    async def commit(self) -> None:
        self._memory.check_reachable()
        self._memory.now.commit()

    async def rollback(self) -> None:
        self._memory.now.rollback()


class MemoryConnection(AdaptedConnection):
    """What SQLAlchemy uses a `Reader` or `Writer` through."""

    __slots__ = ()

    def __init__(self, connection: Reader) -> None:
        super().__init__(SQLiteDialect_aiosqlite.import_dbapi(), cast("Any", connection))

    @property
    def isolation_level(self) -> str | None:
        return None

    @isolation_level.setter
    def isolation_level(self, value: str | None) -> None:
        """Leave it as it is: sqlite3 begins no transactions. SQLAlchemy would have a thread set it."""

    def terminate(self) -> None:
        """Do nothing, as `Reader.close` does."""
