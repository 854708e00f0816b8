"""The unit of work: one service call is one transaction."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from typing import Any, TypeVar, TypeVarTuple, overload

from sqlalchemy import Connection, Executable, Row, event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_sessionmaker
from sqlalchemy.sql.selectable import TypedReturnsRows

from carboy.db import postgresql, sqlite
from carboy.db.connection_cache import Parameters, rows
from carboy.db.engines import Engines
from carboy.db.failures import ConnectionLostError, TransactionConflictError, is_full, is_lost, is_spoilt, translate
from carboy.db.greenlets import spawn
from carboy.db.units import Unit, check_outcome, end, give_hints, require_open, run_deferred
from carboy.errors import DatabaseUnavailableError

T = TypeVar("T")
Columns = TypeVarTuple("Columns")
SessionFactory = async_sessionmaker[AsyncSession]

MAX_ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.01
"""The longest pause before the second attempt. It doubles with each attempt; the actual pause is random."""


def create_session_factory() -> SessionFactory:
    """Make the factory of sessions. Objects stay readable after a commit, because refreshing them could not await."""
    return async_sessionmaker(expire_on_commit=False)


class Database:
    """Runs units of work and the statements in them.

    A unit belongs to the task that began it, and to the tasks that this one starts while the unit is open. It commits
    on a clean exit and rolls back on any exception; a unit within another joins it. After a serialization failure, a
    deadlock or a lost connection the unit runs again.
    """

    def __init__(self, engines: Engines, session_factory: SessionFactory) -> None:
        self._engines = engines
        self._connections = engines.connections
        self._session_factory = session_factory
        self._is_full = False
        """Whether a statement has met a full disk, and none has been found to have room since."""
        self._current: ContextVar[Unit | None] = ContextVar("carboy_unit", default=None)
        for engine in {engines.reader.sync_engine, engines.writer.sync_engine}:
            event.listen(engine, "handle_error", self._on_error)

    async def read(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run work that only reads. Each of its statements sees the latest committed data."""
        return await self._join_or_run(work, writes=False)

    async def write(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run work that may write, in one transaction.

        After a conflict with another transaction the work runs again, so its other side effects must be idempotent.

        Raises:
            TransactionConflictError: Every attempt met a conflict.
            DatabaseUnavailableError: No connection was free in time, or the connection was lost.
            TransactionAbortedError: An error within was caught before it reached this unit.
        """
        return await self._join_or_run(work, writes=True)

    @overload
    async def execute(
        self,
        statement: TypedReturnsRows[*Columns],
        parameters: Parameters = None,
        *,
        writes: bool = False,
    ) -> Sequence[Row[*Columns]]: ...

    @overload
    async def execute(
        self, statement: Executable, parameters: Parameters = None, *, writes: bool = False
    ) -> Sequence[Row[*tuple[Any, ...]]]: ...

    async def execute(
        self, statement: Executable, parameters: Parameters = None, *, writes: bool = False
    ) -> Sequence[Row[*tuple[Any, ...]]]:
        """Run a statement in the current unit and return its rows.

        A statement that is built once and takes its values as parameters costs less than half of one built each time. A
        list of parameters writes a row for each of them.

        Raises:
            RuntimeError: There is no unit, it has ended, or it only reads and the statement writes.
        """
        unit = self._unit(writes=writes)
        if unit.connection is None and not unit.writes:
            # The connection is free again at once.
            await self._connections.take_turn(writes=False)
            return await spawn(self._connections.read, statement, parameters)
        return await self._with_connection(unit, lambda connection: rows(connection.execute(statement, parameters)))

    def execute_at_commit(self, statement: Executable, parameters: Mapping[str, object]) -> None:
        """Run a statement just before the current transaction commits, once for all parameters that it was given.

        Until then the transaction does not see its effect. If it fails, the transaction is rolled back.

        Raises:
            RuntimeError: As for `execute`, of a statement that writes.
        """
        unit = self._unit(writes=True)
        unit.deferred.setdefault((statement, frozenset(parameters)), []).append(parameters)

    async def execute_deferred(self) -> None:
        """Run now what waits for the commit, for a statement that is to see it.

        Raises:
            RuntimeError: As for `execute`, of a statement that writes.
        """
        unit = self._unit(writes=True)
        if unit.deferred:
            await self._with_connection(unit, partial(run_deferred, unit, commits=False))

    async def session(self, *, writes: bool = False) -> AsyncSession:
        """Return a session for work with entities, within the current unit's transaction; it ends with the unit.

        Raises:
            RuntimeError: As for `execute`.
        """
        unit = self._unit(writes=writes)

        def make(connection: Connection) -> AsyncSession:
            if unit.session is None:
                unit.session = self._session_factory(bind=AsyncConnection(self._engine(unit), connection))
            return unit.session

        return await self._with_connection(unit, make)

    async def try_lock(self, name: str) -> bool:
        """Try to take the lock of this name until the current transaction ends, and return whether it was free.

        On SQLite it always is: only one transaction writes at a time, so that another process waits at its first
        statement and then sees what this one has committed.

        Raises:
            RuntimeError: As for `execute`, of a statement that writes.
        """
        unit = self._unit(writes=True)
        if self._engine(unit).dialect.name == "sqlite":
            return True
        [(is_ours,)] = await self.execute(postgresql.TRY_LOCK, {"number": postgresql.lock_number(name)})
        return bool(is_ours)

    def after_commit(self, hint: Callable[[], None]) -> None:
        """Call something once the current transaction has committed; not at all if it is rolled back.

        It is for hints only, such as to look at once for what has changed: a process that is killed gives none, and
        what one raises is logged. What must happen after a commit is a job.

        Raises:
            RuntimeError: As for `execute`, of a statement that writes.
        """
        self._unit(writes=True).hints.append(hint)

    @property
    def dialect_name(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._engines.reader.dialect.name

    @property
    def is_writing(self) -> bool:
        """Whether the current unit is a transaction that may write."""
        unit = self._current.get()
        return unit is not None and unit.writes

    async def ping(self) -> None:
        """Check that the database answers and can be written to, without writing to it.

        Only while PostgreSQL's disk is full, to see whether there is room again, it does write a little.
        """

        async def probe() -> None:
            await self.execute(text("SELECT 1"))
            if self._engines.reader.dialect.name == "sqlite":
                await self._with_connection(self._unit(writes=False), sqlite.probe_disk)
            else:
                await self.execute(postgresql.REFUSE_IF_READ_ONLY)

        await self.read(probe)
        if self._is_full:
            await self._look_for_room()

    async def _look_for_room(self) -> None:
        with suppress(DBAPIError):
            # Whoever may make no temporary table learns nothing by this, and waits for the next write that fails.
            await self.write(lambda: self.execute(postgresql.FILL_A_LITTLE, writes=True))
        self._is_full = False

    async def open(self) -> None:
        """Do nothing: statements open connections, so that the database may start later than the application."""

    async def close(self) -> None:
        """Close all connections."""
        await self._engines.dispose()

    async def _join(self, unit: Unit, work: Callable[[], Awaitable[T]], *, writes: bool) -> T:
        if writes and not unit.writes:
            raise RuntimeError("A unit of work that writes cannot begin within one that only reads.")
        try:
            return await work()
        except BaseException as error:
            if writes:
                unit.failure = unit.failure or error
            raise

    async def _join_or_run(self, work: Callable[[], Awaitable[T]], *, writes: bool) -> T:
        current = self._current.get()
        if current is not None and current.is_open:
            return await self._join(current, work, writes=writes)
        pause, has_lost_one = FIRST_PAUSE_SECONDS, False
        for _ in range(MAX_ATTEMPTS - 1):
            unit = Unit(writes)
            try:
                return await self._attempt(unit, work)
            except TransactionConflictError:
                pass
            except ConnectionLostError:
                # The commit may have succeeded, so it must not be retried. And if a new connection
                # is lost too, the server is at fault: opening more would only burden it.
                if unit.is_committing or has_lost_one:
                    raise
                has_lost_one = True
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - chance, not secrecy.
            pause *= 2
        return await self._attempt(Unit(writes), work)

    async def _attempt(self, unit: Unit, work: Callable[[], Awaitable[T]]) -> T:
        token = self._current.set(unit)
        try:
            result = await work()
            if unit.writes:
                await self._commit(unit)
        except PoolTimeoutError as error:
            raise DatabaseUnavailableError("All database connections are in use. Try again in a moment.") from error
        finally:
            unit.is_open = False
            self._current.reset(token)
            await self._release(unit)
        give_hints(unit)
        return result

    async def _commit(self, unit: Unit) -> None:
        check_outcome(unit)
        if unit.deferred:
            await self._with_connection(unit, partial(run_deferred, unit, commits=True))
        unit.is_committing = True
        async with unit.lock:
            await spawn(partial(end, unit, self._connections, commits=True))

    async def _release(self, unit: Unit) -> None:
        """Roll the unit back unless it has committed, and give its connection back, even if the caller is cancelled."""
        # A task that the unit's owner did not wait for may be taking a connection at this moment.
        if unit.connection is not None or unit.lock.locked():
            rolling_back = asyncio.create_task(self._roll_back(unit))
            rolling_back.add_done_callback(lambda _: self._drop(unit))
            await asyncio.shield(rolling_back)

    async def _roll_back(self, unit: Unit) -> None:
        async with unit.lock:
            await spawn(partial(end, unit, self._connections, commits=False))

    def _drop(self, unit: Unit) -> None:
        """Drop the connection of a unit that could not be rolled back, because its event loop is closing."""
        if unit.connection is not None:
            connection, unit.connection = unit.connection, None
            self._connections.drop(connection)

    def _unit(self, *, writes: bool) -> Unit:
        unit = self._current.get()
        if unit is None or not unit.is_open:
            raise RuntimeError("No unit of work: mark the service method with @transactional or @read_only.")
        if writes and not unit.writes:
            raise RuntimeError("This unit of work only reads: mark the service method with @transactional.")
        return unit

    def _engine(self, unit: Unit) -> AsyncEngine:
        return self._engines.writer if unit.writes else self._engines.reader

    async def _with_connection(self, unit: Unit, function: Callable[[Connection], T]) -> T:
        """Run a function of SQLAlchemy's on the unit's connection, which the first call takes."""

        def run() -> T:
            if unit.connection is None:
                unit.connection = self._connections.begin(writes=unit.writes)
            return function(unit.connection)

        async with unit.lock:
            require_open(unit)
            if unit.connection is None:
                await self._connections.take_turn(writes=unit.writes)
            result = await spawn(run)
        require_open(unit)
        return result

    def _on_error(self, context: ExceptionContext) -> BaseException | None:
        error = context.sqlalchemy_exception or context.original_exception
        if isinstance(error, TimeoutError) or is_lost(error) or is_spoilt(error):
            # Only this connection is broken; the others stay.
            context.is_disconnect, context.invalidate_pool_on_disconnect = True, is_lost(error)
            if context.sqlalchemy_exception is not None and isinstance(error, DBAPIError):
                error.connection_invalidated = True
        self._is_full = self._is_full or is_full(error)
        meaning = translate(error)
        unit = self._current.get()
        if unit is not None:
            unit.failure = unit.failure or meaning or error
        return meaning
