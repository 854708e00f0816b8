"""The statements that every DAO runs, for one table. Their values come as parameters, when they are run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Delete,
    Executable,
    Insert,
    Select,
    Table,
    Update,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql

from carboy.daos.keyset import Direction, Order, has_text, order_of, paged
from carboy.models.base import MAX_ID, MAX_VERSION
from carboy.models.soft_deletion import is_soft_deleted, living
from carboy.schemas.base import Versions

Shape = tuple[tuple[str, bool], ...]
"""The columns that a look-up compares, each with whether it looks for null."""


# Its methods are called with positions only, by which what they return is remembered.
# ruff: noqa: FBT001
@dataclass(frozen=True, eq=False)
class Statements:
    """Builds statements.

    Attributes:
        table: The table.
        names: The columns that are read, in this order.
        sorts: By the names that lists can be sorted by besides ``id``, the columns.
        searched: The columns in which lists look for text.
    """

    table: Table
    names: Sequence[str]
    sorts: Mapping[str, str]
    searched: Sequence[str]

    def one(self, shape: Shape, locks: bool) -> Select[Any]:
        statement = self._where(select(*self._columns()), shape)
        # Keys stay free to be referred to. SQLite knows no such clause and needs none, as it has one writer.
        return statement.with_for_update(key_share=True) if locks else statement

    def page(self, shape: Shape, patterns: int, sort: str, direction: Direction | None) -> Select[Any]:
        order = self.order(sort)
        others = (column for column, _ in order if column.name not in self.names)
        return paged(self._where(select(*self._columns(), *others), shape, patterns), order, direction)

    def order(self, sort: str) -> Order:
        return order_of(self.table, self.sorts, sort)

    def count(self, shape: Shape, patterns: int) -> Select[Any]:
        return self._where(select(func.count()).select_from(self.table), shape, patterns)

    def insert(self) -> Insert:
        return insert(self.table).returning(*self._columns())

    def insert_unless_there(self) -> Insert:
        return insert_unless_there(self.table).returning(*self._columns())

    def update(self, checks_version: bool) -> Update:
        statement = update(self.table).where(*self._row_is(checks_version))
        # What else is set follows from the parameters.
        return statement.values(version=self.table.c.version + 1).returning(*self._columns())

    def delete(self, checks_version: bool) -> Executable:
        return removal(self.table).where(*self._row_is(checks_version)).returning(self.table.c.id)

    def _columns(self) -> Iterable[Column[Any]]:
        return (self.table.c[name] for name in self.names)

    def _where(self, statement: Select[Any], shape: Shape, patterns: int = 0) -> Select[Any]:
        statement = statement.where(*living(self.table))
        for name, is_null in shape:
            column = self.table.c[name]
            statement = statement.where(column.is_(None) if is_null else column == bindparam(name))
        columns = [self.table.c[name] for name in self.searched]
        return statement.where(has_text(columns, patterns)) if patterns else statement

    def _row_is(self, checks_version: bool) -> Iterator[ColumnElement[bool]]:
        yield self.table.c.id == bindparam("row_id")
        yield from living(self.table)
        if checks_version:
            yield self.table.c.version.in_(bindparam("row_versions", expanding=True))


def removal(table: Table) -> Delete | Update:
    """Return the statement that deletes rows of a table, or marks them as deleted where the table keeps them."""
    if not is_soft_deleted(table):
        return delete(table)
    moment = bindparam("row_moment", callable_=lambda: datetime.now(UTC), type_=table.c.deleted_at.type)
    return update(table).values(deleted_at=moment, version=table.c.version + 1)


def insert_unless_there(table: Table) -> Insert:
    """Return the statement that inserts a row unless another one has a unique value of it.

    It waits for a transaction that is just inserting such a row, so that a look finds what it has committed.
    """
    # That of PostgreSQL compiles to what SQLite understands too.
    return postgresql.insert(table).on_conflict_do_nothing()


def stamped(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values of a new row with its two timestamps, which are the same moment."""
    now = datetime.now(UTC)
    return {"created_at": now, "updated_at": now, **values}


def shape_of(equal: Mapping[str, object]) -> Shape:
    return tuple((name, value is None) for name, value in equal.items())


def row_parameters(identity: int, versions: Versions) -> dict[str, object]:
    """Return the parameters of a statement that changes or deletes a row."""
    row: dict[str, object] = {"row_id": possible_id(identity)}
    if versions is not None:
        row["row_versions"] = [version for version in versions if version <= MAX_VERSION]
    return row


def possible_id(identity: int) -> int:
    """Return an id, or one that no row has in place of one that the database could not even compare."""
    return identity if 0 < identity <= MAX_ID else 0
