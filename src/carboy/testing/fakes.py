"""The database, in memory. The same contract tests hold for it and for the real one."""

import asyncio
import copy
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any, NoReturn, TypeVar, cast

from sqlalchemy import Table, UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncSession

from carboy.daos.base import Dao
from carboy.daos.user_dao import UserDao
from carboy.db import Database
from carboy.db.database import Unit, check_outcome
from carboy.errors import StaleVersionError
from carboy.schemas.base import Record
from carboy.schemas.user import UserRead

RecordT = TypeVar("RecordT", bound=Record)
Row = dict[str, Any]


class _NoSession:
    """The session of a unit of a `FakeDatabase`."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"A fake DAO has no SQL: override the method that uses session.{name}.")


class FakeDatabase(Database):
    """Units of work over rows in memory: joined, retried and rolled back as those of a database are."""

    def __init__(self) -> None:
        self._current = ContextVar("carboy_fake_unit", default=None)
        self._lock = asyncio.Lock()
        self._rows: dict[str, dict[int, Row]] = {}
        self._last_ids: dict[str, int] = {}
        self.is_reachable = True
        """Set it to False to see what happens when the database does not answer."""

    def rows(self, table: str) -> dict[int, Row]:
        """Return the rows of a table by their ids, to read or to change."""
        return self._rows.setdefault(table, {})

    def next_id(self, table: str) -> int:
        """Return an id that no row of the table has or had."""
        self._last_ids[table] = self._last_ids.get(table, 0) + 1
        return self._last_ids[table]

    async def ping(self) -> None:
        if not self.is_reachable:
            raise ConnectionError("The fake database does not answer.")

    async def dispose(self) -> None:
        self._rows.clear()

    def _new_unit(self, *, writes: bool) -> Unit:
        return Unit(cast("AsyncSession", _NoSession()), writes)

    @asynccontextmanager
    async def _open(self, unit: Unit) -> AsyncIterator[None]:
        if not unit.writes:
            with self._made_current(unit):
                yield
            return
        async with self._lock:
            before = copy.deepcopy(self._rows)
            try:
                with self._made_current(unit):
                    yield
                    check_outcome(unit)
            except BaseException:
                self._rows = before
                raise


class FakeDao(Dao[RecordT]):
    """Keeps a table's rows in a `FakeDatabase`, with the defaults and unique constraints of its model.

    Look-ups by column work as they are. A fake of a DAO is therefore one line, unless that has SQL of its own::

        class FakeUserDao(FakeDao[UserRead], UserDao): ...
    """

    _database: FakeDatabase

    def __init__(self, database: FakeDatabase) -> None:
        super().__init__(database)

    async def get_all(self, *, limit: int, after: int = 0, **equal: object) -> list[RecordT]:
        self._database.session()
        return [self._record(row) for row in self._matching(equal) if row["id"] > after][:limit]

    async def add(self, values: Mapping[str, object]) -> RecordT:
        self._database.session(writes=True)
        row: Row = {}
        for column in self._table.columns:
            row[column.name] = values[column.name] if column.name in values else _value_of(column.default)
        row["id"] = values.get("id") or self._database.next_id(self._table.name)
        self._check_unique(row)
        self._all()[row["id"]] = row
        return self._record(row)

    async def update(self, identity: int, values: Mapping[str, object], *, version: int | None = None) -> RecordT:
        self._database.session(writes=True)
        row = self._all().get(identity)
        if row is None:
            raise self.not_found
        if version is not None and row["version"] != version:
            raise StaleVersionError
        renewed = {column.name: _value_of(column.onupdate) for column in self._table.columns if column.onupdate}
        changed = row | renewed | dict(values) | {"version": row["version"] + 1}
        self._check_unique(changed)
        self._all()[identity] = changed
        return self._record(changed)

    async def delete(self, identity: int) -> None:
        self._database.session(writes=True)
        if self._all().pop(identity, None) is None:
            raise self.not_found

    async def _find_by(self, **equal: object) -> RecordT | None:
        self._database.session()
        return next((self._record(row) for row in self._matching(equal)), None)

    @property
    def _table(self) -> Table:
        return self.model.metadata.tables[self.model.__tablename__]

    def _all(self) -> dict[int, Row]:
        return self._database.rows(self._table.name)

    def _matching(self, equal: Mapping[str, object]) -> list[Row]:
        return [row for _, row in sorted(self._all().items()) if all(row[name] == equal[name] for name in equal)]

    def _check_unique(self, row: Row) -> None:
        others = [other for identity, other in self._all().items() if identity != row["id"]]
        for constraint in self._table.constraints:
            if not isinstance(constraint, UniqueConstraint):
                continue
            names = [column.name for column in constraint.columns]
            if any(all(other[name] == row[name] is not None for name in names) for other in others):
                raise next(error for column, error in self.conflicts.items() if column in names)

    def _record(self, row: object) -> RecordT:
        values = cast("Row", row)
        return self.record.model_validate({name: values[name] for name in self.record.model_fields})


def _value_of(default: Any) -> Any:
    if default is None:
        return None
    return default.arg(None) if default.is_callable else default.arg


class FakeUserDao(FakeDao[UserRead], UserDao):
    """`UserDao` in memory."""
