"""Finds where a domain's schemas and its table do not fit each other, before a client does.

::

    def test_schemas_fit_their_columns(container: Container) -> None:
        assert misfits_in(container) == []
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import Any

from dependency_injector.containers import Container
from dependency_injector.providers import Singleton
from sqlalchemy import Column, Integer, Numeric, String, inspect
from sqlalchemy import Enum as EnumType

from carboy.daos.base import Dao
from carboy.daos.limits import BITS
from carboy.daos.schema_declarations import inputs_of
from carboy.di.paths import providers_of
from carboy.models.base import table_of
from carboy.models.choices import Choice
from carboy.schemas.base import Input, Record

Json = dict[str, Any]


def misfits_in(container: Container) -> list[str]:
    """Return what does not fit, a sentence each, for every DAO of a container.

    A DAO's schemas are its `record`, and the inputs of its domain's ``schemas`` that are named like it: those of
    ``InvoiceRead`` begin with ``Invoice``.
    """
    daos = (one.provides for one in providers_of(container).values() if isinstance(one, Singleton))
    kinds = [dao for dao in daos if isinstance(dao, type) and issubclass(dao, Dao)]
    return [sentence for dao in kinds for sentence in misfits_of(dao, *inputs_of(dao.record))]


def misfits_of(dao: type[Dao[Any]], *inputs: type[Input]) -> list[str]:
    """Return what does not fit between a DAO's table and its record, and between the table and these inputs."""
    return [sentence for schema in (dao.record, *inputs) for sentence in _misfits(dao, schema)]


def _misfits(dao: type[Dao[Any]], schema: type[Record | Input]) -> Iterator[str]:
    table = table_of(dao.model)
    relations = {*inspect(dao.model).relationships.keys()}
    whole = schema.model_json_schema()
    is_record = issubclass(schema, Record)
    for name in schema.model_fields:
        place = f"{schema.__name__}.{name}"
        if name in table.c:
            options = _options(whole["properties"][name], whole.get("$defs", {}))
            yield from (f"{place} {what}" for what in _against(table.c[name], options, is_record=is_record))
        elif is_record and name not in relations:
            yield f"{place} is no column of {table.name}."


def _against(column: Column[Any], options: list[Json], *, is_record: bool) -> Iterator[str]:
    # What has no type may be anything.
    takes_null = any(option.get("type", "null") == "null" and "const" not in option for option in options)
    if is_record and column.nullable and not takes_null:
        yield f"is never null, but {column} may be."
    if not is_record and takes_null and not column.nullable:
        yield f"may be null, but {column} may not."
    for option in options:
        # What is read fits already.
        what = None if is_record and not isinstance(column.type, Choice) else _beyond(column, option)
        if what is not None:
            yield what


def _beyond(column: Column[Any], option: Json) -> str | None:
    """Return what a schema takes that a column does not hold."""
    kind, held = option.get("type"), column.type
    if isinstance(held, Choice):
        return _other_values(column, option, held.kind)
    if isinstance(held, String) and not isinstance(held, EnumType) and kind == "string" and held.length is not None:
        most = max(map(len, option["enum"])) if "enum" in option else option.get("maxLength")
        if most is None or most > held.length:
            return f"takes text of {most or 'any'} characters, but {column} holds {held.length}."
    if isinstance(held, Integer) and kind == "integer":
        return _too_large(column, option, held)
    if isinstance(held, Numeric) and held.asdecimal:
        return f"is a decimal, which SQLite does not keep exactly: make {column} an Amount."
    return None


def _other_values(column: Column[Any], option: Json, kind: type[StrEnum]) -> str | None:
    if option.get("type") == "null":
        return None
    taken, held = {*option.get("enum", [option.get("const")])}, {member.value for member in kind}
    if taken <= held:
        return None
    return f"takes values that {column} does not: {', '.join(sorted(map(str, taken - held)))}."


def _too_large(column: Column[Any], option: Json, held: Integer) -> str | None:
    bits = next(bits for its_type, bits in BITS.items() if isinstance(held, its_type))
    most = 2 ** (bits - 1) - 1
    is_within = option.get("maximum", most + 1) <= most and option.get("minimum", -most - 2) >= -most - 1
    return None if is_within else f"takes whole numbers of more than {bits} bits, but {column} has {bits}."


def _options(schema: Json, definitions: Json) -> list[Json]:
    """Return the schemas that a field's schema lets one choose from."""
    if "$ref" in schema:
        return _options(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return [option for one in schema["anyOf"] for option in _options(one, definitions)]
    return [schema]
