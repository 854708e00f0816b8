"""An aiosqlite connection that runs each statement in one thread hop.

aiosqlite makes one trip to the connection's thread and back to open a cursor, one to run the statement, one to fetch
its rows and one to close the cursor; each costs more than reading a row does. Here they are one trip, BEGIN is part of
the first statement's, and COMMIT can be part of the last one's. For SQLAlchemy there is one difference: all rows of a
statement are fetched at once, so that streaming saves no memory.
"""

import asyncio
import random
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic, sleep
from typing import Any, Literal, cast

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import AsyncAdapt_aiosqlite_connection
from sqlalchemy.util import await_only

from carboy.db.failures import PRIMARY_CODE

Parameters = Iterable[Any]
Method = Literal["execute", "executemany"]
Outcome = tuple[list[Any], Any, int, int | None]
"""The rows of a statement, their description, the number of changed rows, and the last new id."""
FileIdentity = tuple[int, int] | None

PROBE_BYTES = 64 * 1024
"""More than most transactions add to SQLite's journal."""

LONGEST_PAUSE_SECONDS = 0.0005
"""The longest pause between two attempts to begin a transaction while another process writes."""


class OneHopCursor:
    """A PEP 249 cursor: the outcome of a statement. Only running it waits."""

    def __init__(self, connection: "AdaptedConnection") -> None:
        self._connection = connection
        self._rows: Iterator[Any] = iter(())
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None
        self.arraysize = 1

    def execute(self, sql: str, parameters: Parameters = ()) -> None:
        self._run("execute", sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Parameters]) -> None:
        self._run("executemany", sql, parameters)

    def _run(self, method: Method, sql: str, parameters: Iterable[Any]) -> None:
        rows, self.description, self.rowcount, self.lastrowid = self._connection.run(method, sql, parameters)
        self._rows = iter(rows)

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return list(islice(self._rows, self.arraysize if size is None else size))

    def fetchall(self) -> list[Any]:
        return list(self._rows)

    def close(self) -> None:
        self._rows = iter(())

    async def _async_soft_close(self) -> None:
        """Do nothing: the rows are fetched already, so that they can be read outside SQLAlchemy's greenlet."""


class AdaptedConnection(AsyncAdapt_aiosqlite_connection):
    """SQLAlchemy's adapter of a `OneHopConnection`.

    The adapter that SQLAlchemy brings would also wait for a cursor to open and to close, and copy the rows.
    """

    __slots__ = ()
    _connection: "OneHopConnection"  # type: ignore[assignment]

    def __init__(self, driver: Any, connection: aiosqlite.Connection) -> None:
        # SQLAlchemy's annotation of this argument is narrower than what it accepts.
        super().__init__(driver, cast("Any", connection))

    def cursor(self, server_side: bool = False) -> OneHopCursor:  # type: ignore[override]  # noqa: ARG002, FBT001, FBT002 - as SQLAlchemy calls it.
        return OneHopCursor(self)

    def run(self, method: Method, sql: str, parameters: Iterable[Any]) -> "Outcome":
        try:
            return await_only(self._connection.run(method, sql, parameters))
        except ValueError as error:
            # aiosqlite raises ValueError for a closed connection; SQLAlchemy expects an error of its own.
            self._handle_exception(error)


