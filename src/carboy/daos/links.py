"""Writes the links of a many-to-many relationship."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Column, bindparam, delete, insert, select

from carboy.daos.items import Items
from carboy.daos.refusals import Declared
from carboy.daos.relations import Relation
from carboy.daos.statements import insert_unless_there, possible_id, stamped
from carboy.db import Database
from carboy.db.failures import TransactionConflictError
from carboy.models.soft_deletion import living


class Links:
    """Links to rows that are named by their id or by a value; a missing row with that value is inserted."""

    def __init__(self, relation: Relation, far: Column[int], declared: Declared) -> None:
        self._relation, self._far, near = relation, far, relation.near
        self._items = Items(relation, declared)
        table, named_by = relation.table, relation.table.c[relation.value]
        one_of = named_by.in_(bindparam("row_values", expanding=True))
        # The lock keeps the rows until the links are written. SQLite needs none, because it has one writer.
        find = select(named_by, table.c.id).where(one_of, *living(table))
        self._find = find.with_for_update(read=True, key_share=True)
        self._make = insert_unless_there(table).returning(named_by, table.c.id)
        self._present = select(far).where(near == bindparam("row_id"))
        of_these = far.in_(bindparam("row_values", expanding=True))
        self._remove = delete(near.table).where(near == bindparam("row_id"), of_these)
        self._add = insert(near.table)
        link = select(bindparam("row_id", type_=near.type), table.c.id).where(one_of, *living(table))
        named = insert(near.table).from_select([near, far], link.with_for_update(read=True, key_share=True))
        self._add_named = named.returning(far)

    async def save(self, database: Database, identity: int, wanted: Sequence[Any], *, is_new: bool) -> None:
        """Link a row to the wanted rows, and remove its other links.

        Raises:
            InvalidInputError: There is no row with such an id, or the column cannot hold a value.
        """
        if not wanted and is_new:
            return
        present = await (self._link(database, identity, wanted) if is_new else self._linked(database, identity))
        if is_new and len(present) == len({*wanted}):
            # There are all of them, as there mostly are.
            return
        ids = set((await self._ids(database, wanted)).values())
        gone, new = sorted(present - ids), sorted(ids - present)
        if gone:
            await database.execute(self._remove, {"row_id": identity, "row_values": gone}, writes=True)
        if new:
            links = [{self._relation.near.name: identity, self._far.name: other} for other in new]
            await database.execute(self._add, links, writes=True)

    async def _link(self, database: Database, identity: int, wanted: Sequence[Any]) -> set[int]:
        """Link a new row to those of the wanted rows that exist, and return their ids."""
        parameters = {"row_id": identity, "row_values": self._sought(wanted)}
        return {row[0] for row in await database.execute(self._add_named, parameters, writes=True)}

    async def _linked(self, database: Database, identity: int) -> set[int]:
        return {row[0] for row in await database.execute(self._present, {"row_id": identity})}

    async def _ids(self, database: Database, wanted: Sequence[Any]) -> dict[Any, int]:
        """Return the ids of the wanted rows by the ids or values that name them."""
        by_id = self._relation.value == "id"
        places = {value: index for index, value in reversed([*enumerate(wanted)])}
        ids = await self._found(database, wanted)
        missing = places.keys() - ids.keys()
        if missing and by_id:
            raise self._items.unknown(sorted(places[value] for value in missing))
        if missing:
            # Sorted, so that two transactions cannot deadlock.
            new = [(places[value], stamped({self._relation.value: value})) for value in sorted(missing)]
            ids |= _pairs(await self._items.write(database, self._make, new))
            # Concurrent transactions have inserted the others meanwhile.
            ids |= await self._found(database, places.keys() - ids.keys())
        if places.keys() - ids.keys():
            raise TransactionConflictError
        return ids

    async def _found(self, database: Database, values: Iterable[Any]) -> dict[Any, int]:
        parameters = {"row_values": self._sought(values)}
        return _pairs(await database.execute(self._find, parameters)) if parameters["row_values"] else {}

    def _sought(self, values: Iterable[Any]) -> list[Any]:
        return sorted({possible_id(value) for value in values} if self._relation.value == "id" else {*values})


def _pairs(rows: Iterable[Any]) -> dict[Any, int]:
    return dict(rows)
