"""What the parameters of a list ask of its rows: annotations of the fields of its query.

A field without one of them asks for equality with the column of its name::

    class InvoiceQuery(PageQuery):
        number: Number | None = None
        status: AnyOf[Status] | None = None
        due_before: Annotated[date, Before("due_on")] | None = None
        reminded: Annotated[bool, IsSet("remind_at")] | None = None
        owner: Annotated[Name, AfterValidator(fold), Related("owner", "username_key")] | None = None

None knows a database: `carboy.daos.filters` makes conditions of them.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from carboy.schemas.base import PageQuery

T = TypeVar("T")

SEARCH = "q"
"""The parameter that looks for text in several columns."""
MAX_VALUES = 100
"""The most values of one parameter."""


@dataclass(frozen=True)
class Filter:
    """What a value is compared with.

    Attributes:
        column: The column's name.
    """

    column: str


class Equal(Filter):
    """Rows whose column has the value, or one of the values of an `AnyOf`; for a parameter of another name."""


class Before(Filter):
    """Rows whose column is less than the value: dates and moments that are earlier."""


class After(Filter):
    """Rows whose column is greater than the value: dates and moments that are later."""


class AtMost(Filter):
    """Rows whose column is the value or less."""


class AtLeast(Filter):
    """Rows whose column is the value or more."""


class IsSet(Filter):
    """Rows whose column is not null if the value is true, and those whose column is null if it is false."""


@dataclass(frozen=True, init=False)
class Related(Filter):
    """Rows that are related to a row for which another filter holds.

    Args:
        relation: The name of the model's ``relationship()``, to one row or to many.
        of: The filter of the related row; a name stands for equality with the column of that name.
    """

    of: Filter

    def __init__(self, relation: str, of: str | Filter) -> None:
        object.__setattr__(self, "column", relation)
        object.__setattr__(self, "of", Equal(of) if isinstance(of, str) else of)


Where = Mapping[str, object] | Mapping[Filter, object] | Mapping[str | Filter, object]
"""What rows must have, by filter; a name stands for equality with the field of that name. A tuple is any of its
values."""


class Separated:
    """Makes a tuple of a text with commas between the values."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self._split, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        values = handler.resolve_ref_schema(handler(schema)["items"])
        choices = values.get("enum") or [values["const"]] if "enum" in values or "const" in values else None
        described = {"type": "string", "description": f"One or more, with commas between them, {MAX_VALUES} at most."}
        if choices is None:
            return described
        name = f"(?:{'|'.join(re.escape(str(one)) for one in choices)})"
        pattern = f"^{name}(?:,{name}){{0,{MAX_VALUES - 1}}}$"
        return described | {"pattern": pattern, "examples": [",".join(map(str, choices[:2]))]}

    @staticmethod
    def _split(value: object) -> object:
        if not isinstance(value, str):
            return value
        values = value.split(",")
        if len(values) > MAX_VALUES:
            raise ValueError(f"must be {MAX_VALUES} values at most")
        return values


AnyOf = Annotated[tuple[T, ...], Separated()]
"""One or more values with commas between them: ``status: AnyOf[Status] | None = None``. None has a comma in it."""


@cache
def filters_of(query: type[BaseModel]) -> Mapping[str, Filter]:
    """Return the filter of each field of a query that is one.

    Raises:
        TypeError: Two fields are the same filter.
    """
    found: dict[str, Filter] = {}
    for name, field in query.model_fields.items():
        if name in PageQuery.model_fields or name == SEARCH:
            continue
        notes = (*field.metadata, *notes_in(field.annotation))
        one = next((note for note in notes if isinstance(note, Filter)), Equal(name))
        if one in found.values():
            raise TypeError(f"{query.__qualname__}.{name}: another field is the same filter, {one}.")
        found[name] = one
    return found


def where_of(query: BaseModel) -> dict[str | Filter, object]:
    """Return what the fields of a query ask for that were given."""
    filters = filters_of(type(query))
    return {one: value for name, one in filters.items() if (value := getattr(query, name)) is not None}


def notes_in(annotation: Any) -> Iterator[Any]:
    """Yield what an annotation, or an option of its, is annotated with."""
    if get_origin(annotation) is Annotated:
        inner, *notes = get_args(annotation)
        yield from notes
        yield from notes_in(inner)
    elif get_origin(annotation) in {Union, UnionType}:
        for option in get_args(annotation):
            yield from notes_in(option)
