"""Base class of DAOs: CRUD, keyset pages, unique-constraint errors."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Generic, NoReturn, TypeVar, cast

from carboy.daos.declarations import check_declaration, mistakes_in
from carboy.daos.keyset import Key, Place, Slice
from carboy.daos.parts import Parts
from carboy.daos.refusals import Declared
from carboy.daos.statements import possible_id
from carboy.db import Database
from carboy.db.failures import TransactionConflictError
from carboy.errors import NotFoundError, StaleVersionError
from carboy.models.base import Base
from carboy.schemas.base import PageQuery, Record, Versions
from carboy.schemas.filters import Where

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
        query: The query of its lists: it declares their filters and sorts, and whether they search.
        folded: Maps a case-insensitive field to the column of its case-folded text. The DAO fills that column and
            compares by it, because databases disagree on lower case outside ASCII. By default every text column that
            has a text column of the same name with ``_key`` beside it.
        folds: Maps such a field to the function that folds it, if that is not `fold`.
        conflicts: Maps what the database may refuse to the error to raise. A key is a column, a tuple of columns, or
            the name of a constraint or unique index; for a deletion, the table whose rows refer to this one. By
            default a reference to nothing and a value that a column cannot hold raise `InvalidInputError`, a row that
            others refer to raises `InUseError`, and a duplicate is a 500, whose log names the constraint.
        searched: The columns that a search looks in; they hold case-folded text. By default those of the model's
            ``__search__``. If all are there, its search index is used.
        touches: The relationships to rows that show this row's values: a change of this row increases their versions.
    """

    model: ClassVar[type[Base]]
    record: type[RecordT]
    not_found: ClassVar[type[NotFoundError]]
    query: ClassVar[type[PageQuery]] = PageQuery
    folded: ClassVar[Mapping[str, str] | None] = None
    folds: ClassVar[Mapping[str, Callable[[str], str]]] = {}
    conflicts: ClassVar[Declared] = {}
    searched: ClassVar[Sequence[str] | None] = None
    touches: ClassVar[Sequence[str]] = ()

    def __init__(self, database: Database) -> None:
        check_declaration(type(self))
        self._database = database
        self._parts: Parts[RecordT] = Parts(type(self), database)
        self._prepared, self._table = self._parts.prepared, self._parts.table

    @classmethod
    def mistakes(cls) -> Sequence[str]:
        """Return the mistakes in the declaration, one sentence each. With one, the application does not start."""
        return mistakes_in(cls)

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
            sort: ``id`` or sorts of `query`, separated by commas; ``-`` before a name means descending. Rows without a
                value come last, either way.
            place: Where to go on from; None for the beginning.
            search: Return only rows with this text in one of the `searched` columns, whatever its case.
            where: Return only rows that match: filters of `carboy.schemas.filters` or names of fields, with values.

        Raises:
            KeyError: There is no such sort, column or relationship.
        """
        return await self._parts.lists.page(limit, sort, place, search, self._parts.folding.asked(where))

    async def count(self, *, search: str | None = None, where: Where = NOTHING) -> int:
        """Return the number of rows on all pages."""
        return await self._parts.lists.count(search, self._parts.folding.asked(where))

    def key(self, sort: str, values: Sequence[object]) -> Key:
        """Return the key in a list with this sort that these JSON values stand for.

        Raises:
            ValueError: They are not values of the sort's columns.
        """
        return self._parts.lists.key(sort, values)

    async def add(self, values: Mapping[str, object]) -> RecordT:
        """Insert a row with its collections, and return it.

        Raises:
            ConflictError: Another row has a value that must be unique; `conflicts` names the class.
            InvalidInputError: The row or an item refers to a row that does not exist, or a column cannot hold a value.
        """
        return await self._add(None, values)

    async def add_as(self, record: type[OtherT], values: Mapping[str, object]) -> OtherT:
        """Insert a row as `add` does, and return it as another record, such as one without related rows."""
        return cast("OtherT", await self._add(record, values))

    def add_at_commit(self, values: Mapping[str, object]) -> None:
        """Insert a row just before the transaction commits: one statement writes all that it adds in this way.

        Until then the transaction does not see the row. What the database refuses fails the transaction, and is no
        declared error.

        Raises:
            InvalidInputError: A column cannot hold a value.
            TypeError: There is more to write than one row: it has collections, or `touches` others.
        """
        own, collections = self._parts.related.divide(values)
        if collections or self.touches:
            raise TypeError(f"{type(self).__name__}: a row that others belong to is added at once, by add(...).")
        self._parts.writing.add_at_commit(self._parts.folding.complete(own))

    async def get_or_add(self, **equal: object) -> RecordT:
        """Return the row with these values; insert it if it does not exist.

        One of the values must be unique, or all of them together. Of concurrent calls one inserts the row, and all
        return it.

        Raises:
            TransactionConflictError: Another row prevented the insertion in every attempt of the unit of work.
        """
        found = await self._find_by(**equal)
        if found is None:
            await self._parts.writing.add_unless_there(self._parts.folding.complete(equal))
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
        return await self._update(None, identity, values, versions)

    async def update_as(self, record: type[OtherT], identity: int, values: Mapping[str, object]) -> OtherT:
        """Change a row as `update` does, whatever its version, and return it as another record.

        Raises:
            NotFoundError, ConflictError, InvalidInputError: As for `update`.
        """
        return cast("OtherT", await self._update(record, identity, values))

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
        if not await self._parts.writing.delete(identity, versions):
            await self._explain_miss(identity)

    async def delete_until(self, column: str, moment: datetime, *, limit: int, where: Where = NOTHING) -> int:
        """Delete rows whose moment has come, softly deleted ones too, and return how many; see `Kept`.

        Those go first whose moment came first. What another transaction has locked is left to a later call.

        Args:
            column: The column of the moments.
            moment: The last moment that has come.
            limit: The most rows to delete.
            where: Delete only rows that match, as in `page`.
        """
        return await self._parts.writing.delete_until(column, moment, self._parts.folding.asked(where), limit)

    async def restore(self, identity: int) -> RecordT:
        """Undo a soft deletion, and return the row; a row that is not deleted is not changed.

        Raises:
            NotFoundError: There is no such row.
            ConflictError: Another row has one of its unique values by now; `conflicts` names the class.
            TypeError: The model is not `SoftDeleted`.
        """
        rows = await self._parts.writing.restore(identity)
        return (await self._parts.reading.records(self._database, rows))[0] if rows else await self.get(identity)

    async def _add(self, record: type[Record] | None, values: Mapping[str, object]) -> RecordT:
        own, collections = self._parts.related.divide(values)
        reading, statements = self._parts.read_as(record)
        rows = await self._parts.writing.add(self._parts.folding.complete(own), collections, statements)
        return (await reading.records(self._database, rows))[0]

    async def _update(
        self,
        record: type[Record] | None,
        identity: int,
        values: Mapping[str, object],
        versions: Versions = None,
    ) -> RecordT:
        own, collections = self._parts.related.divide(values)
        reading, statements = self._parts.read_as(record)
        complete = self._parts.folding.complete(own)
        rows = await self._parts.writing.update(identity, complete, collections, versions, statements)
        if not rows:
            await self._explain_miss(identity)
        return (await reading.records(self._database, rows))[0]

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
        return await self._parts.find(record, equal)

    def _found(self, record: RecordT | None) -> RecordT:
        if record is None:
            raise self.not_found
        return record

    @property
    def name(self) -> str:
        """The name of the table."""
        return self._table.name
