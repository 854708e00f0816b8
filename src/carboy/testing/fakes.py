"""The database, in memory. The same contract tests hold for it and for the real one."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn, TypeVar, cast

from sqlalchemy import Executable, UniqueConstraint
from sqlalchemy.exc import IntegrityError

from carboy.daos.base import Dao, stamped
from carboy.daos.idempotency_key_dao import IdempotencyKeyDao
from carboy.daos.user_dao import UserDao
from carboy.db import Database
from carboy.db.database import Unit, check_outcome
from carboy.errors import DatabaseUnavailableError, StaleVersionError
from carboy.schemas.base import Record, Versions
from carboy.schemas.idempotency import IdempotencyKeyRead
from carboy.schemas.user import UserRead

RecordT = TypeVar("RecordT", bound=Record)
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
        parameters: Mapping[str, object] | None = None,  # noqa: ARG002 - it stands in for one that has it.
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

    async def dispose(self) -> None:
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


class FakeDao(Dao[RecordT]):
    """Keeps a table's rows in a `FakeDatabase`, with the defaults and unique constraints of its model.

    Look-ups by column work as they are. A fake of a DAO is therefore one line, unless that has SQL of its own::

        class FakeUserDao(FakeDao[UserRead], UserDao): ...
    """

    _database: FakeDatabase

    def __init__(self, database: FakeDatabase) -> None:
        super().__init__(database)

    async def get_all(self, *, limit: int, after: int = 0, **equal: object) -> list[RecordT]:
        self._database.touch()
        return [self._record(row) for row in self._matching(equal) if row["id"] > after][:limit]

    async def add(self, values: Mapping[str, object]) -> RecordT:
        self._database.touch(writes=True)
        row = {column.name: _value_of(column.default) for column in self._table.columns}
        row |= {"id": self._database.next_id(self._table.name)} | {**stamped(self._known(values))}
        self._check(row)
        self._all()[row["id"]] = row
        return self._record(row)

    async def update(self, identity: int, values: Mapping[str, object], *, versions: Versions = None) -> RecordT:
        self._database.touch(writes=True)
        row = self._expected(identity, versions)
        renewed = {column.name: _value_of(column.onupdate) for column in self._table.columns if column.onupdate}
        changed = row | renewed | {**self._known(values)} | {"version": row["version"] + 1}
        self._check(changed)
        self._all()[identity] = changed
        return self._record(changed)

    async def delete(self, identity: int, *, versions: Versions = None) -> None:
        self._database.touch(writes=True)
        self._expected(identity, versions)
        del self._all()[identity]

    async def _find_by(self, **equal: object) -> RecordT | None:
        self._database.touch()
        return next((self._record(row) for row in self._matching(equal)), None)

    def _all(self) -> dict[int, Row]:
        return self._database.rows(self._table.name)

    def _expected(self, identity: int, versions: Versions) -> Row:
        row = self._all().get(identity)
        if row is None:
            raise self.not_found
        if versions is not None and row["version"] not in versions:
            raise StaleVersionError
        return row

    def _matching(self, equal: Mapping[str, object]) -> list[Row]:
        for name in equal:
            self._table.c[name]  # Fails for a column that is not there, as the real one does.
        return [row for _, row in sorted(self._all().items()) if all(row[name] == equal[name] for name in equal)]

    def _check(self, row: Row) -> None:
        error = self._violation(row)
        if error is not None:
            self._database.doom(error)
            raise error

    def _violation(self, row: Row) -> Exception | None:
        for column in self._table.columns:
            if row[column.name] is None and not column.nullable:
                return IntegrityError(None, None, ValueError(f"{column} must not be null"))
        taken = {name for names in self._unique() if self._has_equal(row, names) for name in names}
        if not taken:
            return None
        conflicts = (error() for column, error in self.conflicts.items() if column in taken)
        return next(conflicts, IntegrityError(None, None, ValueError(f"{', '.join(sorted(taken))} must be unique")))

    def _unique(self) -> list[list[str]]:
        constraints = [item for item in self._table.constraints if isinstance(item, UniqueConstraint)]
        return [[column.name for column in constraint.columns] for constraint in constraints]

    def _has_equal(self, row: Row, names: list[str]) -> bool:
        others = (other for identity, other in self._all().items() if identity != row["id"])
        return any(all(other[name] == row[name] is not None for name in names) for other in others)

    def _record(self, row: object) -> RecordT:
        values = cast("Row", row)
        return self.record.model_validate({name: values[name] for name in self.record.model_fields})


def _value_of(default: Any) -> Any:
    if default is None:
        return None
    return default.arg(None) if default.is_callable else default.arg


class FakeUserDao(FakeDao[UserRead], UserDao):
    """`UserDao` in memory."""


class FakeIdempotencyKeyDao(FakeDao[IdempotencyKeyRead], IdempotencyKeyDao):
    """`IdempotencyKeyDao` in memory."""

    async def delete_expired(self, now: datetime, *, limit: int) -> None:
        self._database.touch(writes=True)
        rows = sorted(self._all().values(), key=lambda row: (row["expires_at"], row["id"]))
        for row in [row for row in rows if row["expires_at"] <= now][:limit]:
            del self._all()[row["id"]]
