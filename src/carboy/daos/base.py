"""Base class of DAOs: CRUD, keyset pages, unique-constraint errors."""

from collections.abc import Callable, Mapping, Sequence
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
        query: The query of its lists: what they are filtered and sorted by, and whether text is looked for.
        folded: By field whose case makes no difference, the column of its case-folded spelling, which is filled here.
            None for each column of text that has one named like it and ``_key`` beside it.
        folds: By such a field, what spells it so, where that is not `fold`.
        conflicts: By what the database may refuse, what to raise: a column, a tuple of columns, or the name of a
            constraint or unique index; for a deletion, the table whose rows refer to this one. Without it a reference
            to nothing and a value that a column cannot hold are an `InvalidInputError`, a row that others refer to is
            an `InUseError`, and a duplicate is a fault of ours, whose log names the constraint.
        searched: The columns in which lists look for text; they hold case-folded text. None for those of the model's
            ``__search__``, whose search index is used if all stand there.
        touches: The relationships to rows that show this one's values: a change here counts their versions up.
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
        """Return what is wrong with the declaration, a sentence each, by which the application does not start."""
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
        """Return the row in which these fields have these values as another record, such as one with a secret column.

        As for any look-up, the values must be unique together.
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

        It costs the same wherever it stands. A filter without an index, and a search without one, read rows until the
        page is full: ADR 0009 tells how long that takes.

        Args:
            limit: The most rows to return.
            sort: ``id`` or names that `query` declares, with commas between them, each with - before it if it descends.
                Rows without a value stand last, either way.
            place: Where to go on from; None for the beginning.
            search: Only rows in which one of the `searched` columns has this text in it, in whatever case.
            where: Only rows for which this holds: filters of `carboy.schemas.filters`, or names of fields, and values.

        Raises:
            KeyError: There is no such sort, column or relationship.
        """
        return await self._parts.lists.page(limit, sort, place, search, self._parts.folding.asked(where))

    async def count(self, *, search: str | None = None, where: Where = NOTHING) -> int:
        """Return the number of rows that `page` would go through."""
        return await self._parts.lists.count(search, self._parts.folding.asked(where))

    def key(self, sort: str, values: Sequence[object]) -> Key:
        """Return the key of a row of which these values were written as JSON, in a list that is sorted so.

        Raises:
            ValueError: They are not values of the columns of the sort.
        """
        return self._parts.lists.key(sort, values)

    async def add(self, values: Mapping[str, object]) -> RecordT:
        """Insert a row, with what is in its collections, and return it.

        Raises:
            InvalidInputError: A collection has an id that is none of a row which it could have.
            ConflictError: Another row has a value that must be unique; the class is the DAO's own.
            InvalidInputError: The row refers to one that is not there, or a column cannot hold its value.
        """
        own, collections = self._parts.related.divide(values)
        rows = await self._parts.writing.add(self._parts.folding.complete(own), collections)
        return (await self._parts.reading.records(self._database, rows))[0]

    async def get_or_add(self, **equal: object) -> RecordT:
        """Return the row in which these fields have these values; it is inserted if it is not there.

        One of the values must be unique, or all of them together. Of many who do this at once one inserts the row, and
        all get it.

        Raises:
            TransactionConflictError: Another row keeps it from being inserted, in every attempt of the unit.
        """
        found = await self._find_by(**equal)
        if found is None:
            await self._parts.writing.add_unless_there(self._parts.folding.complete(equal))
            found = await self._find_by(**equal)
        if found is None:
            raise TransactionConflictError
        return found

    async def update(self, identity: int, values: Mapping[str, object], *, versions: Versions = None) -> RecordT:
        """Change some columns of a row, count its version up, and return it; without any value nothing is changed.

        Args:
            identity: The row's id.
            values: The new values by column, and of a collection what it shall have: see docs/relations.md.
            versions: Those that the new values may have been worked out from; None if they depend on nothing.

        Raises:
            NotFoundError: There is no such row.
            StaleVersionError: The row has another version.
            ConflictError, InvalidInputError: As for `add`.
        """
        if not values:
            return await self._unchanged(identity, versions)
        own, collections = self._parts.related.divide(values)
        rows = await self._parts.writing.update(identity, self._parts.folding.complete(own), collections, versions)
        if not rows:
            await self._explain_miss(identity)
        return (await self._parts.reading.records(self._database, rows))[0]

    async def delete(self, identity: int, *, versions: Versions = None) -> None:
        """Delete a row.

        Args:
            identity: The row's id.
            versions: Those of which it must have one; None for any.

        Raises:
            NotFoundError: There is no such row.
            StaleVersionError: The row has another version.
            InUseError: Other rows refer to it, and must not be left without it.
        """
        if not await self._parts.writing.delete(identity, versions):
            await self._explain_miss(identity)

    async def restore(self, identity: int) -> RecordT:
        """Bring a softly deleted row back, and return it; one that is not deleted stays as it is.

        Raises:
            NotFoundError: There is no such row.
            ConflictError: Another row has a unique value of it by now; the class is the DAO's own.
            TypeError: The model is not `SoftDeleted`.
        """
        rows = await self._parts.writing.restore(identity)
        return (await self._parts.reading.records(self._database, rows))[0] if rows else await self.get(identity)

    async def _unchanged(self, identity: int, versions: Versions) -> RecordT:
        record: Any = await self.get(identity)
        if versions is not None and record.version not in versions:
            raise StaleVersionError
        return cast("RecordT", record)

    async def _explain_miss(self, identity: int) -> NoReturn:
        """Say why no row was changed: it is not there, or it has another version."""
        await self.get(identity)
        raise StaleVersionError

    async def _find_by(self, record: type[Record] | None = None, /, **equal: object) -> RecordT | None:
        """Return the row in which these fields have these values; they must be unique together.

        Within a transaction the row is locked until its end, so that what is worked out from it is not overtaken.
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
