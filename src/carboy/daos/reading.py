"""Turns rows into records, and reads related rows: one statement for each relationship, for all rows together."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cached_property
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, TypeAdapter
from sqlalchemy import Select

from carboy.daos.relations import Relation, relations_of
from carboy.db import Database
from carboy.db.failures import TransactionConflictError
from carboy.models.base import Base, table_of

RecordT = TypeVar("RecordT", bound=BaseModel)
MAX_KEYS = 1024
"""The most rows whose related rows one statement reads; drivers allow 32,000 parameters."""


class Reading(Generic[RecordT]):
    """How the rows of a table become records.

    Attributes:
        names: The columns to read, in this order: those of the record, and the keys of its relationships.
        nested: The record's fields that are relationships.

    Raises:
        TypeError: The record has a field that is neither.
    """

    def __init__(self, model: type[Base], record: type[RecordT]) -> None:
        # The record may refer to classes that were defined after it.
        record.model_rebuild()
        self._record = record
        columns = table_of(model).c
        self.nested = [_Nested(model, record, name) for name in record.model_fields if name not in columns]
        own = (name for name in record.model_fields if name in columns)
        self.names = tuple(dict.fromkeys([*own, *(nested.relation.key.name for nested in self.nested)]))

    async def records(self, database: Database, rows: Sequence[Sequence[Any]]) -> list[RecordT]:
        """Return the records for rows whose first columns are `names`."""
        # This takes a quarter of the time of reading each row by its attributes.
        values = [dict(zip(self.names, row, strict=False)) for row in rows]
        for nested in self.nested:
            await nested.fill(database, values)
        return self._adapter.validate_python(values)

    async def values(self, database: Database, rows: Sequence[Sequence[Any]]) -> list[dict[str, Any]]:
        """Return the values of each record, with those of its related rows."""
        values = [dict(zip(self.names, row, strict=True)) for row in rows]
        for nested in self.nested:
            await nested.fill(database, values)
        return values

    @cached_property
    def _adapter(self) -> TypeAdapter[list[RecordT]]:
        return TypeAdapter(list[self._record], config=ConfigDict(hide_input_in_errors=True))  # type: ignore[name-defined]


class _Nested:
    """A field of a record that holds related rows, as records or as one plain value each."""

    def __init__(self, model: type[Base], record: type[BaseModel], name: str) -> None:
        relation = relations_of(model).get(name)
        if relation is None:
            table = model.__tablename__
            raise TypeError(f"{record.__name__}.{name}: {table} has neither a column nor a relationship of this name.")
        self.relation: Relation = relation
        kinds = [*kinds_in(record.model_fields[name].annotation)]
        if (list in kinds) != relation.many:
            raise TypeError(f"{record.__name__}.{name}: {'list[...]' if relation.many else 'one'} is what it must be.")
        if relation.is_parent and relation.key.nullable and NoneType not in kinds:
            raise TypeError(f"{record.__name__}.{name}: add | None, as {relation.key} may be null.")
        self.record = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), None)

    async def fill(self, database: Database, rows: list[dict[str, Any]]) -> None:
        key, name = self.relation.key.name, self.relation.name
        related = await self._related(database, {row[key] for row in rows} - {None})
        for row in rows:
            found = related.get(row[key], [])
            if self.relation.many:
                row[name] = found
                continue
            if self.relation.is_parent and row[key] is not None and not found:
                # Between the two statements the parent was deleted or replaced: read once more.
                raise TransactionConflictError
            row[name] = found[0] if found else None

    async def _related(self, database: Database, keys: set[Any]) -> dict[Any, list[Any]]:
        related: dict[Any, list[Any]] = defaultdict(list)
        for part in _parts(sorted(keys)):
            rows: Sequence[Any] = await database.execute(self._statement, {"row_keys": part})
            columns: list[Any] = [row[1:] for row in rows]
            values = await self._reading.values(database, columns) if self._reading else [value for (value,) in columns]
            for row, value in zip(rows, values, strict=True):
                related[row[0]].append(value)
        return related

    @cached_property
    def _reading(self) -> Reading[Any] | None:
        # Made when it is needed, because a record may contain records of its own class.
        return Reading(self.relation.model, self.record) if self.record else None

    @cached_property
    def _statement(self) -> Select[Any]:
        return self.relation.read(*(self._reading.names if self._reading else [self.relation.value]))


def _parts(keys: list[Any]) -> Iterator[list[Any]]:
    """Yield keys in lists whose lengths are powers of two, because each length is another prepared statement.

    The last key is repeated to fill a list.
    """
    for start in range(0, len(keys), MAX_KEYS):
        part = keys[start : start + MAX_KEYS]
        length = 1 << (len(part) - 1).bit_length()
        yield part + part[-1:] * (length - len(part))


def kinds_in(annotation: Any) -> Iterator[Any]:
    """Yield the types within a type such as ``list[LineRead]`` or ``Annotated[OwnerBrief | None, ...]``."""
    origin = get_origin(annotation)
    if origin in {list, Union, UnionType}:
        yield origin
        annotations = get_args(annotation)
    elif origin is Annotated:
        annotations = get_args(annotation)[:1]
    else:
        yield annotation
        annotations = ()
    for inner in annotations:
        yield from kinds_in(inner)
