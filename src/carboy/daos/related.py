"""Writes what belongs to a row besides its columns: its links to other rows, and its children."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, bindparam, delete, insert, select, update

from carboy.daos.relations import Relation, relations_of
from carboy.daos.statements import insert_unless_there, possible_id, removal, stamped
from carboy.db import Database
from carboy.db.failures import TransactionConflictError
from carboy.errors import FieldProblem, InvalidInputError
from carboy.models.base import Base
from carboy.models.soft_deletion import living

Row = Mapping[str, Any]


class Related:
    """What is written together with a row: its collections, and the versions of the rows that show it.

    Who saves collections has written the row itself before, and so keeps others from them until the transaction ends.

    Args:
        model: The row's model.
        touches: Its relationships to rows that show it.
    """

    def __init__(self, model: type[Base], touches: Sequence[str]) -> None:
        relations = relations_of(model)
        self._writers = {
            name: _Children(each) if each.far is None else _Links(each, each.far)
            for name, each in relations.items()
            if each.many
        }
        unknown = sorted({*touches} - relations.keys())
        if unknown:
            raise TypeError(f"touches = {unknown}: {model.__name__} has no relationship of this name.")
        self._touches = [(relations[name].key.name, relations[name].touch()) for name in touches]

    def divide(self, values: Row) -> tuple[Row, dict[str, Any]]:
        """Return the values of columns, and those of collections."""
        related = {name: values[name] for name in self._writers if name in values}
        return {name: values[name] for name in values if name not in related} if related else values, related

    async def save(self, database: Database, identity: int, related: Row, *, is_new: bool) -> None:
        """Make a row's collections what they are given as.

        Raises:
            InvalidInputError: An id in them is none of a row that they could have.
        """
        for name, wanted in related.items():
            await self._writers[name].save(database, identity, wanted, is_new=is_new)

    async def touch(self, database: Database, identity: int, *, only_by: Row | None = None) -> None:
        """Count up the versions of the rows that show a row.

        Args:
            database: Where they are.
            identity: The row's id.
            only_by: Only those that the row is related to by a column in this.
        """
        for key, statement in self._touches:
            if only_by is None or key in only_by:
                await database.execute(statement, {"row_id": possible_id(identity)}, writes=True)


class _Links:
    """Links to rows that are told by id, or by a value: a row that has it is made where there is none."""

    def __init__(self, relation: Relation, far: Column[int]) -> None:
        self._relation, self._far, near = relation, far, relation.near
        table, named_by = relation.table, relation.table.c[relation.value]
        one_of = named_by.in_(bindparam("row_values", expanding=True))
        # They stay until the links are there. SQLite knows no such clause and needs none, as it has one writer.
        find = select(named_by, table.c.id).where(one_of, *living(table))
        self._find = find.with_for_update(read=True, key_share=True)
        self._make = insert_unless_there(table).returning(named_by, table.c.id)
        self._present = select(far).where(near == bindparam("row_id"))
        of_these = far.in_(bindparam("row_values", expanding=True))
        self._remove = delete(near.table).where(near == bindparam("row_id"), of_these)
        self._add = insert(near.table)

    async def save(self, database: Database, identity: int, wanted: Sequence[Any], *, is_new: bool) -> None:
        ids = set((await self._ids(database, wanted)).values())
        found = () if is_new else await database.execute(self._present, {"row_id": identity})
        present = {row[0] for row in found}
        gone, new = sorted(present - ids), sorted(ids - present)
        if gone:
            await database.execute(self._remove, {"row_id": identity, "row_values": gone}, writes=True)
        if new:
            links = [{self._relation.near.name: identity, self._far.name: other} for other in new]
            await database.execute(self._add, links, writes=True)

    async def _ids(self, database: Database, wanted: Sequence[Any]) -> dict[Any, int]:
        by_id = self._relation.value == "id"
        ids = await self._found(database, {possible_id(value) for value in wanted} if by_id else {*wanted})
        missing = sorted({*wanted} - ids.keys())
        if missing and by_id:
            raise _unknown(self._relation, [index for index, value in enumerate(wanted) if value not in ids], "")
        if missing:
            # In the order of the values, so that no two transactions wait for each other.
            rows = [stamped({self._relation.value: value}) for value in missing]
            ids |= _pairs(await database.execute(self._make, rows, writes=True))
            # The others have been made by transactions that have committed since we looked.
            ids |= await self._found(database, {*wanted} - ids.keys())
        if len(ids) < len({*wanted}):
            raise TransactionConflictError
        return ids

    async def _found(self, database: Database, values: set[Any]) -> dict[Any, int]:
        if not values:
            return {}
        return _pairs(await database.execute(self._find, {"row_values": sorted(values)}))


class _Children:
    """Rows that belong to one row alone: those with an id are changed, those without are new, the others are deleted.

    A column ``position`` gets the place of each among them, from 0.
    """

    def __init__(self, relation: Relation) -> None:
        self._relation, self._table = relation, relation.table
        is_child = (relation.near == bindparam("row_parent"), *living(self._table))
        self._present = select(self._table).where(*is_child)
        is_one = (self._table.c.id == bindparam("row_id"), *is_child)
        self._change = update(self._table).where(*is_one).values(version=self._table.c.version + 1)
        self._remove = removal(self._table).where(self._table.c.id.in_(bindparam("row_ids", expanding=True)))
        self._add = insert(self._table)

    async def save(self, database: Database, identity: int, wanted: Sequence[Row], *, is_new: bool) -> None:
        children = [self._placed(identity, index, item) for index, item in enumerate(wanted)]
        found = () if is_new else await database.execute(self._present, {"row_parent": identity})
        present: dict[int, Row] = {row.id: row._asdict() for row in found}
        kept = [child["id"] for child in children if "id" in child]
        unknown = [index for index, child in enumerate(children) if child.get("id", None) not in {None, *present}]
        if unknown or len(set(kept)) < len(kept):
            raise _unknown(self._relation, unknown or [*range(len(children))], "/id")
        if gone := sorted(present.keys() - kept):
            await database.execute(self._remove, {"row_ids": gone}, writes=True)
        changed = [child for child in children if "id" in child and not child.items() <= present[child["id"]].items()]
        for rows in _alike({**child, "row_id": child["id"], "row_parent": identity} for child in changed):
            await database.execute(self._change, rows, writes=True)
        for rows in _alike(stamped(child) for child in children if "id" not in child):
            await database.execute(self._add, rows, writes=True)

    def _placed(self, identity: int, index: int, item: Row) -> dict[str, Any]:
        # A parameter that a statement has no place for would be left out without an error.
        child = {self._table.c[name].name: value for name, value in item.items() if (name, value) != ("id", None)}
        child[self._relation.near.name] = identity
        return child | {"position": index} if "position" in self._table.c else child


def _pairs(rows: Iterable[Any]) -> dict[Any, int]:
    return dict(rows)


def _alike(rows: Iterable[Row]) -> Iterable[list[Row]]:
    """Return rows in lists of those with the same columns, as one statement writes them."""
    alike: dict[tuple[str, ...], list[Row]] = defaultdict(list)
    for row in rows:
        alike[tuple(sorted(row))].append(row)
    return alike.values()


def _unknown(relation: Relation, indexes: Iterable[int], end: str) -> InvalidInputError:
    detail = f"There is no such row of {relation.table.name}."
    return InvalidInputError([FieldProblem(detail=detail, pointer=f"#/{relation.name}/{i}{end}") for i in indexes])
