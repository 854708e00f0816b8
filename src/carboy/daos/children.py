"""Writes the children of a row."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, insert, select, update

from carboy.daos.items import Items, Values
from carboy.daos.refusals import Declared
from carboy.daos.relations import Relation
from carboy.daos.statements import removal, stamped
from carboy.db import Database
from carboy.models.soft_deletion import living


class Children:
    """Rows that belong to one row alone: those with an id are changed, those without are new, the others are deleted.

    A column ``position`` gets the place of each among them, from 0.
    """

    def __init__(self, relation: Relation, declared: Declared) -> None:
        self._relation, self._table = relation, relation.table
        self._items = Items(relation, declared)
        is_child = (relation.near == bindparam("row_parent"), *living(self._table))
        self._present = select(self._table).where(*is_child)
        is_one = self._table.c.id == bindparam("row_id")
        self._change = update(self._table).where(is_one).values(version=self._table.c.version + 1)
        self._remove = removal(self._table).where(self._table.c.id.in_(bindparam("row_ids", expanding=True)))
        self._add = insert(self._table)

    async def save(self, database: Database, identity: int, wanted: Sequence[Values], *, is_new: bool) -> None:
        """Make the children of a row what is wanted, in that order.

        Raises:
            InvalidInputError: One has an id that no child of this row has, refers to a row that does not exist, or has
                a value that its column cannot hold.
        """
        children = [*enumerate(self._placed(identity, index, item) for index, item in enumerate(wanted))]
        found = () if is_new else await database.execute(self._present, {"row_parent": identity})
        present: dict[int, Values] = {row.id: row._asdict() for row in found}
        kept = {child["id"]: index for index, child in reversed(children) if "id" in child}
        if unknown := [i for i, child in children if "id" in child and child["id"] not in present]:
            raise self._items.unknown(unknown, "id")
        if twice := [i for i, child in children if "id" in child and kept[child["id"]] != i]:
            raise self._items.named_twice(twice)
        if gone := sorted(present.keys() - kept.keys()):
            await database.execute(self._remove, {"row_ids": gone}, writes=True)
        changed = [
            (index, child | {"row_id": child["id"]})
            for index, child in children
            if "id" in child and not child.items() <= present[child["id"]].items()
        ]
        await self._items.write(database, self._change, changed)
        await self._items.write(
            database, self._add, [(i, stamped(child)) for i, child in children if "id" not in child]
        )

    def _placed(self, identity: int, index: int, item: Values) -> dict[str, Any]:
        # SQLAlchemy drops parameters without a column silently, so a wrong name must fail here.
        child = {self._table.c[name].name: value for name, value in item.items() if (name, value) != ("id", None)}
        child[self._relation.near.name] = identity
        return child | {"position": index} if "position" in self._table.c else child
