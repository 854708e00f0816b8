"""Adds, changes and deletes the rows of one table."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Executable, Row
from sqlalchemy.exc import DBAPIError

from carboy.daos.filters import filter_parameters, shape_of
from carboy.daos.limits import Limits
from carboy.daos.refusals import Refusals
from carboy.daos.related import Related
from carboy.daos.statements import Statements, row_parameters, stamped
from carboy.db import Database
from carboy.schemas.base import Versions
from carboy.schemas.filters import Filter

Rows = Sequence[Row[Any]]
Values = Mapping[str, object]
Asked = Mapping[Filter, object]


class Writing:
    """Runs the statements that change rows; what the database refuses becomes an error for clients.

    Args:
        database: Where the rows are.
        statements: What changes them.
        prepared: What calls a method of `statements`, and remembers what it returned.
        refusals: What tells clients why a row was refused.
        related: What belongs to a row besides its columns.
    """

    def __init__(
        self,
        database: Database,
        statements: Statements,
        prepared: Callable[..., Any],
        refusals: Refusals,
        related: Related,
    ) -> None:
        self._database, self._statements, self._prepared = database, statements, prepared
        self._refusals, self._related, self._limits = refusals, related, prepared(Limits, statements.table)

    async def add(self, values: Values, collections: Mapping[str, Any], statements: Statements) -> Rows:
        """Insert a row, and return the columns of it that the statements read."""
        rows = await self._change(self._prepared(statements.insert), stamped(values))
        await self._related.save(self._database, rows[0].id, collections, is_new=True)
        await self._related.touch(self._database, rows[0].id)
        return rows

    def add_at_commit(self, values: Values) -> None:
        """Insert a row when the transaction commits."""
        self._limits.require(values)
        self._database.execute_at_commit(self._prepared(self._statements.insert_unread), stamped(values))

    async def add_unless_there(self, values: Values) -> None:
        """Insert a row unless another one has a unique value of it."""
        rows = await self._change(self._prepared(self._statements.insert_unless_there), stamped(values))
        if rows:
            await self._related.touch(self._database, rows[0].id)

    async def update(
        self,
        identity: int,
        values: Values,
        collections: Mapping[str, Any],
        versions: Versions,
        statements: Statements,
    ) -> Rows:
        """Change a row, and return it; nothing if there is none, or it has another version."""
        if self._related.touches:
            await self._related.touch(self._database, identity)
        statement = self._prepared(statements.update, versions is not None)
        rows = await self._change(statement, {**values, **row_parameters(identity, versions)})
        if rows and (collections or self._related.touches):
            await self._related.save(self._database, identity, collections, is_new=False)
            await self._related.touch(self._database, identity, only_by=values)
        return rows

    async def delete(self, identity: int, versions: Versions) -> Rows:
        """Delete a row, and return its id; nothing if there is none, or it has another version."""
        await self._related.touch(self._database, identity)
        statement = self._prepared(self._statements.delete, versions is not None)
        return await self._change(statement, row_parameters(identity, versions), deleted=identity)

    async def delete_until(self, column: str, moment: datetime, asked: Asked, limit: int) -> int:
        """Delete rows whose moment in a column has come, and return how many; their parents' versions stay."""
        statement = self._prepared(self._statements.delete_until, shape_of(asked), column)
        values = filter_parameters(asked) | {"row_until": moment, "row_limit": limit}
        return len(await self._database.execute(statement, values, writes=True))

    async def restore(self, identity: int) -> Rows:
        """Take the mark of a deletion from a row, and return it; nothing if there is none with a mark."""
        rows = await self._change(self._prepared(self._statements.restore), row_parameters(identity, None))
        await self._related.touch(self._database, identity)
        return rows

    async def _change(self, statement: Executable, values: Values, *, deleted: int | None = None) -> Rows:
        self._limits.require(values)
        try:
            return await self._database.execute(statement, values, writes=True)
        except DBAPIError as error:
            meaning = await self._refusals.explain(error, values, deleted)
            if meaning is None:
                raise
            raise meaning from error
