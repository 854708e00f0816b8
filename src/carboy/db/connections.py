"""Hands out connections: anew from the pool for a transaction, as they were left for a statement that only reads."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, CursorResult, Engine, Executable, Pool, QueuePool, Row


class Connections:
    """The connections of an engine that reads in AUTOCOMMIT and of one that writes, which may share a pool.

    To take a connection from its pool and give it back costs as much as a statement does. In AUTOCOMMIT nothing is left
    to be undone after a statement, so that the connection is kept as it is for the next one, unless somebody waits
    for the pool. All methods want SQLAlchemy's greenlet around them.
    """

    def __init__(self, reader: Engine, writer: Engine) -> None:
        self._reader = reader
        self._writer = writer
        self._idle: list[Connection] = []
        self._asking: Counter[Pool] = Counter()

    def read(self, statement: Executable, parameters: Mapping[str, object] | None) -> Sequence[Row[Any]]:
        """Run a statement on a connection that reads, and return its rows."""
        connection = self._idle.pop() if self._idle else self._take(self._reader)
        try:
            found = rows(connection.execute(statement, parameters))
        except BaseException:
            connection.close()
            # What has broken this one may have broken all, and only the pool knows which it has to replace.
            self.close_idle()
            raise
        if self.are_awaited(writes=False):
            connection.close()
        else:
            self._idle.append(connection)
        return found

    def begin(self, *, writes: bool) -> Connection:
        """Take a connection from the pool and begin a transaction; whoever has it closes it."""
        connection = self._take(self._writer if writes else self._reader)
        connection.begin()
        return connection

    def are_awaited(self, *, writes: bool) -> bool:
        """Tell whether somebody waits for a connection that writes, or for one that reads."""
        return self._asking[(self._writer if writes else self._reader).pool] > 0

    def close_idle(self) -> None:
        """Give back to the pool what is kept for the next statement."""
        while self._idle:
            self._idle.pop().close()

    def _take(self, engine: Engine) -> Connection:
        pool = engine.pool
        if self._idle and pool is self._reader.pool and isinstance(pool, QueuePool) and _is_used_up(pool):
            self._idle.pop().close()
        self._asking[pool] += 1
        try:
            return engine.connect()
        finally:
            self._asking[pool] -= 1


def rows(result: CursorResult[Any]) -> Sequence[Row[Any]]:
    """Return the rows of a result; none for a statement that has no result."""
    return result.all() if result.returns_rows else ()


def _is_used_up(pool: QueuePool) -> bool:
    return pool.checkedout() >= pool.size()
