"""The database, in memory. The same contract tests hold for it and for the real one."""

import asyncio
import copy
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar, cast

from sqlalchemy import Executable

from carboy.db import Database
from carboy.db.connection_cache import Parameters
from carboy.db.units import Unit, check_outcome
from carboy.errors import DatabaseUnavailableError

T = TypeVar("T")
Row = dict[str, Any]
Tables = dict[str, dict[int, Row]]


@dataclass
class FakeUnit(Unit):
    """A unit of work over tables in memory."""

    tables: Tables = field(default_factory=dict)
    """The tables as a transaction sees them."""


class FakeDatabase(Database):
    """Units of work over rows in memory: joined, retried and rolled back as those of a database are."""

    def __init__(self) -> None:
        self._current = ContextVar("carboy_fake_unit", default=None)
        self._lock = asyncio.Lock()
        self._tables: Tables = {}
        self._last_ids: dict[str, int] = {}
        self.is_reachable = True
        """Set it to False to see what happens when the database does not answer."""

    def rows(self, table: str) -> dict[int, Row]:
        """Return the rows of a table by their ids, to read or to change: as the current transaction sees them."""
        unit = self._current.get()
        tables = unit.tables if isinstance(unit, FakeUnit) and unit.is_open else self._tables
        return tables.setdefault(table, {})

    def next_id(self, table: str) -> int:
        """Return an id that no row of the table has or had."""
        self._last_ids[table] = self._last_ids.get(table, 0) + 1
        return self._last_ids[table]

    def doom(self, error: Exception) -> None:
        """Note that a statement has failed: the current unit will not commit, whoever catches the error."""
        unit = self._current.get()
        if unit is not None:
            unit.failure = unit.failure or error

    def touch(self, *, writes: bool = False) -> None:
        """Fail where a statement would: outside a unit, writing in one that only reads, or out of reach.

        Raises:
            RuntimeError: As for `Database.execute`.
            DatabaseUnavailableError: `is_reachable` is False.
        """
        self._unit(writes=writes)
        if not self.is_reachable:
            raise DatabaseUnavailableError

    async def execute(
        self,
        statement: Executable,
        parameters: Parameters = None,  # noqa: ARG002 - it stands in for one that has it.
        *,
        writes: bool = False,
    ) -> NoReturn:
        self.touch(writes=writes)
        raise AssertionError(f"A fake DAO has no SQL: override the method that runs {statement}.")

    async def session(self, *, writes: bool = False) -> NoReturn:
        self.touch(writes=writes)
        raise AssertionError("A fake DAO has no SQL: override the method that asks for a session.")

    async def try_lock(self, name: str) -> bool:  # noqa: ARG002 - it stands in for one that has it.
        """Say yes, as on SQLite: a transaction that writes is alone here too."""
        self.touch(writes=True)
        return True

    async def ping(self) -> None:
        async def reach() -> None:
            self.touch()

        await self.read(reach)

    async def close(self) -> None:
        """Close no connections, as there are none; the rows stay."""

    async def _attempt(self, unit: Unit, work: Callable[[], Awaitable[T]]) -> T:
        if not unit.writes:
            return await super()._attempt(unit, work)
        async with self._lock:
            return await super()._attempt(FakeUnit(writes=True, tables=copy.deepcopy(self._tables)), work)

    async def _commit(self, unit: Unit) -> None:
        check_outcome(unit)
        # Whoever looks at the rows of a table keeps looking at the same ones.
        for table, rows in cast("FakeUnit", unit).tables.items():
            committed = self._tables.setdefault(table, {})
            committed.clear()
            committed.update(rows)
