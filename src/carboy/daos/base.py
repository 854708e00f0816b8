"""Base class of DAOs: CRUD, keyset pages, unique-constraint errors."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Generic, NoReturn, TypeVar, cast

from sqlalchemy import Executable, Row, Table
from sqlalchemy.exc import DBAPIError

from carboy.daos.declarations import check_declaration
from carboy.daos.filters import filter_parameters, shape_of
from carboy.daos.keyset import Key, Place, Slice, key_parameters
from carboy.daos.limits import Limits
from carboy.daos.reading import Reading
from carboy.daos.refusals import Declared, Refusals
from carboy.daos.related import Related
from carboy.daos.searches import WINDOWS, index_parameters, text_parameters
from carboy.daos.statements import Statements, possible_id, row_parameters, stamped
from carboy.db import Database
from carboy.db.failures import TransactionConflictError
from carboy.errors import NotFoundError, StaleVersionError
from carboy.models.base import Base, table_of
from carboy.schemas import filters
from carboy.schemas.base import Record, Versions
from carboy.schemas.filters import Equal, Filter, Where
from carboy.schemas.text import fold

T = TypeVar("T")
RecordT = TypeVar("RecordT", bound=Record)
NOTHING: Mapping[str, object] = {}
OtherT = TypeVar("OtherT", bound=Record)


class Dao(Generic[RecordT]):
    """Reads and writes the rows of one table, as records.

    Only the columns that the record names are selected. That costs half as much as loading ORM entities, and a column
    that no record names, such as a password hash, is never read.

    Attributes:
        model: The table.
        record: What its rows are returned as.
        not_found: Raised when a row that was asked for is not there.
        folded: Maps a case-insensitive field to the column of its case-folded text. The DAO fills that column and
            compares by it, because databases disagree on lower case outside ASCII.
        folds: Maps such a field to the function that folds it, if that is not `fold`.
        conflicts: Maps what the database may refuse to the error to raise. A key is a column, a tuple of columns, or
            the name of a constraint or unique index; for a deletion, the table whose rows refer to this one. By
            default a reference to nothing and a value that a column cannot hold raise `InvalidInputError`, a row that
            others refer to raises `InUseError`, and a duplicate is a 500, whose log names the constraint.
        sorts: Maps the names that lists can be sorted by, besides ``id``, to columns. Each is the first column of an
            index, followed by the id unless its values are unique.
        searched: The columns that a search looks in; they hold case-folded text. If all are in the model's
            ``__search__``, its search index is used.
        touches: The relationships to rows that show this row's values: a change of this row increases their versions.
    """

    model: ClassVar[type[Base]]
    record: type[RecordT]
    not_found: ClassVar[type[NotFoundError]]
    folded: ClassVar[Mapping[str, str]] = {}
    folds: ClassVar[Mapping[str, Callable[[str], str]]] = {}
    conflicts: ClassVar[Declared] = {}
    sorts: ClassVar[Mapping[str, str]] = {}
    searched: ClassVar[Sequence[str]] = ()
    touches: ClassVar[Sequence[str]] = ()

    def __init__(self, database: Database) -> None:
        check_declaration(type(self))
        self._database = database
        # A statement is built once for each shape, and its values are parameters: building it, and looking up its
        # compiled form, costs more than running it.
        self._prepared: Callable[..., Any] = lru_cache(_build)

    async def get(self, identity: int) -> RecordT:
        """Return the row with this id.

        Raises:
            NotFoundError: There is none; the class is the DAO's own.
        """
        return self._found(await self.find(identity))

    async def find(self, identity: int) -> RecordT | None:
        return await self._find_by(id=possible_id(identity))

    async def find_as(self, record: type[OtherT], **equal: object) -> OtherT | None:
        """Return the row with these values as another record, such as one with a secret column.

        The values must be unique together.
        """
        return cast("OtherT | None", await self._find_by(record, **equal))

    async def page(
        self,
        *,
        limit: int,
        sort: str = "id",
        place: Place | None = None,
        search: str | None = None,
        where: Where = NOTHING,
    ) -> Slice[RecordT]:
        """Return the rows next to a place in a list.

        Each page costs the same, wherever it stands. A filter or a search without an index reads rows until the page is
        full: ADR 0009 tells how long that takes.

        Args:
            limit: The most rows to return.
            sort: ``id`` or names of `sorts`, separated by commas; ``-`` before a name means descending. Rows without a
                value come last, either way.
            place: Where to go on from; None for the beginning.
            search: Return only rows with this text in one of the `searched` columns, whatever its case.
            where: Return only rows that match: filters of `carboy.schemas.filters` or names of fields, with values.

        Raises:
            KeyError: There is no such sort, column or relationship.
        """
        asked, direction = self._asked(where), place and place.direction
        patterns, index = text_parameters(search), self._index_parameters(search)
        parameters = filter_parameters(asked) | patterns | index | {"row_limit": limit + 1}
        if place is not None:
            parameters |= key_parameters(place.key)
        statements = self._statements
        ways = [(statements.page_nearby, {"row_window": size * (limit + 1)}) for size in WINDOWS] if index else []
        rows: Sequence[Row[Any]] = ()
        for build, window in (*ways, (statements.page_found if index else statements.page, {})):
            statement = self._prepared(build, shape_of(asked), len(patterns), sort, direction)
            rows = await self._database.execute(statement, parameters | window)
            if len(rows) > limit:
                break
        near = rows[:limit][::-1] if place is not None and place.backward else rows[:limit]
        positions = self._prepared(statements.positions, sort)
        first, last = (tuple(row[at] for at in positions) for row in (near[0], near[-1])) if near else ((), ())
        return Slice(await self._reading.records(self._database, near), first, last, more=len(rows) > limit)

    async def count(self, *, search: str | None = None, where: Where = NOTHING) -> int:
        """Return the number of rows on all pages."""
        asked = self._asked(where)
        patterns, index = text_parameters(search), self._index_parameters(search)
        build = self._statements.count_found if index else self._statements.count
        statement = self._prepared(build, shape_of(asked), len(patterns))
        [(number,)] = await self._database.execute(statement, filter_parameters(asked) | patterns | index)
        return int(number)

    def key(self, sort: str, values: Sequence[object]) -> Key:
        """Return the key in a list with this sort that these JSON values stand for.

        Raises:
            ValueError: They are not values of the sort's columns.
        """
        key: Key = self._prepared(self._statements.key, sort).validate_python(tuple(values))
        return key

    async def add(self, values: Mapping[str, object]) -> RecordT:
        """Insert a row with its collections, and return it.

        Raises:
            ConflictError: Another row has a value that must be unique; `conflicts` names the class.
            InvalidInputError: The row or an item refers to a row that does not exist, or a column cannot hold a value.
        """
        own, related = self._related.divide(values)
        rows = await self._change(self._prepared(self._statements.insert), stamped(self._complete(own)))
        if related or self.touches:
            await self._related.save(self._database, rows[0].id, related, is_new=True)
            await self._related.touch(self._database, rows[0].id)
        return (await self._reading.records(self._database, rows))[0]

    async def get_or_add(self, **equal: object) -> RecordT:
        """Return the row with these values; insert it if it does not exist.

        One of the values must be unique, or all of them together. Of concurrent calls one inserts the row, and all
        return it.

        Raises:
            TransactionConflictError: Another row prevented the insertion in every attempt of the unit of work.
        """
        found = await self._find_by(**equal)
        if found is None:
            rows = await self._change(
                self._prepared(self._statements.insert_unless_there), stamped(self._complete(equal))
            )
            if rows and self.touches:
                await self._related.touch(self._database, rows[0].id)
            found = await self._find_by(**equal)
        if found is None:
            raise TransactionConflictError
        return found

    async def update(self, identity: int, values: Mapping[str, object], *, versions: Versions = None) -> RecordT:
        """Change some columns of a row, increase its version, and return it. Without values nothing changes.

        Args:
            identity: The row's id.
            values: The new values by column, and the new items of collections: see docs/relations.md.
            versions: The row must have one of these versions; None for any.

        Raises:
            NotFoundError: There is no such row.
            StaleVersionError: The row has another version.
            ConflictError, InvalidInputError: As for `add`.
        """
        if not values:
            return await self._unchanged(identity, versions)
        statement = self._prepared(self._statements.update, versions is not None)
        own, related = self._related.divide(values)
        if self.touches:
            await self._related.touch(self._database, identity)
        rows = await self._change(statement, {**self._complete(own), **row_parameters(identity, versions)})
        if not rows:
            await self._explain_miss(identity)
        if related or self.touches:
            await self._related.save(self._database, identity, related, is_new=False)
            await self._related.touch(self._database, identity, only_by=own)
        return (await self._reading.records(self._database, rows))[0]

    async def delete(self, identity: int, *, versions: Versions = None) -> None:
        """Delete a row.

        Args:
            identity: The row's id.
            versions: The row must have one of these versions; None for any.

        Raises:
            NotFoundError: There is no such row.
            StaleVersionError: The row has another version.
            InUseError: Other rows refer to it.
        """
        if self.touches:
            await self._related.touch(self._database, identity)
        statement = self._prepared(self._statements.delete, versions is not None)
        if not await self._change(statement, row_parameters(identity, versions), deleted=identity):
            await self._explain_miss(identity)

    async def _unchanged(self, identity: int, versions: Versions) -> RecordT:
        record: Any = await self.get(identity)
        if versions is not None and record.version not in versions:
            raise StaleVersionError
        return cast("RecordT", record)

    async def _explain_miss(self, identity: int) -> NoReturn:
        """Raise why no row was changed: it does not exist, or it has another version."""
        await self.get(identity)
        raise StaleVersionError

    async def _find_by(self, record: type[Record] | None = None, /, **equal: object) -> RecordT | None:
        """Return the row with these values, which must be unique together.

        Within a transaction the row is locked until its end, so that no other transaction changes it meanwhile.
        """
        reading, statements = self._reading, self._statements
        if record is not None:
            reading = self._prepared(Reading, self.model, record)
            statements = self._prepared(replace, statements, names=reading.names)
        asked = self._asked(equal)
        statement = self._prepared(statements.one, shape_of(asked), self._database.is_writing)
        rows = await self._database.execute(statement, filter_parameters(asked))
        records = await reading.records(self._database, rows)
        return records[0] if records else None

    def _found(self, record: RecordT | None) -> RecordT:
        if record is None:
            raise self.not_found
        return record

    def _complete(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return the values and the case-folded columns that they fill, unless those are given."""
        # SQLAlchemy drops parameters without a column silently, so a wrong name must fail here.
        for name in values:
            self._table.c[name]
        spelt = {column: self._folded(name, values[name]) for name, column in self.folded.items() if name in values}
        return {**spelt, **values}

    def _asked(self, where: Where) -> dict[Filter, object]:
        """Return the filters with their values; case-insensitive fields are compared by their folded columns."""
        asked: dict[Filter, object] = {}
        for one, value in where.items():
            field = Equal(one) if isinstance(one, str) else one
            if field.column in self.folded and not isinstance(field, filters.Related):
                asked[replace(field, column=self.folded[field.column])] = self._folded(field.column, value)
            else:
                asked[field] = value
        return asked

    def _folded(self, name: str, value: object) -> object:
        if isinstance(value, tuple):
            return tuple(self._folded(name, one) for one in value)
        return self.folds.get(name, fold)(value) if name in self.folded and isinstance(value, str) else value

    def _index_parameters(self, search: str | None) -> dict[str, object]:
        is_indexed = bool(self.searched) and {*self.searched} <= {*self.model.__search__}
        return index_parameters(search) if search is not None and is_indexed else {}

    async def _change(
        self, statement: Executable, values: Mapping[str, object], *, deleted: int | None = None
    ) -> Sequence[Row[Any]]:
        """Run a statement that changes rows of this table, and map what the database refuses to an error for clients.

        Args:
            statement: The statement.
            values: Its parameters.
            deleted: The id of the row that it deletes.

        Raises:
            CarboyError: As `conflicts` says.
        """
        self._limits.require(values)
        try:
            return await self._database.execute(statement, values, writes=True)
        except DBAPIError as error:
            meaning = await self._refusals.explain(error, values, deleted)
            if meaning is None:
                raise
            raise meaning from error

    @property
    def name(self) -> str:
        """The name of the table."""
        return self._table.name

    @cached_property
    def _table(self) -> Table:
        return table_of(self.model)

    @cached_property
    def _statements(self) -> Statements:
        return Statements(self.model, self._reading.names, self.sorts, self.searched)

    @cached_property
    def _limits(self) -> Limits:
        return Limits(self._table)

    @cached_property
    def _refusals(self) -> Refusals:
        return Refusals(self._database, self._table, self.conflicts)

    @cached_property
    def _reading(self) -> Reading[RecordT]:
        return Reading(self.model, self.record)

    @cached_property
    def _related(self) -> Related:
        return Related(self.model, self.touches, self.conflicts)


def _build(builder: Callable[..., T], *shape: object, **options: object) -> T:
    return builder(*shape, **options)
