"""Checks the declaration of a DAO. Its errors name the file, the mistake and the remedy."""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Index, Table, UniqueConstraint
from sqlalchemy.orm import configure_mappers

from carboy.daos.folding import folded_columns
from carboy.daos.reading import Reading
from carboy.daos.relations import Relation, relations_of
from carboy.daos.schema_declarations import mistakes_in_lists, mistakes_in_query
from carboy.models.base import Base, table_of
from carboy.schemas.base import PageQuery, sorts_of
from carboy.schemas.filters import filters_of

NEEDED = (("model", "Note"), ("record", "NoteRead"), ("not_found", "NoteNotFoundError"))


class DeclarationError(TypeError):
    """A class is declared in a way that cannot work."""


def check_declaration(dao: type[Any]) -> None:
    """Raise a `DeclarationError` if what a DAO and its schemas declare cannot work."""
    mistakes = mistakes_in(dao)
    if mistakes:
        raise DeclarationError("\n".join(mistakes))


def check_query(dao: type[Any], query: type[PageQuery]) -> None:
    """Raise a `DeclarationError` if a list's query is not the DAO's own, and asks for what that does not."""
    if query is not dao.query and not _is_less(query, dao.query):
        raise DeclarationError(
            f"{_file(dao)}: {dao.__name__}.query is {dao.query.__name__}. Write in it: query = {query.__name__}"
        )


@cache
def _is_less(query: type[PageQuery], than: type[PageQuery]) -> bool:
    is_filtered_less = filters_of(query).items() <= filters_of(than).items()
    return is_filtered_less and sorts_of(query).items() <= sorts_of(than).items()


def folded_in(dao: type[Any]) -> Mapping[str, str]:
    """Return by field the column of its case-folded spelling."""
    folded: Mapping[str, str] | None = dao.folded
    return folded_columns(table_of(dao.model)) if folded is None else folded


def searched_in(dao: type[Any]) -> Sequence[str]:
    """Return the columns in which lists look for text."""
    searched: Sequence[str] = dao.model.__search__ if dao.searched is None else dao.searched
    return searched


def _mistakes_in(dao: type[Any]) -> Sequence[str]:
    place = f"{_file(dao)}: {dao.__name__}"
    lacking = [(name, example) for name, example in NEEDED if not hasattr(dao, name)]
    if lacking:
        return [f"{place} has no {name}. Write in it, for example: {name} = {example}" for name, example in lacking]
    model, record, query = dao.model, dao.record, dao.query
    strange = [name for name in record.model_fields if not hasattr(model, name)]
    if strange:
        told = (
            f"{place}: {record.__name__}.{strange[0]} is nothing that {model.__name__} has. Write it in"
            f" {model.__name__}, or name one of: {_listed(table_of(model).c.keys())}."
        )
        return [told]
    configure_mappers()
    in_query = mistakes_in_query(query, model, dao.__name__, searched_in(dao))
    in_schemas = (*_in_records(model, record, set()), *mistakes_in_lists(record, model))
    return [
        *(f"{place}.{mistake}" for mistake in _names(dao)),
        *(f"{_file(query)}: {mistake}" for mistake in in_query),
        *(f"{_file(record)}: {mistake}" for mistake in in_schemas),
    ]


mistakes_in: Callable[[Any], Sequence[str]] = cache(_mistakes_in)
"""Returns what is wrong with a DAO, its record, its query and its inputs, a sentence each."""


def _names(dao: type[Any]) -> Iterator[str]:
    """Yield the names that a DAO's attributes have and nothing else has."""
    table, folded = table_of(dao.model), folded_in(dao)
    named = {"folded": [*folded, *folded.values()], "searched": searched_in(dao)}
    for attribute, columns in named.items():
        for name in columns:
            if name not in table.c:
                yield f"{attribute}: {table.name} has no column {name}. Name one of: {_listed(table.c.keys())}."
    for name in dao.folds:
        if name not in folded:
            yield f"folds: {name} is not folded. Name one of: {_listed(folded)}."
    relations = relations_of(dao.model)
    for name in dao.touches:
        if name not in relations:
            yield f"touches: {dao.model.__name__} has no relationship {name}. Name one of: {_listed(relations)}."
    possible = _refusable(table, relations.values())
    for key in dao.conflicts:
        if key not in possible:
            others = _listed(str(one) for one in possible[len(table.c) :])
            yield (
                f"conflicts: {key!r} names no column, constraint or unique index of {table.name}, nor a table that"
                f" refers to it. Name a column, or one of: {others}."
            )


def _refusable(table: Table, relations: Iterable[Relation]) -> list[str | tuple[str, ...]]:
    """Return what `conflicts` may name: see `carboy.daos.base.Dao`."""
    linked = [relation.near.table for relation in relations]
    found: list[str | tuple[str, ...]] = [*table.c.keys()]
    for one in (table, *(relation.table for relation in relations), *linked):
        found += [str(rule.name) for rule in _rules(one) if rule.name]
    found += [tuple(column.name for column in rule.columns) for rule in _rules(table) if _is_by_columns(rule)]
    others = table.metadata.tables.values()
    return found + [one.name for one in others if any(key.column.table is table for key in one.foreign_keys)]


def _rules(table: Table) -> list[Any]:
    return [*table.constraints, *(index for index in table.indexes if index.unique)]


def _is_by_columns(rule: Any) -> bool:
    return isinstance(rule, UniqueConstraint | Index) and len(rule.columns) > 1


def _in_records(model: type[Base], record: type[BaseModel], seen: set[object]) -> Iterator[str]:
    """Yield what is wrong with a record, and with those that are nested in it."""
    if (model, record) in seen:
        return
    seen.add((model, record))
    try:
        reading = Reading(model, record)
    except TypeError as error:
        yield str(error)
        return
    for nested in reading.nested:
        if nested.record is not None:
            yield from _in_records(nested.relation.model, nested.record, seen)


def _file(kind: type[Any]) -> str:
    return inspect.getsourcefile(kind) or kind.__module__


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
