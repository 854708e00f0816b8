"""DAOs over the database in memory. The same contract tests hold for them and for the real ones."""

from collections.abc import Mapping
from datetime import datetime
from functools import cmp_to_key, partial
from typing import Any, TypeVar, cast

from dependency_injector.containers import Container
from dependency_injector.providers import Provider, Singleton
from sqlalchemy import UniqueConstraint
from sqlalchemy.exc import IntegrityError

from carboy.daos.base import NOTHING, Dao
from carboy.daos.keyset import Key, Order, Place, Slice, order_of
from carboy.daos.statements import stamped
from carboy.di.paths import providers_of
from carboy.errors import StaleVersionError
from carboy.idempotency.daos import IdempotencyKeyDao
from carboy.idempotency.schemas import IdempotencyKeyRead
from carboy.schemas.base import Record, Versions
from carboy.schemas.filters import Where
from carboy.schemas.text import spellings
from carboy.testing.database import FakeDatabase, Row

RecordT = TypeVar("RecordT", bound=Record)
DaoT = TypeVar("DaoT", bound=Dao[Any])


class FakeDao(Dao[RecordT]):
    """Keeps a table's rows in a `FakeDatabase`, with the defaults and unique constraints of its model.

    Look-ups by column work as they are, so that `fake_of` can make the fake of most DAOs. One that has SQL of its own
    needs a class that overrides what runs it::

        class FakeInvoiceDao(FakeDao[InvoiceRead], InvoiceDao): ...
    """

    _database: FakeDatabase

    def __init__(self, database: FakeDatabase) -> None:
        super().__init__(database)

    async def page(
        self,
        *,
        limit: int,
        sort: str = "id",
        place: Place | None = None,
        search: str | None = None,
        where: Where = NOTHING,
    ) -> Slice[RecordT]:
        self._database.touch()
        order = order_of(self._table, self.sorts, sort)
        keyed = [(tuple(row[column.name] for column, _, _ in order), row) for row in self._matching(where, search)]
        keyed.sort(key=lambda pair: cmp_to_key(partial(_compare, order))(pair[0]))
        backward = False
        if place is not None:
            backward = place.backward
            keyed = [(key, row) for key, row in keyed if _is_beyond(_compare(order, key, place.key), place)]
        near = keyed[max(0, len(keyed) - limit) :] if backward else keyed[:limit]
        first, last = (near[0][0], near[-1][0]) if near else ((), ())
        return Slice([self._record(row) for _, row in near], first, last, more=len(keyed) > limit)

    async def count(self, *, search: str | None = None, where: Where = NOTHING) -> int:
        self._database.touch()
        return len(self._matching(where, search))

    async def add(self, values: Mapping[str, object]) -> RecordT:
        self._database.touch(writes=True)
        row = {column.name: _value_of(column.default) for column in self._table.columns}
        row |= {"id": self._database.next_id(self._table.name)} | {**stamped(self._complete(values))}
        self._check(row)
        self._all()[row["id"]] = row
        return self._record(row)

    async def update(self, identity: int, values: Mapping[str, object], *, versions: Versions = None) -> RecordT:
        self._database.touch(writes=True)
        row = self._expected(identity, versions)
        if not values:
            return self._record(row)
        renewed = {column.name: _value_of(column.onupdate) for column in self._table.columns if column.onupdate}
        changed = row | renewed | {**self._complete(values)} | {"version": row["version"] + 1}
        self._check(changed)
        self._all()[identity] = changed
        return self._record(changed)

    async def delete(self, identity: int, *, versions: Versions = None) -> None:
        self._database.touch(writes=True)
        self._expected(identity, versions)
        del self._all()[identity]

    async def _find_by(self, record: type[Record] | None = None, /, **equal: object) -> RecordT | None:
        self._database.touch()
        return next((self._record(row, record) for row in self._matching(equal)), None)

    def _all(self) -> dict[int, Row]:
        return self._database.rows(self._table.name)

    def _expected(self, identity: int, versions: Versions) -> Row:
        row = self._all().get(identity)
        if row is None:
            raise self.not_found
        if versions is not None and row["version"] not in versions:
            raise StaleVersionError
        return row

    def _matching(self, where: Where, search: str | None = None) -> list[Row]:
        texts = spellings(search) if search is not None else None
        equal = {one.column: value for one, value in self._asked(where).items()}
        for name in equal:
            self._table.c[name]  # Fails for a column that is not there, as the real one does.
        rows = [row for row in self._all().values() if all(row[name] == equal[name] for name in equal)]
        if texts is None:
            return rows
        return [row for row in rows if any(text in (row[name] or "") for name in self.searched for text in texts)]

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

    def _record(self, row: object, record: type[Record] | None = None) -> RecordT:
        values, kind = cast("Row", row), cast("type[RecordT]", record or self.record)
        return kind.model_validate({name: values[name] for name in kind.model_fields})


def _compare(order: Order, one: Key, other: Key) -> int:
    """Return a negative number if the row with one key stands before that with the other, and 0 if it is the same."""
    for (_, descends, _), value, against in zip(order, one, other, strict=True):
        if value != against:
            return 1 if (value > against) != descends else -1
    return 0


def _is_beyond(compared: int, place: Place) -> bool:
    return place.inclusive if compared == 0 else (compared < 0) == place.backward


def _value_of(default: Any) -> Any:
    if default is None:
        return None
    return default.arg(None) if default.is_callable else default.arg


class FakeIdempotencyKeyDao(FakeDao[IdempotencyKeyRead], IdempotencyKeyDao):
    """`IdempotencyKeyDao` in memory."""

    async def delete_expired(self, now: datetime, *, limit: int) -> None:
        self._database.touch(writes=True)
        rows = sorted(self._all().values(), key=lambda row: (row["expires_at"], row["id"]))
        for row in [row for row in rows if row["expires_at"] <= now][:limit]:
            del self._all()[row["id"]]


def fake_of(dao: type[DaoT]) -> type[DaoT]:
    """Return the fake of a DAO: the class ``Fake...`` that was written for it, or else one with nothing of its own."""
    name = f"Fake{dao.__name__}"
    written = (fake for fake in FakeDao.__subclasses__() if dao in fake.__bases__ and fake.__name__ == name)
    fake: Any = next(written, None) or type(name, (FakeDao, dao), {})
    return cast("type[DaoT]", fake)


def fakes_of(container: Container) -> dict[str, Provider[Any]]:
    """Return what to override, by name, so that a container needs no database: it and every DAO.

    Use it as ``override(container, **fakes_of(container))``.
    """
    daos = {
        name: provider.provides
        for name, provider in providers_of(container).items()
        if isinstance(provider, Singleton)
        and isinstance(provider.provides, type)
        and issubclass(provider.provides, Dao)
    }
    fakes = {name: Singleton(fake_of(dao), database=container.providers["database"]) for name, dao in daos.items()}
    return {"database": Singleton(FakeDatabase), **fakes}
