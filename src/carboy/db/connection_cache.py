"""Caches connections between statements; a pool checkout costs as much as a statement."""

from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Connection, CursorResult, Engine, Executable, QueuePool, Row

from carboy.db.connection_queue import Turns

Parameters = Mapping[str, object] | Sequence[Mapping[str, object]] | None


class Connections:
    """The connections of an engine that reads in AUTOCOMMIT and of one that writes, which may share a pool.

    After a statement in AUTOCOMMIT, and after a COMMIT, there is nothing to roll back: the connection is kept for the
    next caller. A caller takes a turn first; there are as many turns as the pool has connections. The methods that use
    the database must run in SQLAlchemy's greenlet.
    """

    def __init__(self, reader: Engine, writer: Engine) -> None:
        self._reader = reader
        self._writer = writer
        self._idle: dict[Engine, list[Connection]] = {reader: [], writer: []}
        # A connection that was in use while another broke is not kept: the same server may be gone.
        self._generation = 0
        self._generations: dict[Connection, int] = {}
        # By engine, because an engine gets a new pool when it is disposed of.
        self._turns = {engine: _turns_at(engine) for engine in (reader, writer)}
        if reader.pool is writer.pool:
            self._turns[reader] = self._turns[writer]

    def pools(self) -> dict[str, tuple[QueuePool, Turns]]:
        """Return each pool and its queue by use: ``read`` and ``write``, or ``all`` where both share one."""
        if self._turns[self._reader] is self._turns[self._writer]:
            return {"all": (_pool_of(self._writer), self._turns[self._writer])}
        uses = {"read": self._reader, "write": self._writer}
        return {name: (_pool_of(engine), self._turns[engine]) for name, engine in uses.items()}

    def take_turn(self, *, writes: bool) -> Coroutine[Any, Any, None]:
        """Wait for a connection; the caller must then call `read` or `begin`.

        Raises:
            sqlalchemy.exc.TimeoutError: All were in use for too long.
        """
        return self._turns[self._engine(writes=writes)].take()

    def read(self, statement: Executable, parameters: Parameters) -> Sequence[Row[*tuple[Any, ...]]]:
        """Run a statement on a reading connection, and return its rows. This ends the turn."""
        connection = self._take(self._reader)
        is_clean = False
        try:
            found = rows(connection.execute(statement, parameters))
            is_clean = True
            return found
        finally:
            self.give_back(connection, is_clean=is_clean)

    def begin(self, *, writes: bool) -> Connection:
        """Begin a transaction on a connection, which the caller must give back; that, or a failure, ends the turn."""
        connection = self._take(self._engine(writes=writes))
        try:
            # SQLAlchemy regards earlier reads as a transaction, although in AUTOCOMMIT there is none.
            if not connection.in_transaction():
                connection.begin()
        except BaseException:
            self.give_back(connection, is_clean=False)
            raise
        return connection

    def give_back(self, connection: Connection, *, is_clean: bool) -> None:
        """End a turn, and keep the connection for the next caller if there is nothing to roll back."""
        try:
            if is_clean and self._generations[connection] == self._generation and _is_as_it_was(connection):
                self._idle[connection.engine].append(connection)
            else:
                self._discard(connection)
        finally:
            self._turns[connection.engine].give()

    def drop(self, connection: Connection) -> None:
        """End a turn and drop the connection without telling the database. It needs no greenlet."""
        try:
            connection.invalidate()
            self._close(connection)
        finally:
            self._turns[connection.engine].give()

    def close_idle(self) -> None:
        """Return the kept connections to the pool."""
        for kept in self._idle.values():
            while kept:
                self._close(kept.pop())

    def _engine(self, *, writes: bool) -> Engine:
        return self._writer if writes else self._reader

    def _take(self, engine: Engine) -> Connection:
        kept = self._idle[engine]
        if kept:
            return kept.pop()
        try:
            self._make_room(_pool_of(engine))
            connection = engine.connect()
        except BaseException:
            self._turns[engine].give()
            raise
        self._generations[connection] = self._generation
        return connection

    def _make_room(self, pool: QueuePool) -> None:
        """Return a connection that is kept for the other engine to the pool, if the pool has no free one."""
        if pool.checkedout() >= pool.size():
            for engine, kept in self._idle.items():
                if engine.pool is pool and kept:
                    self._close(kept.pop(0))
                    return

    def _discard(self, connection: Connection) -> None:
        is_broken = connection.invalidated
        self._close(connection)
        if is_broken:
            # What broke this connection may have broken all; only the pool knows which to replace.
            self._generation += 1
            self.close_idle()

    def _close(self, connection: Connection) -> None:
        del self._generations[connection]
        connection.close()


def _is_as_it_was(connection: Connection) -> bool:
    """Tell whether a connection is open and has no options; code with a session may have changed that."""
    return not connection.closed and connection.get_execution_options() is connection.engine.get_execution_options()


def _pool_of(engine: Engine) -> QueuePool:
    return cast("QueuePool", engine.pool)


def _turns_at(engine: Engine) -> Turns:
    pool = _pool_of(engine)
    return Turns(pool.size(), pool.timeout())


def rows(result: CursorResult[*tuple[Any, ...]]) -> Sequence[Row[*tuple[Any, ...]]]:
    """Return the rows of a result; none for a statement that has no result."""
    return result.all() if result.returns_rows else ()
