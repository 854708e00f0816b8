"""Maps what a database refuses to errors for clients."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Column, ForeignKey, Table, literal, select
from sqlalchemy.exc import DBAPIError

from carboy.db import Database
from carboy.db.refusals import Reason, Refusal, refusal_of
from carboy.errors import CarboyError, FieldProblem, InUseError, InvalidInputError

Declared = Mapping[str | tuple[str, ...], type[CarboyError]]
"""Maps what is refused to the error to raise: see `carboy.daos.base.Dao`."""

FORBIDS = frozenset({None, "RESTRICT", "NO ACTION"})
"""The ON DELETE actions of a foreign key that forbid deleting the row it refers to."""

DETAILS = {
    Reason.REFERENCE: "Must be the id of something that exists.",
    Reason.CHECK: "Must be a value that this field may have.",
    Reason.VALUE: "Must not be longer or larger than this field can hold.",
}


class Refusals:
    """Maps what a database refuses for one table to errors for clients.

    Args:
        database: The database.
        table: The table.
        declared: The errors that the DAO declares.
    """

    def __init__(self, database: Database, table: Table, declared: Declared) -> None:
        self._database, self._table, self._declared = database, table, declared

    async def explain(self, error: DBAPIError, values: Mapping[str, object], deleted: int | None) -> CarboyError | None:
        """Return the error for the client, or None if none is declared: the log then names the constraint.

        Args:
            error: What the driver raised.
            values: The parameters of the statement, among them those of the row.
            deleted: The id of the row that was to be deleted; None if it was to be changed or added.
        """
        refusal = refusal_of(error, self._table)
        if refusal.reason is Reason.REFERENCE:
            refusal, used_by = await self._about_reference(refusal, values, deleted)
        else:
            used_by = None
        declared = self._look_up(refusal, used_by)
        if declared is not None:
            return declared()
        if used_by is not None:
            named = f"{', '.join(used_by)} refer to this one." if used_by else None
            return InUseError(named, used_by=used_by)
        if refusal.reason in DETAILS:
            pointer = f"#/{refusal.columns[0]}" if len(refusal.columns) == 1 else "#"
            return InvalidInputError([FieldProblem(pointer=pointer, detail=DETAILS[refusal.reason])])
        error.add_note(f"Refused by {refusal} of the table {self._table.name}, for which no error is declared.")
        return None

    def _look_up(self, refusal: Refusal, used_by: list[str] | None) -> type[CarboyError] | None:
        names = {*refusal.names, *(used_by or ())}
        exact = (error for key, error in self._declared.items() if key in names or key == refusal.columns)
        by_column = (error for key, error in self._declared.items() if key in refusal.columns)
        return next(exact, None) or next(by_column, None)

    async def _about_reference(
        self, refusal: Refusal, values: Mapping[str, object], deleted: int | None
    ) -> tuple[Refusal, list[str] | None]:
        """Return an error that names the references to nothing, or the tables whose rows refer to this one."""
        if deleted is None and refusal.table == self._table.name:
            return refusal, None
        if deleted is None and refusal.table is None:
            # SQLite does not tell which. Only the statement has failed; the transaction goes on.
            missing = await self._missing(values)
            if missing is not None:
                name = str(missing.constraint.name) if missing.constraint is not None else ""
                return replace(refusal, names=frozenset({name}), columns=(missing.parent.name,)), None
        refusal = replace(refusal, columns=())
        if refusal.table is not None:
            return refusal, [refusal.table]
        return refusal, [] if deleted is None else await self._referring(deleted)

    async def _missing(self, values: Mapping[str, object]) -> ForeignKey | None:
        """Return the first reference of a row to a row that does not exist."""
        for column in self._table.columns:
            value = values.get(column.name)
            for key in column.foreign_keys if value is not None else ():
                if not await self._database.execute(select(literal(1)).where(key.column == value).limit(1)):
                    return key
        return None

    async def _referring(self, identity: int) -> list[str]:
        """Return the tables with rows that refer to a row and so forbid deleting it."""
        found = []
        for column, key in self._references():
            referred = select(key.column).where(self._table.c.id == identity).scalar_subquery()
            if await self._database.execute(select(literal(1)).where(column == referred).limit(1)):
                found.append(column.table.name)
        return list(dict.fromkeys(found))

    def _references(self) -> Iterator[tuple[Column[Any], ForeignKey]]:
        """Yield the foreign keys of all tables that forbid deleting rows of this one."""
        for table in self._table.metadata.tables.values():
            for key in (key for column in table.columns for key in column.foreign_keys):
                if key.target_fullname.rpartition(".")[0] == self._table.fullname and key.ondelete in FORBIDS:
                    yield key.parent, key
