"""What every DAO can do. A DAO adds look-ups of its own; the fifth looks like the first."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, TypeVar

from sqlalchemy import Select, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import InstrumentedAttribute

from carboy.db import Database
from carboy.db.failures import violated_columns
from carboy.errors import ConflictError, NotFoundError, StaleVersionError
from carboy.models.base import MAX_ID, Base
from carboy.schemas.base import Record

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
        statement = self._select(**equal).where(self.model.id > after).order_by(self.model.id).limit(limit)
        result = await self._database.session().execute(statement)
        return [self._record(row) for row in result]

    async def add(self, values: Mapping[str, object]) -> RecordT:
        """Insert a row and return it.

        Raises:
            ConflictError: Another row has a value that must be unique; the class is the DAO's own.
        """
        return self._record(await self._write(insert(self.model).values(**stamped(values)).returning(*self._columns())))

    async def update(self, identity: int, values: Mapping[str, object], *, version: int | None = None) -> RecordT:
        """Change some columns of a row, count its version up, and return it.

        Args:
            identity: The row's id.
            values: The new values by column.
            version: The version that the new values were worked out from; None if they depend on nothing.

        Raises:
            NotFoundError: There is no such row.
            StaleVersionError: The row has another version.
            ConflictError: As for `add`.
        """
        statement = update(self.model).where(self.model.id == _possible(identity))
        if version is not None:
            statement = statement.where(self.model.version == version)
        statement = statement.values(**values, version=self.model.version + 1).returning(*self._columns())
        row = await self._write(statement)
        if row is None:
            await self.get(identity)
            raise StaleVersionError
        return self._record(row)

    async def delete(self, identity: int) -> None:
        """Delete a row.

        Raises:
            NotFoundError: There is no such row.
        """
        statement = delete(self.model).where(self.model.id == _possible(identity)).returning(self.model.id)
        if await self._write(statement) is None:
            raise self.not_found

    async def _find_by(self, **equal: object) -> RecordT | None:
        """Return the row in which these columns have these values; they must be unique together.

        Within a transaction the row is locked until its end, so that what is worked out from it is not overtaken.
        """
        statement = self._select(**equal)
        if self._database.is_writing:
            # Keys stay free to be referred to. SQLite knows no such clause and needs none, as it has one writer.
            statement = statement.with_for_update(key_share=True)
        result = await self._database.session().execute(statement)
        row = result.one_or_none()
        return None if row is None else self._record(row)

    def _found(self, record: RecordT | None) -> RecordT:
        if record is None:
            raise self.not_found
        return record

    def _select(self, **equal: object) -> Select[Any]:
        conditions = [getattr(self.model, column) == value for column, value in equal.items()]
        return select(*self._columns()).where(*conditions)

    def _columns(self) -> Sequence[InstrumentedAttribute[Any]]:
        return [getattr(self.model, name) for name in self.record.model_fields]

    def _record(self, row: object) -> RecordT:
        return self.record.model_validate(row)

    async def _write(self, statement: Any) -> Any:
        try:
            result = await self._database.session(writes=True).execute(statement)
        except IntegrityError as error:
            violated = violated_columns(error, self.model.metadata.tables[self.model.__tablename__])
            for column, conflict in self.conflicts.items():
                if column in violated:
                    raise conflict from error
            raise
        return result.one_or_none()


def _possible(identity: int) -> int:
    """Return an id, or one that no row has in place of one that the database could not even compare."""
    return identity if 0 < identity <= MAX_ID else 0


def stamped(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values of a new row with its two timestamps, which are the same moment."""
    now = datetime.now(UTC)
    return {"created_at": now, "updated_at": now, **values}
