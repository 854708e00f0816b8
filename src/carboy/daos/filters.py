"""Turns filters into SQL conditions. Values are parameters whose names cannot collide with columns."""

from collections.abc import Callable, Iterator, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any

from sqlalchemy import ColumnCollection, ColumnElement, and_, bindparam, inspect

from carboy.models.soft_deletion import living
from carboy.schemas.filters import After, AtLeast, AtMost, Before, Equal, Filter, IsSet, Related

Columns = ColumnCollection[str, Any]

ONE, ANY, NULL, SET = "one", "any", "null", "set"
"""The forms of a condition: with one value, with any of several, with null, with anything but null."""

Shape = tuple[tuple[Filter, str], ...]
"""The filters of a statement, each with the form of its condition."""

OPERATORS: Mapping[type[Filter], Callable[[Any, Any], ColumnElement[bool]]] = {
    Equal: eq,
    Before: lt,
    After: gt,
    AtMost: le,
    AtLeast: ge,
}


def shape_of(where: Mapping[Filter, object]) -> Shape:
    return tuple((one, _form(one, value)) for one, value in where.items())


def filter_parameters(where: Mapping[Filter, object]) -> dict[str, object]:
    """Return the parameters for a statement with these filters."""
    return {_name(index): value for index, value in enumerate(where.values())}


def conditions(shape: Shape, model: Any, columns: Columns) -> Iterator[ColumnElement[bool]]:
    """Yield the conditions of a shape.

    Args:
        shape: The filters.
        model: The mapped class or an alias of it, whose relationships lead to related rows.
        columns: Its columns.

    Raises:
        KeyError: There is no such column or relationship.
    """
    for index, (one, form) in enumerate(shape):
        yield _condition(one, form, _name(index), model, columns)


def _condition(one: Filter, form: str, name: str, model: Any, columns: Columns) -> ColumnElement[bool]:
    if isinstance(one, Related):
        relation = inspect(model).mapper.relationships[one.column]
        target = relation.mapper
        inner = _condition(one.of, form, name, target.class_, target.local_table.c)
        attribute = getattr(model, one.column)
        # As when rows are read: deleted rows are left out of collections, but a parent may be deleted.
        found: ColumnElement[bool] = (
            attribute.any(and_(inner, *living(target.local_table))) if relation.uselist else attribute.has(inner)
        )
        return found
    column: ColumnElement[Any] = columns[one.column]
    if form in {NULL, SET}:
        return column.is_(None) if form == NULL else column.is_not(None)
    value = bindparam(name, type_=column.type, expanding=form == ANY)
    return column.in_(value) if form == ANY else OPERATORS[type(one)](column, value)


def _form(one: Filter, value: object) -> str:
    while isinstance(one, Related):
        one = one.of
    if isinstance(one, IsSet):
        return SET if value else NULL
    if value is None:
        return NULL
    return ANY if isinstance(value, tuple) else ONE


def _name(index: int) -> str:
    return f"row_filter_{index}"
