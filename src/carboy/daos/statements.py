"""Builds the statements of a DAO. Their values are parameters, given when they run."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any

from pydantic import AwareDatetime, ConfigDict, Field, TypeAdapter
from sqlalchemy import (
    Column,
    ColumnElement,
    Delete,
    Executable,
    Insert,
    Select,
    Table,
    Text,
    TypeDecorator,
    Update,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import aliased

from carboy.daos.filters import Shape, conditions
from carboy.daos.keyset import Direction, Key, Term, nearest, order_in, order_of, paged
from carboy.daos.searches import has_text, text_patterns
from carboy.models.base import MAX_ID, MAX_VERSION, Base, table_of
from carboy.models.numbers import Amount
from carboy.models.search import may_match
from carboy.models.soft_deletion import is_soft_deleted, living
from carboy.schemas.base import Versions


# DAOs cache what these methods return, by positional arguments.
# ruff: noqa: FBT001
@dataclass(frozen=True, eq=False)
class Statements:
    """Builds statements.

    Attributes:
        model: The model of the table.
        names: The columns to read, in this order.
        sorts: Maps the names that lists can be sorted by, besides ``id``, to columns.
        searched: The columns that a search looks in.
    """

    model: type[Base]
    names: Sequence[str]
    sorts: Mapping[str, str]
    searched: Sequence[str]

    @cached_property
    def table(self) -> Table:
        return table_of(self.model)

    def one(self, shape: Shape, locks: bool) -> Select[Any]:
        statement = self._where(select(*self._columns()), shape)
        # Other transactions may still refer to the row by its key. SQLite needs no lock, because it has one writer.
        return statement.with_for_update(key_share=True) if locks else statement

    def page(self, shape: Shape, patterns: int, sort: str, direction: Direction | None) -> Select[Any]:
        """Read rows in order until the page is full."""
        return paged(self._where(self._listed(sort), shape, patterns), self._order(sort), direction)

    def page_nearby(self, shape: Shape, patterns: int, sort: str, direction: Direction | None) -> Select[Any]:
        """Read the next `row_window` rows in order, and return those that match: fast if matches are frequent."""
        order = self._order(sort)
        rows = paged(select(self.table).where(*living(self.table)), order, direction, "row_window").subquery()
        wanted = select(*(rows.c[name] for name in self._listed_names(sort)))
        wanted = wanted.where(has_text([rows.c[name] for name in self.searched], patterns))
        wanted = wanted.where(*conditions(shape, aliased(self.model, rows), rows.c))
        return nearest(wanted, order_in(rows.c, order), direction).limit(bindparam("row_limit"))

    def page_found(self, shape: Shape, patterns: int, sort: str, direction: Direction | None) -> Select[Any]:
        """Find all matching rows by the search index, then sort them: fast if matches are rare."""
        found = self._where(self._listed(sort), shape, patterns).where(self._may_match(patterns))
        rows = found.cte().prefix_with("MATERIALIZED")
        return paged(select(rows), order_in(rows.c, self._order(sort)), direction)

    def positions(self, sort: str) -> list[int]:
        """Return the positions of the key's columns in the rows of a page."""
        return [self._listed_names(sort).index(column.name) for column in self._columns_of(sort)]

    def key(self, sort: str) -> TypeAdapter[Key]:
        """Return the adapter that reads a key from JSON values."""
        kinds: Any = tuple.__class_getitem__(tuple(map(_kind, self._columns_of(sort))))
        return TypeAdapter(kinds, config=ConfigDict(hide_input_in_errors=True))

    def count(self, shape: Shape, patterns: int) -> Select[Any]:
        return self._where(select(func.count()).select_from(self.table), shape, patterns)

    def count_found(self, shape: Shape, patterns: int) -> Select[Any]:
        return self.count(shape, patterns).where(self._may_match(patterns))

    def insert(self) -> Insert:
        return insert(self.table).returning(*self._columns())

    def insert_unread(self) -> Insert:
        return insert(self.table)

    def insert_unless_there(self) -> Insert:
        return insert_unless_there(self.table).returning(*self._columns())

    def update(self, checks_version: bool) -> Update:
        statement = update(self.table).where(*self._row_is(checks_version))
        # The parameters determine which other columns are set.
        return statement.values(version=self.table.c.version + 1).returning(*self._columns())

    def delete(self, checks_version: bool) -> Executable:
        return removal(self.table).where(*self._row_is(checks_version)).returning(self.table.c.id)

    def delete_until(self, shape: Shape, column: str) -> Executable:
        """Delete rows whose moment has come, those first that came first; what others have locked is left out."""
        identity, moment = self.table.c.id, self.table.c[column]
        has_come = moment <= bindparam("row_until", type_=moment.type)
        old = select(identity).where(has_come, *conditions(shape, self.model, self.table.c))
        # A table expression is worked out once, where PostgreSQL may run a locking subquery again for each row. SQLite
        # has one writer, so that SQLAlchemy leaves the locking out there.
        some = old.order_by(moment, identity).limit(bindparam("row_limit")).with_for_update(skip_locked=True)
        return delete(self.table).where(identity.in_(select(some.cte("chosen").c.id))).returning(identity)

    def restore(self) -> Update:
        if not is_soft_deleted(self.table):
            raise TypeError(f"{self.table.name}: no row is restored where none stays: see SoftDeleted.")
        statement = update(self.table).where(self.table.c.id == bindparam("row_id"), ~and_(*living(self.table)))
        return statement.values(deleted_at=None, version=self.table.c.version + 1).returning(*self._columns())

    def _columns(self) -> Iterable[Column[Any]]:
        return (self.table.c[name] for name in self.names)

    def _order(self, sort: str) -> list[Term]:
        return order_of(self.table, self.sorts, sort)

    def _columns_of(self, sort: str) -> list[Column[Any]]:
        return [self.table.c[column.name] for column, _, _ in self._order(sort)]

    def _listed_names(self, sort: str) -> list[str]:
        return [*dict.fromkeys((*self.names, *(column.name for column in self._columns_of(sort))))]

    def _listed(self, sort: str) -> Select[Any]:
        return select(*(self.table.c[name] for name in self._listed_names(sort)))

    def _where(self, statement: Select[Any], shape: Shape, patterns: int = 0) -> Select[Any]:
        statement = statement.where(*living(self.table), *conditions(shape, self.model, self.table.c))
        columns = [self.table.c[name] for name in self.searched]
        return statement.where(has_text(columns, patterns)) if patterns else statement

    def _may_match(self, patterns: int) -> ColumnElement[bool]:
        return may_match(self.table, bindparam("row_match", type_=Text()), text_patterns(patterns))

    def _row_is(self, checks_version: bool) -> Iterator[ColumnElement[bool]]:
        yield self.table.c.id == bindparam("row_id")
        yield from living(self.table)
        if checks_version:
            yield self.table.c.version.in_(bindparam("row_versions", expanding=True))