class OneHopConnection(aiosqlite.Connection):
    """An aiosqlite connection that runs a statement in one trip to its thread.

    Args:
        path: The file, which must exist.
        timeout: Seconds to wait for a lock.
        options: Further arguments of `sqlite3.connect`.
    """

    def __init__(self, path: Path, *, timeout: float, **options: Any) -> None:
        super().__init__(self._open, iter_chunk_size=1)
        self._path = path
        self._timeout = timeout
        self._options = options
        self._file: FileIdentity = None
        # A connection that is never closed must not prevent the process from ending; SQLAlchemy does this for its own.
        self._thread.daemon = True
        self._begin_timeout: float | None = None
        self._commits_next = False
        self._is_given_up = False

    def begin_with_next_statement(self, timeout: float) -> None:
        """Begin a write transaction with the next statement, waiting this many seconds for other processes."""
        self._begin_timeout = timeout

    def commit_with_next_statement(self) -> None:
        """Commit right after the next statement, unless it fails; `commit` has nothing left to do then."""
        self._commits_next = True

    async def commit(self) -> None:
        self._begin_timeout = None
        self._commits_next = False
        if self.in_transaction:
            await super().commit()

    async def rollback(self) -> None:
        self._begin_timeout = None
        self._commits_next = False
        if self.in_transaction:
            await super().rollback()

    async def run(self, method: Method, sql: str, parameters: Iterable[Any]) -> Outcome:
        """Run a statement, after BEGIN if a transaction is to begin with it, before COMMIT if it is to end."""
        try:
            outcome: Outcome = await self._execute(self._run_here, method, sql, parameters)  # type: ignore[no-untyped-call]
        except asyncio.CancelledError:
            self._is_given_up = True
            raise
        return outcome

    async def probe_disk(self) -> None:
        """Write a little to an unnamed file beside the database, which fails on a full or read-only disk.

        It does not interfere with SQLite's one writer, and hardly reaches the disk: the file is removed before the
        system flushes it.

        Raises:
            OSError: The file could not be written.
        """
        await self._execute(self._probe_disk_here)  # type: ignore[no-untyped-call]

    def _probe_disk_here(self) -> None:
        with TemporaryFile(dir=self._path.parent) as file:
            file.write(bytes(PROBE_BYTES))
            file.flush()

    def _open(self) -> sqlite3.Connection:
        # A missing file must not be created: an empty database would look like one that has lost its data.
        uri = f"{self._path.as_uri()}?mode=rw"
        connection: sqlite3.Connection = sqlite3.connect(uri, uri=True, timeout=self._timeout, **self._options)
        self._file = self._identity()
        try:
            # The very first connection changes the file for this, and SQLite does not wait for the lock then.
            self._insist(connection, "PRAGMA journal_mode=WAL", self._timeout)
        except BaseException:
            connection.close()
            raise
        return connection

    def _identity(self) -> FileIdentity:
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_dev, status.st_ino

    def _run_here(self, method: Method, sql: str, parameters: Iterable[Any]) -> Outcome:
        if not self._conn.in_transaction and self._identity() != self._file:
            # Writes to a file that was removed or replaced while it was open are lost without an error. SQLAlchemy
            # recognises an unusable connection by this message.
            raise sqlite3.ProgrammingError("Cannot operate on a closed database.")
        if self._begin_timeout is not None:
            timeout, self._begin_timeout = self._begin_timeout, None
            # SQLite backs off to ten attempts a second, while a busy writer releases the lock for less than a
            # millisecond: the others would starve. So SQLite is told not to wait.
            self._insist(self._conn, "BEGIN IMMEDIATE", timeout)
        commits, self._commits_next = self._commits_next, False
        outcome = outcome_of(self._conn, method, sql, parameters)
        if commits:
            self._conn.commit()
        return outcome

    def _insist(self, connection: sqlite3.Connection, sql: str, timeout: float) -> None:
        """Retry a statement for this many seconds while others hold the lock that it takes."""
        deadline = monotonic() + timeout
        while True:
            try:
                connection.execute(sql)
            except sqlite3.OperationalError as error:
                is_busy = error.sqlite_errorcode & PRIMARY_CODE == sqlite3.SQLITE_BUSY
                if not is_busy or self._is_given_up or monotonic() > deadline:
                    raise
                sleep(random.uniform(0, LONGEST_PAUSE_SECONDS))  # noqa: S311 - chance, not secrecy.
            else:
                return


def outcome_of(connection: sqlite3.Connection, method: Method, sql: str, parameters: Iterable[Any]) -> Outcome:
    """Run a statement to its end."""
    cursor = connection.cursor()
    try:
        getattr(cursor, method)(sql, parameters)
        rows = cursor.fetchall() if cursor.description else []
        return rows, cursor.description, cursor.rowcount, cursor.lastrowid
    finally:
        # A cursor that is still referenced, such as by a traceback, would keep the transaction open.
        cursor.close()
