"""What every DAO can do. A DAO adds look-ups of its own; the fifth looks like the first."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Generic, NoReturn, TypeVar

from pydantic import ConfigDict, TypeAdapter
from sqlalchemy import ColumnElement, Insert, Row, Select, Table, Update, bindparam, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.sql.dml import ReturningDelete

from carboy.db import Database
from carboy.db.failures import violated_columns
from carboy.errors import ConflictError, NotFoundError, StaleVersionError
from carboy.models.base import MAX_ID, MAX_VERSION, Base
from carboy.schemas.base import Record, Versions

T = TypeVar("T")
RecordT = TypeVar("RecordT", bound=Record)


class Dao(Generic[RecordT]):
    """Reads and writes the rows of one table, as records.

    A record names the columns that are read: columns cost half of what entities do, and a column that no record names,
    such as a password hash, cannot slip out.

    Attributes:
        model: The table.
        record: What its rows are returned as.
        not_found: Raised when a row that was asked for is not there.
        conflicts: By column with a unique constraint, what to raise when a row has the value already.
    """

    model: ClassVar[type[Base]]
    record: type[RecordT]
    not_found: ClassVar[type[NotFoundError]]
    conflicts: ClassVar[Mapping[str, type[ConflictError]]] = {}

    def __init__(self, database: Database) -> None:
        self._database = database
        # A statement is built once for each of its shapes and given its values as parameters: to build it, and to look
        # up what that compiles to, would cost more than to run it.
        self._prepared: Callable[..., Any] = lru_cache(_build)

    async def get(self, identity: int) -> RecordT:
        """Return the row with this id.

        Raises:
            NotFoundError: There is none; the class is the DAO's own.
        """
        return self._found(await self.find(identity))

    async def find(self, identity: int) -> RecordT | None:
        return await self._find_by(id=_possible(identity))

    async def get_all(self, *, limit: int, after: int = 0, **equal: object) -> list[RecordT]:
        """Return rows in the order of their ids.

        Args:
            limit: The most rows to return.
            after: Only rows with a larger id: the last one of the page before (keyset pagination).
            **equal: Only rows in which these columns have these values.
        """
        statement = self._prepared(self._select_page, _shape(equal))
        return self._records(await self._database.execute(statement, equal | {"after": after, "limit": limit}))

    async def add(self, values: Mapping[str, object]) -> RecordT:
        """Insert a row and return it.

        Raises:
            ConflictError: Another row has a value that must be unique; the class is the DAO's own.
        """
        [record] = await self._write(self._prepared(self._insert), stamped(self._known(values)))
        return record

    async def update(self, identity: int, values: Mapping[str, object], *, versions: Versions = None) -> RecordT:
        """Change some columns of a row, count its version up, and return it.

        Args:
            identity: The row's id.
            values: The new values by column.
            versions: Those that the new values may have been worked out from; None if they depend on nothing.

        Raises:
            NotFoundError: There is no such row.
            StaleVersionError: The row has another version.
            ConflictError: As for `add`.
        """
        statement = self._prepared(self._update, versions is not None)
        changed = await self._write(statement, {**self._known(values), **_row(identity, versions)})
        if not changed:
            await self._explain_miss(identity)
        return changed[0]

    async def delete(self, identity: int, *, versions: Versions = None) -> None:
        """Delete a row.

        Args:
            identity: The row's id.
            versions: Those of which it must have one; None for any.

        Raises:
            NotFoundError: There is no such row.
            StaleVersionError: The row has another version.
        """
        statement = self._prepared(self._delete, versions is not None)
        if not await self._database.execute(statement, _row(identity, versions), writes=True):
            await self._explain_miss(identity)

    async def _explain_miss(self, identity: int) -> NoReturn:
        """Say why no row was changed: it is not there, or it has another version."""
        await self.get(identity)
        raise StaleVersionError

    async def _find_by(self, **equal: object) -> RecordT | None:
        """Return the row in which these columns have these values; they must be unique together.

        Within a transaction the row is locked until its end, so that what is worked out from it is not overtaken.
        """
        statement = self._prepared(self._select, _shape(equal), self._database.is_writing)
        records = self._records(await self._database.execute(statement, equal))
        return records[0] if records else None

    def _found(self, record: RecordT | None) -> RecordT:
        if record is None:
            raise self.not_found
        return record

    def _known(self, values: Mapping[str, object]) -> Mapping[str, object]:
        # A parameter that a statement has no place for would be left out without an error.
        for name in values:
            self._table.c[name]
        return values

    async def _write(self, statement: Insert | Update, values: Mapping[str, object]) -> list[RecordT]:
        try:
            return self._records(await self._database.execute(statement, values, writes=True))
        except IntegrityError as error:
            violated = violated_columns(error, self._table)
            for column, conflict in self.conflicts.items():
                if column in violated:
                    raise conflict from error
            raise

    def _select(self, shape: "Shape", locks: bool = False) -> Select[Any]:  # noqa: FBT001, FBT002 - it is cached by position.
        statement = select(*self._columns())
        for name, is_null in shape:
            column = self._table.c[name]
            statement = statement.where(column.is_(None) if is_null else column == bindparam(name))
        # Keys stay free to be referred to. SQLite knows no such clause and needs none, as it has one writer.
        return statement.with_for_update(key_share=True) if locks else statement

    def _select_page(self, shape: "Shape") -> Select[Any]:
        identity = self._table.c.id
        return self._select(shape).where(identity > bindparam("after")).order_by(identity).limit(bindparam("limit"))

    def _insert(self) -> Insert:
        return insert(self._table).returning(*self._columns())

    def _update(self, checks_version: bool) -> Update:  # noqa: FBT001 - it is cached by position.
        statement = update(self._table).where(*self._row_is(checks_version))
        # What else is set follows from the parameters.
        return statement.values(version=self._table.c.version + 1).returning(*self._columns())

    def _delete(self, checks_version: bool) -> ReturningDelete[Any]:  # noqa: FBT001 - likewise.
        return delete(self._table).where(*self._row_is(checks_version)).returning(self._table.c.id)

    def _row_is(self, checks_version: bool) -> Iterator[ColumnElement[bool]]:  # noqa: FBT001 - likewise.
        yield self._table.c.id == bindparam("row_id")
        if checks_version:
            yield self._table.c.version.in_(bindparam("row_versions", expanding=True))

    @cached_property
    def _table(self) -> Table:
        return self.model.metadata.tables[self.model.__tablename__]

    def _columns(self) -> list[Any]:
        return [self._table.c[name] for name in self.record.model_fields]

    def _records(self, rows: Sequence[Row[Any]]) -> list[RecordT]:
        # A quarter of what it costs to have the record read its fields from each row.
        names = self._names
        return self._adapter.validate_python([dict(zip(names, row, strict=True)) for row in rows])

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self.record.model_fields)

    @cached_property
    def _adapter(self) -> TypeAdapter[list[RecordT]]:
        return TypeAdapter(list[self.record], config=ConfigDict(hide_input_in_errors=True))  # type: ignore[name-defined]


Shape = tuple[tuple[str, bool], ...]
"""The columns that a look-up compares, each with whether it looks for null."""


def _shape(equal: Mapping[str, object]) -> Shape:
    return tuple((name, value is None) for name, value in equal.items())


def _build(builder: Callable[..., T], *shape: object) -> T:
    return builder(*shape)


def _row(identity: int, versions: Versions) -> dict[str, object]:
    row: dict[str, object] = {"row_id": _possible(identity)}
    if versions is not None:
        row["row_versions"] = [version for version in versions if version <= MAX_VERSION]
    return row


def _possible(identity: int) -> int:
    """Return an id, or one that no row has in place of one that the database could not even compare."""
    return identity if 0 < identity <= MAX_ID else 0


def stamped(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values of a new row with its two timestamps, which are the same moment."""
    now = datetime.now(UTC)
    return {"created_at": now, "updated_at": now, **values}
