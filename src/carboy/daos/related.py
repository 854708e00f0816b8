"""Writes a row's collections, and the versions of the rows that show it."""

from collections.abc import Sequence
from typing import Any

from carboy.daos.children import Children
from carboy.daos.items import Values
from carboy.daos.links import Links
from carboy.daos.refusals import Declared
from carboy.daos.relations import relations_of
from carboy.daos.statements import possible_id
from carboy.db import Database
from carboy.models.base import Base, table_of


class Related:
    """Writes a row's collections, and the versions of the rows that show it.

    The row is written before its collections: its lock protects them until the transaction ends.

    Args:
        model: The row's model.
        touches: Its relationships to rows that show it.
        conflicts: The errors that its DAO declares; for related tables, by the names of their constraints.
    """

    def __init__(self, model: type[Base], touches: Sequence[str], conflicts: Declared) -> None:
        relations, columns = relations_of(model), table_of(model).c
        named: Declared = {
            name: error for name, error in conflicts.items() if isinstance(name, str) and name not in columns
        }
        self._writers = {
            name: Children(each, named) if each.far is None else Links(each, each.far, named)
            for name, each in relations.items()
            if each.many
        }
        self.touches = [(relations[name].key.name, relations[name].touch()) for name in touches]

    def divide(self, values: Values) -> tuple[Values, dict[str, Any]]:
        """Split values into those of columns and those of collections."""
        if self._writers.keys().isdisjoint(values):
            return values, {}
        related = {name: values[name] for name in self._writers if name in values}
        return {name: values[name] for name in values if name not in related}, related

    async def save(self, database: Database, identity: int, related: Values, *, is_new: bool) -> None:
        """Replace a row's collections.

        Raises:
            InvalidInputError: An item refers to a row that does not exist, or its column cannot hold a value.
        """
        for name, wanted in related.items():
            await self._writers[name].save(database, identity, wanted, is_new=is_new)

    async def touch(self, database: Database, identity: int, *, only_by: Values | None = None) -> None:
        """Increase the versions of the rows that show a row.

        Args:
            database: The database.
            identity: The row's id.
            only_by: Columns of the row; only rows that it is related to by one of them.
        """
        for key, statement in self.touches:
            if only_by is None or key in only_by:
                await database.execute(statement, {"row_id": possible_id(identity)}, writes=True)
