"""Reads the pages of lists."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Row

from carboy.daos.filters import filter_parameters, shape_of
from carboy.daos.keyset import Key, Place, Slice, key_parameters
from carboy.daos.reading import Reading
from carboy.daos.searches import WINDOWS, index_parameters, text_parameters
from carboy.daos.statements import Statements
from carboy.db import Database
from carboy.schemas.base import Record
from carboy.schemas.filters import Filter

RecordT = TypeVar("RecordT", bound=Record)
Asked = Mapping[Filter, object]
"""What columns are compared with."""


class Lists(Generic[RecordT]):
    """The lists of one table's rows.

    Args:
        database: Where the rows are.
        statements: What reads them.
        reading: What makes records of them.
        prepared: What calls a method of `statements`, and remembers what it returned.
        is_indexed: Whether a search index has the columns in which lists look for text.
    """

    def __init__(
        self,
        database: Database,
        statements: Statements,
        reading: Reading[RecordT],
        prepared: Callable[..., Any],
        *,
        is_indexed: bool,
    ) -> None:
        self._database, self._statements, self._reading = database, statements, reading
        self._prepared, self._is_indexed = prepared, is_indexed

    async def page(
        self, limit: int, sort: str, place: Place | None, search: str | None, asked: Asked
    ) -> Slice[RecordT]:
        direction, patterns, index = place and place.direction, text_parameters(search), self._index_parameters(search)
        parameters = filter_parameters(asked) | patterns | index | {"row_limit": limit + 1}
        if place is not None:
            parameters |= key_parameters(place.key)
        statements = self._statements
        ways = [(statements.page_nearby, {"row_window": size * (limit + 1)}) for size in WINDOWS] if index else []
        rows: Sequence[Row[Any]] = ()
        for build, window in (*ways, (statements.page_found if index else statements.page, {})):
            statement = self._prepared(build, shape_of(asked), len(patterns), sort, direction)
            rows = await self._database.execute(statement, parameters | window)
            if len(rows) > limit:
                break
        near = rows[:limit][::-1] if place is not None and place.backward else rows[:limit]
        positions = self._prepared(statements.positions, sort)
        first, last = (tuple(row[at] for at in positions) for row in (near[0], near[-1])) if near else ((), ())
        return Slice(await self._reading.records(self._database, near), first, last, more=len(rows) > limit)

    async def count(self, search: str | None, asked: Asked) -> int:
        patterns, index = text_parameters(search), self._index_parameters(search)
        build = self._statements.count_found if index else self._statements.count
        statement = self._prepared(build, shape_of(asked), len(patterns))
        [(number,)] = await self._database.execute(statement, filter_parameters(asked) | patterns | index)
        return int(number)

    def key(self, sort: str, values: Sequence[object]) -> Key:
        key: Key = self._prepared(self._statements.key, sort).validate_python(tuple(values))
        return key

    def _index_parameters(self, search: str | None) -> dict[str, object]:
        return index_parameters(search) if search is not None and self._is_indexed else {}
