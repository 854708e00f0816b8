"""Relationships of a model, as DAOs read and write them."""

from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Table, Update, bindparam, inspect, select, update
from sqlalchemy.orm import RelationshipProperty

from carboy.models.base import Base, table_of
from carboy.models.soft_deletion import living


@dataclass(frozen=True, eq=False)
class Relation:
    """A relationship of a model.

    Attributes:
        name: Its name in the model.
        model: The model of the related rows.
        key: The column of the own row that says which rows are related: a foreign key to a parent, else the id.
        near: The column that equals it: a parent's id, a child's foreign key, or the link table's.
        far: The link table's column that refers to the related rows; None if there is no link table.
        many: Whether a row may have several.
        is_parent: Whether this row refers to the related row.
        value: The column of a related row that a record shows if its field is a plain value.
        order: What several are sorted by.
    """

    name: str
    model: type[Base]
    key: Column[Any]
    near: Column[Any]
    far: Column[Any] | None
    many: bool
    is_parent: bool
    value: str
    order: tuple[ColumnElement[Any], ...]

    @property
    def table(self) -> Table:
        return table_of(self.model)

    def read(self, *names: str) -> Select[Any]:
        """Return the statement for the key and these columns of the rows that are related to any of ``row_keys``."""
        columns = (self.table.c[name] for name in names)
        statement = select(self.near, *columns).where(self.near.in_(bindparam("row_keys", expanding=True)))
        if self.far is not None:
            statement = statement.select_from(self.far.table.join(self.table, self.far == self.table.c.id))
        # A deleted parent is still shown with its row; deleted rows are left out of collections.
        return statement.where(*living(self.table)).order_by(*self.order) if self.many else statement

    def touch(self) -> Update:
        """Return the statement that increases the versions of the rows related to the row ``row_id``."""
        own = self.key.table
        related = select(self.key).where(own.c.id == bindparam("row_id"))
        by = self.near
        if self.far is not None:
            related, by = select(self.far).where(self.near == bindparam("row_id")), self.table.c.id
        return update(self.table).where(by.in_(related)).values(version=self.table.c.version + 1)


@cache
def relations_of(model: type[Base]) -> dict[str, Relation]:
    """Return the relationships of a model by name."""
    return {name: _relation(model, found) for name, found in inspect(model).relationships.items()}


def _relation(model: type[Base], found: RelationshipProperty[Any]) -> Relation:
    links = isinstance(found.secondary, Table)
    pairs = found.synchronize_pairs if links else found.local_remote_pairs or []
    far_pairs = found.secondary_synchronize_pairs or [] if links else [(None, None)]
    if len(pairs) != 1 or len(far_pairs) != 1:
        raise TypeError(
            f"{model.__name__}.{found.key}: a relationship must go by one foreign key, not several columns."
        )
    related: type[Base] = found.mapper.class_
    table, own = table_of(related), table_of(model)
    near_table = found.secondary if isinstance(found.secondary, Table) else table
    [(key, near)], [(_, far)] = pairs, far_pairs
    value = found.info.get("value", "id")
    if value not in table.c:
        raise TypeError(f'{model.__name__}.{found.key}: info={{"value": "{value}"}} names no column of {table.name}.')
    order = found.order_by or ()
    return Relation(
        name=found.key,
        model=related,
        key=own.c[key.name],
        near=near_table.c[near.name],
        far=None if far is None else near_table.c[far.name],
        many=bool(found.uselist),
        is_parent=found.direction.name == "MANYTOONE",
        value=value,
        order=(*order, table.c[value]) if value != "id" else (*order, table.c.id),
    )