def _kind(column: Column[Any]) -> Any:
    """Return the type of a column's values, as pydantic reads it."""
    of = column.type
    kind: Any = of.python_type
    if kind is object and isinstance(of, TypeDecorator):
        kind = of.impl_instance.python_type
    kind = AwareDatetime if kind is datetime else kind
    if isinstance(of, Amount):
        # A cursor may date from a time when the column had more decimals.
        kind = Annotated[kind, Field(max_digits=of.digits, decimal_places=of.scale)]
    return kind | None if column.nullable else kind


def removal(table: Table) -> Delete | Update:
    """Return the statement that deletes rows of a table, or marks them as deleted if the table has soft deletion."""
    if not is_soft_deleted(table):
        return delete(table)
    moment = bindparam("row_moment", callable_=lambda: datetime.now(UTC), type_=table.c.deleted_at.type)
    return update(table).values(deleted_at=moment, version=table.c.version + 1)


def insert_unless_there(table: Table) -> Insert:
    """Return the statement that inserts a row unless another row has one of its unique values.

    It waits for a transaction that is inserting such a row; afterwards a query finds the committed row.
    """
    # SQLite understands PostgreSQL's statement too.
    return postgresql.insert(table).on_conflict_do_nothing()


def stamped(values: Mapping[str, object]) -> Mapping[str, object]:
    """Return the values of a new row with its two timestamps, which are equal."""
    now = datetime.now(UTC)
    return {"created_at": now, "updated_at": now, **values}


def row_parameters(identity: int, versions: Versions) -> dict[str, object]:
    """Return the parameters of a statement that changes or deletes a row."""
    row: dict[str, object] = {"row_id": possible_id(identity)}
    if versions is not None:
        row["row_versions"] = [version for version in versions if version <= MAX_VERSION]
    return row


def possible_id(identity: int) -> int:
    """Return the id, or 0, which no row has, if the id is out of the column's range."""
    return identity if 0 < identity <= MAX_ID else 0
