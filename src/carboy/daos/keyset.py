"""Keyset pagination: a page starts after the values of the last row of the page before it."""

from collections.abc import Iterator, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Select, Table, UnaryExpression, bindparam, select, union_all

from carboy.schemas.base import Record

RecordT = TypeVar("RecordT", bound=Record)
Key = tuple[Any, ...]

EQUAL, AFTER, FROM, NULL, SET = "equal", "after", "from", "null", "set"
"""The condition on a column: equal to the key's value, beyond it, either, null, or not null."""


class Term(NamedTuple):
    """A column that a list is sorted by. Nulls come last, ascending or descending."""

    column: ColumnElement[Any]
    descends: bool
    nullable: bool


Order = Sequence[Term]
"""The columns that a list is sorted by. Together they are unique, and the last is never null."""


class Direction(NamedTuple):
    """What the form of a `paged` statement depends on.

    Attributes:
        backward: Whether to read the rows before the place instead of those after it.
        inclusive: Whether to read the row at the place too.
        nulls: For each column of the order, whether the row at the place has null in it.
    """

    backward: bool
    inclusive: bool
    nulls: tuple[bool, ...]


class Place(NamedTuple):
    """A place in a list, next to a row that may have been deleted since.

    Attributes:
        key: The row's values in the columns that the list is sorted by.
        backward: Whether to read the rows before it instead of those after it.
        inclusive: Whether to read the row itself too.
    """

    key: Key
    backward: bool = False
    inclusive: bool = False

    @property
    def direction(self) -> Direction:
        return Direction(self.backward, self.inclusive, tuple(value is None for value in self.key))


class Slice(NamedTuple, Generic[RecordT]):
    """Consecutive rows of a list.

    Attributes:
        records: The rows, in the order of the list.
        first: The key of the first of them; empty if there is none.
        last: The key of the last one.
        more: Whether there are further rows in the direction that was read.
    """

    records: list[RecordT]
    first: Key
    last: Key
    more: bool


def order_of(table: Table, sorts: Mapping[str, str], sort: str) -> list[Term]:
    """Return the order that a sort such as ``-created,username`` means; the id decides between equal rows.

    Args:
        table: The table.
        sorts: Its columns by the names that they are sorted by.
        sort: ``id`` or some of these names; those that follow a unique one make no difference.
    """
    order = []
    names = sort.split(",")
    for name in (*names, "-id" if names[-1].startswith("-") else "id"):
        column = table.c[{**sorts, "id": "id"}[name.removeprefix("-")]]
        order.append(Term(column, name.startswith("-"), bool(column.nullable)))
        # A unique column may be null in any number of rows.
        if column.primary_key or (column.unique and not column.nullable):
            break
    return order


def paged(statement: Select[Any], order: Order, direction: Direction | None, limit: str = "row_limit") -> Select[Any]:
    """Return the statement for the rows next to a place, nearest first.

    The rows beyond (x, y) are those with x and more than y, those with more than x, and those with null in place of x.
    Each of these parts is one range of an index, whatever the sort directions and wherever the database puts nulls, so
    that each page costs the same. A single condition would make SQLite read all rows with x; so would a row value that
    contains the id.

    Args:
        statement: It selects all rows, and at least the columns of the order.
        order: What they are sorted by.
        direction: The direction to read in from the place; None to read from the beginning of the list.
        limit: The parameter for the number of rows.
    """
    parts = [nearest(statement, order, direction, kinds).limit(bindparam(limit)) for kinds in _parts(order, direction)]
    if len(parts) == 1:
        return parts[0]
    rows = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return nearest(select(rows), order_in(rows.c, order), direction).limit(bindparam(limit))


def nearest(
    statement: Select[Any], order: Order, direction: Direction | None, kinds: Sequence[str] = ()
) -> Select[Any]:
    """Return the statement for the same rows, sorted by their distance from the place.

    Args:
        statement: It selects rows beyond the place.
        order: What they are sorted by.
        direction: Where these rows are, seen from the place.
        kinds: The conditions on the first columns of the order, if only one part is read.
    """
    backward = direction is not None and direction.backward
    order = [Term(column, descends != backward, nullable) for column, descends, nullable in order]
    return statement.where(*_conditions(order, kinds)).order_by(*_directed(order, kinds, backward))


def order_in(columns: Any, order: Sequence[Any]) -> list[Term]:
    """Return the order with its columns replaced by those of the same names in a subquery."""
    return [Term(columns[column.name], descends, nullable) for column, descends, nullable in order]


def key_parameters(key: Key) -> dict[str, object]:
    """Return the parameters of a `paged` statement for this key."""
    return {f"row_key_{index}": value for index, value in enumerate(key)}


def _parts(order: Order, direction: Direction | None) -> Iterator[tuple[str, ...]]:
    """Yield, for each part, the conditions on the first columns of the order; the others have none."""
    if direction is None:
        yield from [(SET,), (NULL,)] if order[0].nullable else [()]
        return
    equal = tuple(NULL if is_null else EQUAL for is_null in direction.nulls)
    for index in reversed(range(len(order))):
        includes = direction.inclusive and index == len(order) - 1
        for kind in _beyond(order[index], direction, is_null=direction.nulls[index], includes=includes):
            yield *equal[:index], kind


def _beyond(term: Term, direction: Direction, *, is_null: bool, includes: bool) -> Sequence[str]:
    if is_null:
        return (SET,) if direction.backward else ()
    nulls = (NULL,) if term.nullable and not direction.backward else ()
    return (FROM if includes else AFTER, *nulls)


def _conditions(order: Order, kinds: Sequence[str]) -> Iterator[ColumnElement[bool]]:
    for index, (kind, (column, descends, _)) in enumerate(zip(kinds, order, strict=False)):
        if kind in {NULL, SET}:
            yield column.is_(None) if kind == NULL else column.is_not(None)
        else:
            key = bindparam(f"row_key_{index}", type_=column.type)
            beyond = {EQUAL: column == key, AFTER: (lt if descends else gt)(column, key)}
            yield beyond[kind] if kind in beyond else (le if descends else ge)(column, key)


def _directed(order: Order, kinds: Sequence[str], backward: bool) -> Iterator[ColumnElement[Any]]:  # noqa: FBT001 - the name says what it means.
    """Yield what the rows of a part are sorted by, with the place of nulls for nullable columns only."""
    wanted = [*kinds, *[None] * (len(order) - len(kinds))]
    for index, (column, descends, nullable) in enumerate(order):
        if wanted[index] == NULL:
            # All values are equal, so that one index of this column and the next serves both directions.
            rest = zip(order[index:], wanted[index:], strict=True)
            yield _in_direction(column, next(term.descends for term, kind in rest if kind != NULL))
        elif nullable and wanted[index] is None:
            directed = _in_direction(column, descends)
            yield directed.nulls_first() if backward else directed.nulls_last()
        else:
            yield _in_direction(column, descends)


def _in_direction(column: ColumnElement[Any], descends: bool) -> UnaryExpression[Any]:  # noqa: FBT001 - likewise.
    return column.desc() if descends else column.asc()
