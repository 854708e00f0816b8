"""Keyset pagination: a page starts after the values of the last row of the page before it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import ge, gt, le, lt
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Column, ColumnElement, Select, Table, bindparam, false, or_, select, union_all

from carboy.schemas.base import Record
from carboy.schemas.text import spellings

RecordT = TypeVar("RecordT", bound=Record)
Key = tuple[Any, ...]
Order = Sequence[tuple[Column[Any], bool]]
"""The columns that a list is sorted by, each with whether it descends. No two rows have all their values in common."""

Direction = tuple[bool, bool]
"""Whether the rows before a place are wanted, and whether the row at the place is."""


class Place(NamedTuple):
    """A place in a list, next to a row that need not be there any more.

    Attributes:
        key: What the row has in the columns that the list is sorted by.
        backward: Whether the rows before it are wanted and not those after it.
        inclusive: Whether the row itself is wanted too.
    """

    key: Key
    backward: bool = False
    inclusive: bool = False

    @property
    def direction(self) -> Direction:
        return self.backward, self.inclusive


class Slice(NamedTuple, Generic[RecordT]):
    """Some rows of a list that stand together.

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


def order_of(table: Table, sorts: Mapping[str, str], sort: str) -> Order:
    """Return the order that a sort such as ``-created,username`` means; the id decides between equal rows.

    Args:
        table: The table.
        sorts: Its columns by the names that they are sorted by.
        sort: ``id`` or some of these names; what follows one whose values are unique makes no difference.
    """
    order = []
    names = sort.split(",")
    for name in (*names, "-id" if names[-1].startswith("-") else "id"):
        column = table.c[{**sorts, "id": "id"}[name.removeprefix("-")]]
        order.append((column, name.startswith("-")))
        if column.primary_key or column.unique:
            break
    return order


def paged(statement: Select[Any], order: Order, direction: Direction | None) -> Select[Any]:
    """Return the statement for the rows next to a place, nearest first.

    The rows beyond (x, y) are those with x and more than y, and those with more than x. Each of the two is one range of
    an index, whichever way the columns are sorted, so that a page costs the same wherever it stands. For one condition
    that says the same SQLite would read all rows with x: for row values too, if one of them is the id.

    Args:
        statement: It selects all rows, and at least the columns of the order.
        order: What they are sorted by.
        direction: Which of the rows next to the place; None for those at the beginning of the list.
    """
    backward, inclusive = direction or (False, False)
    order = [(column, descending != backward) for column, descending in order]
    if direction is None:
        return _nearest(statement, order)
    parts = [_nearest(statement.where(*conditions), order) for conditions in _beyond(order, inclusive=inclusive)]
    if len(parts) == 1:
        return parts[0]
    rows = union_all(*(select(part.subquery()) for part in parts)).subquery()
    return _nearest(select(rows), [(rows.c[column.name], descending) for column, descending in order])


def key_parameters(key: Key) -> dict[str, object]:
    """Return the parameters of a `paged` statement that say where its place is."""
    return {f"row_key_{index}": value for index, value in enumerate(key)}


def has_text(columns: Iterable[Column[Any]], patterns: int) -> ColumnElement[bool]:
    """Return the condition that one of some columns matches one of the patterns that `text_parameters` gives."""
    names = [f"row_pattern_{index}" for index in range(patterns)]
    return or_(false(), *(column.like(bindparam(name), escape="/") for column in columns for name in names))


def text_parameters(search: str | None) -> dict[str, object]:
    """Return the parameters of a statement that may look for text: a pattern for each spelling, mostly one.

    No character of the text stands for another.
    """
    texts = [] if search is None else [re.sub("[/%_]", r"/\g<0>", text) for text in spellings(search)]
    return {f"row_pattern_{index}": f"%{text}%" for index, text in enumerate(texts)}


def _nearest(statement: Select[Any], order: Sequence[tuple[ColumnElement[Any], bool]]) -> Select[Any]:
    directed = (column.desc() if descending else column.asc() for column, descending in order)
    return statement.order_by(*directed).limit(bindparam("row_limit"))


def _beyond(order: Order, *, inclusive: bool) -> Iterator[list[ColumnElement[bool]]]:
    """Yield the conditions of the rows that equal the key in all values but the last, in all but two, and so on."""
    keys: list[ColumnElement[Any]] = [bindparam(name) for name in key_parameters((None,) * len(order))]
    for index, (column, descending) in reversed([*enumerate(order)]):
        includes = inclusive and index == len(order) - 1
        beyond = (le if includes else lt) if descending else (ge if includes else gt)
        equal = [other == key for (other, _), key in zip(order[:index], keys, strict=False)]
        yield [*equal, beyond(column, keys[index])]
