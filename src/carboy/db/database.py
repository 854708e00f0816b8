"""The unit of work: one service call is one transaction."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import event, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from carboy.db.engines import Engines
from carboy.db.failures import ConnectionLostError, TransactionConflictError, translate
from carboy.errors import DatabaseUnavailableError

T = TypeVar("T")
SessionFactory = async_sessionmaker[AsyncSession]

MAX_ATTEMPTS = 5
FIRST_PAUSE_SECONDS = 0.01
"""The longest pause before the second attempt. It doubles with each further one; how much of it is waited is chance."""


def create_session_factory() -> SessionFactory:
    """Make the factory of sessions. Objects stay readable after a commit, as reading them again could not await."""
    return async_sessionmaker(expire_on_commit=False)


class TransactionAbortedError(Exception):
    """A transaction was about to commit although a part of it had failed; it was rolled back instead.

    PostgreSQL would answer that COMMIT with a silent ROLLBACK.
    """


@dataclass
class Unit:
    """One unit of work."""

    session: AsyncSession
    writes: bool
    failure: BaseException | None = None
    """What went wrong within: the unit will not commit, even if whoever called caught the error."""
    is_open: bool = True
    is_committing: bool = False


class Database:
    """Runs units of work and gives DAOs the session of the current one.

    A unit belongs to the task that began it, and to those which that one starts while it is open. It commits on a clean
    exit and rolls back on any exception; a unit begun within another joins it. One that met a serialization failure, a
    deadlock or a lost connection runs again.
    """

    def __init__(self, engines: Engines, session_factory: SessionFactory) -> None:
        self._engines = engines
        self._session_factory = session_factory
        self._current: ContextVar[Unit | None] = ContextVar("carboy_unit", default=None)
        for engine in {engines.reader.sync_engine, engines.writer.sync_engine}:
            event.listen(engine, "handle_error", self._on_error)

    async def read(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run work that only reads. Each of its statements sees the database as it is at that moment."""
        return await self._join_or_run(work, writes=False)

    async def write(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run work that may write, in one transaction.

        The work runs again, from its beginning, after a conflict with another transaction: whatever it does besides
        the database must bear that.

        Raises:
            TransactionConflictError: It met a conflict in every attempt.
            DatabaseUnavailableError: No connection could be had in time, or the connection was lost.
            TransactionAbortedError: An error within was caught before it reached this unit.
        """
        return await self._join_or_run(work, writes=True)

    def session(self, *, writes: bool = False) -> AsyncSession:
        """Return the session of the current unit.

        Raises:
            RuntimeError: There is no unit, it has ended, or it only reads and a session for writing was asked for.
        """
        unit = self._current.get()
        if unit is None or not unit.is_open:
            raise RuntimeError("No unit of work: mark the service method with @transactional or @read_only.")
        if writes and not unit.writes:
            raise RuntimeError("This unit of work only reads: mark the service method with @transactional.")
        return unit.session

    @property
    def is_writing(self) -> bool:
        """Whether the current unit is a transaction that may write."""
        unit = self._current.get()
        return unit is not None and unit.writes

    async def ping(self) -> None:
        """Ask the database whether it answers and has been migrated."""

        async def read_revision() -> None:
            revision = await self.session().execute(text("SELECT version_num FROM alembic_version"))
            revision.scalar_one()

        await self.read(read_revision)

    async def dispose(self) -> None:
        await self._engines.dispose()

    async def _join_or_run(self, work: Callable[[], Awaitable[T]], *, writes: bool) -> T:
        unit = self._current.get()
        if unit is None or not unit.is_open:
            return await self._run(work, writes=writes)
        if writes and not unit.writes:
            raise RuntimeError("A unit of work that writes cannot begin within one that only reads.")
        try:
            return await work()
        except BaseException as error:
            if writes:
                unit.failure = unit.failure or error
            raise

    async def _run(self, work: Callable[[], Awaitable[T]], *, writes: bool) -> T:
        pause = FIRST_PAUSE_SECONDS
        for _ in range(MAX_ATTEMPTS - 1):
            unit = self._new_unit(writes=writes)
            try:
                return await self._attempt(unit, work)
            except TransactionConflictError:
                pass
            except ConnectionLostError:
                # Whether the commit was made is not known, so that it must not be tried twice.
                if unit.is_committing:
                    raise
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311 - chance, not secrecy.
            pause *= 2
        return await self._attempt(self._new_unit(writes=writes), work)

    def _new_unit(self, *, writes: bool) -> Unit:
        engine = self._engines.writer if writes else self._engines.reader
        return Unit(self._session_factory(bind=engine), writes)

    async def _attempt(self, unit: Unit, work: Callable[[], Awaitable[T]]) -> T:
        async with self._open(unit):
            return await work()

    @asynccontextmanager
    async def _open(self, unit: Unit) -> AsyncIterator[None]:
        try:
            with self._made_current(unit):
                async with unit.session as session:
                    yield
                    if unit.writes:
                        check_outcome(unit)
                        unit.is_committing = True
                        await session.commit()
        except PoolTimeoutError as error:
            raise DatabaseUnavailableError("All database connections are in use. Try again in a moment.") from error

    @contextmanager
    def _made_current(self, unit: Unit) -> Iterator[None]:
        token = self._current.set(unit)
        try:
            yield
        finally:
            unit.is_open = False
            self._current.reset(token)

    def _on_error(self, context: ExceptionContext) -> BaseException | None:
        error = context.sqlalchemy_exception or context.original_exception
        meaning = translate(error)
        unit = self._current.get()
        if unit is not None:
            unit.failure = unit.failure or meaning or error
        return meaning


def check_outcome(unit: Unit) -> None:
    """Refuse to commit a unit of which a part has failed."""
    if isinstance(unit.failure, (TransactionConflictError, ConnectionLostError)):
        raise unit.failure
    if unit.failure is not None:
        raise TransactionAbortedError("An error within the transaction was caught.") from unit.failure
