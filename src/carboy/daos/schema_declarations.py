"""Finds what a domain's schemas ask of columns and relationships that its model does not have."""

import sys
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from sqlalchemy import String, inspect

from carboy.daos.reading import kinds_in
from carboy.daos.relations import Relation, relations_of
from carboy.models.base import Base, table_of
from carboy.schemas.base import Input, PageQuery, Record, sorts_of
from carboy.schemas.filters import SEARCH, Filter, Related, filters_of


def inputs_of(record: type[Record]) -> list[type[Input]]:
    """Return the inputs beside a record that are named like it: those of ``InvoiceRead`` begin with ``Invoice``."""
    stem, package = record.__name__.removesuffix("Read"), record.__module__
    return [
        one
        for one in vars(sys.modules[package]).values()
        if isinstance(one, type)
        and issubclass(one, Input)
        and one.__module__.startswith(package)
        and one.__name__.startswith(stem)
    ]


def mistakes_in_query(query: type[PageQuery], model: type[Base], dao: str, searched: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with a query.

    Args:
        query: The query.
        model: Whose rows it is about.
        dao: The name of the DAO that has both.
        searched: The columns in which text is looked for.
    """
    table, name = table_of(model), query.__name__
    try:
        filters = filters_of(query)
    except TypeError as error:
        yield str(error)
        return
    for field, one in filters.items():
        yield from (f"{name}.{field}: {mistake}" for mistake in _in_filter(one, model))
    for sort, column in sorts_of(query).items():
        if column not in table.c:
            yield (
                f"{name}.sort: {table.name} has no column {column}. Write sort_by({sort}=...) with one of:"
                f" {', '.join(table.c.keys())}."
            )
    if SEARCH in query.model_fields and not searched:
        yield (
            f"{name}.{SEARCH} searches no column. Write in {dao} the columns of folded text, such as"
            f' searched = ("name_key",), or in {model.__name__} __search__.'
        )


def _in_filter(one: Filter, model: type[Base]) -> Iterator[str]:
    columns, relationships = table_of(model).c, inspect(model).relationships
    kind = type(one).__name__
    if isinstance(one, Related):
        if one.column not in relationships:
            yield (
                f'{model.__name__} has no relationship {one.column}. Write {kind}("...", ...) with one of:'
                f" {', '.join(relationships.keys())}."
            )
        else:
            yield from _in_filter(one.of, relationships[one.column].mapper.class_)
    elif one.column not in columns:
        yield (
            f'{model.__tablename__} has no column {one.column}. Write {kind}("...") with one of:'
            f" {', '.join(columns.keys())}."
        )


def mistakes_in_lists(record: type[Record], model: type[Base]) -> Iterator[str]:
    """Yield the lists of a record and its inputs whose items are not what names the related rows."""
    relations = relations_of(model)
    for schema in (record, *inputs_of(record)):
        for name, field in schema.model_fields.items():
            if name in relations and relations[name].many:
                place = f"{schema.__name__}.{name}"
                yield from _in_items(place, relations[name], field.annotation, f"{model.__name__}.{name}")


def _in_items(place: str, relation: Relation, annotation: Any, relationship: str) -> Iterator[str]:
    items = [kind for kind in kinds_in(annotation) if isinstance(kind, type) and not issubclass(kind, BaseModel)]
    texts = [column.name for column in relation.table.c if isinstance(column.type, String)]
    if any(issubclass(item, str) for item in items) and relation.value == "id":
        yield (
            f"{place} is text, but {relationship} names {relation.table.name} by {relation.value}. Write"
            f' info={{"value": "..."}} in its relationship, with one of: {", ".join(texts)}.'
        )
