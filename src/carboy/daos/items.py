"""Writes the items of a collection. Errors point to the item's place in the list that the client sent."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Executable, Row
from sqlalchemy.exc import DBAPIError

from carboy.daos.limits import Limits
from carboy.daos.refusals import Declared, Refusals
from carboy.daos.relations import Relation
from carboy.db import Database
from carboy.errors import CarboyError, FieldProblem, InvalidInputError

Values = Mapping[str, Any]
Item = tuple[int, Values]
"""An item's place in the list, and its row."""


class Items:
    """Writes rows of a related table.

    Args:
        relation: The relationship.
        declared: The errors of what the database may refuse, by the names of its constraints.
    """

    def __init__(self, relation: Relation, declared: Declared) -> None:
        self._relation, self._declared = relation, declared
        self._limits = Limits(relation.table)

    async def write(self, database: Database, statement: Executable, items: Iterable[Item]) -> list[Row[Any]]:
        """Run a statement for all rows, those with the same columns at once, and return what it returns.

        Raises:
            InvalidInputError: A row refers to a row that does not exist, or a column cannot hold its value.
        """
        alike: dict[tuple[str, ...], list[Item]] = defaultdict(list)
        for index, row in items:
            self._require(index, row)
            alike[tuple(sorted(row))].append((index, row))
        found: list[Row[Any]] = []
        for same in alike.values():
            try:
                found += await database.execute(statement, [row for _, row in same], writes=True)
            except DBAPIError as error:
                meaning = await self._explain(database, error, same)
                if meaning is None:
                    raise
                raise meaning from error
        return found

    def named_twice(self, indexes: Iterable[int]) -> InvalidInputError:
        """Return the error that items have the ids of earlier ones."""
        detail = "The same row is named before."
        return InvalidInputError([FieldProblem(detail=detail, pointer=self._pointer(i, "id")) for i in indexes])

    def unknown(self, indexes: Iterable[int], field: str = "") -> InvalidInputError:
        """Return the error for items that name rows which do not exist."""
        detail = f"There is no such row of {self._relation.table.name}."
        return InvalidInputError([FieldProblem(detail=detail, pointer=self._pointer(i, field)) for i in indexes])

    def _require(self, index: int, row: Values) -> None:
        try:
            self._limits.require(row)
        except InvalidInputError as error:
            raise self._at(index, error) from error

    async def _explain(self, database: Database, error: DBAPIError, items: Sequence[Item]) -> CarboyError | None:
        refusals = Refusals(database, self._relation.table, self._declared)
        told = getattr(error.driver_exception, "detail", None) or str(error.orig)
        meaning = None
        for index, row in items:
            meaning = await refusals.explain(error, row, None)
            if isinstance(meaning, InvalidInputError) and (len(items) == 1 or _is_meant(row, meaning, told)):
                return self._at(index, meaning)
        if not isinstance(meaning, InvalidInputError):
            return meaning
        # The database does not tell which item it is.
        detail = meaning.extensions["errors"][0]["detail"]
        return InvalidInputError([FieldProblem(detail=detail, pointer=f"#/{self._relation.name}")])

    def _at(self, index: int, error: InvalidInputError) -> InvalidInputError:
        problems = error.extensions["errors"]
        return InvalidInputError(
            [FieldProblem(detail=each["detail"], pointer=self._pointer(index, _field(each))) for each in problems]
        )

    def _pointer(self, index: int, field: str) -> str:
        by_value = self._relation.far is not None
        return f"#/{self._relation.name}/{index}" + (f"/{field}" if field and not by_value else "")


def _is_meant(row: Values, meaning: InvalidInputError, told: str) -> bool:
    """Tell whether a row is the one that the database refused."""
    # PostgreSQL names the value: Key (product_id)=(7) is not present. SQLite does not; it was looked up for this row.
    value = row.get(_field(meaning.extensions["errors"][0]))
    return f"=({value})" in told if "=(" in told else "FOREIGN KEY" in told


def _field(problem: Mapping[str, str]) -> str:
    return problem.get("pointer", "").removeprefix("#").removeprefix("/")
