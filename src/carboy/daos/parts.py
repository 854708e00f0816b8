"""What a DAO runs its statements with, each part made when it is first needed."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property, lru_cache
from typing import Any, Generic, TypeVar

from carboy.daos.declarations import folded_in, searched_in
from carboy.daos.filters import filter_parameters, shape_of
from carboy.daos.folding import Folding
from carboy.daos.lists import Lists
from carboy.daos.reading import Reading
from carboy.daos.refusals import Refusals
from carboy.daos.related import Related
from carboy.daos.statements import Statements
from carboy.daos.writing import Writing
from carboy.db import Database
from carboy.models.base import table_of
from carboy.schemas.base import Record, sorts_of
from carboy.schemas.filters import Where

T = TypeVar("T")
RecordT = TypeVar("RecordT", bound=Record)


class Plan(Generic[RecordT]):
    """What the class of a DAO determines, whatever its database: its statements, and how rows become records.

    All DAOs of a class share it: each test makes its own, and what they build would take a tenth of its time.
    """

    def __init__(self, dao: type[Any]) -> None:
        self._dao = dao
        self.prepared = _remembering()
        self.table = table_of(dao.model)
        self.folding = Folding(self.table, folded_in(dao), dao.folds)

    @cached_property
    def reading(self) -> Reading[RecordT]:
        return Reading(self._dao.model, self._dao.record)

    @cached_property
    def related(self) -> Related:
        return Related(self._dao.model, self._dao.touches, self._dao.conflicts)

    @cached_property
    def statements(self) -> Statements:
        dao = self._dao
        return Statements(dao.model, self.reading.names, sorts_of(dao.query), searched_in(dao))

    def read_as(self, record: type[Record] | None) -> tuple[Reading[RecordT], Statements]:
        """Return what reads rows as a record; None stands for the DAO's own."""
        if record is None:
            return self.reading, self.statements
        reading = self.prepared(Reading, self._dao.model, record)
        return reading, self.prepared(replace, self.statements, names=reading.names)


class Parts(Generic[RecordT]):
    """The parts of a DAO.

    Args:
        dao: Its class, which declares what they need to know.
        database: Where its rows are.
    """

    def __init__(self, dao: type[Any], database: Database) -> None:
        self._dao, self._database = dao, database
        self._plan: Plan[RecordT] = _plan_of(dao)
        # What the DAO builds itself may depend on it.
        self.prepared = _remembering()
        self.table, self.folding, self.read_as = self._plan.table, self._plan.folding, self._plan.read_as

    @cached_property
    def reading(self) -> Reading[RecordT]:
        return self._plan.reading

    @cached_property
    def related(self) -> Related:
        return self._plan.related

    @cached_property
    def lists(self) -> Lists[RecordT]:
        statements = self._plan.statements
        searched = {*statements.searched}
        is_indexed = bool(searched) and searched <= {*self._dao.model.__search__}
        return Lists(self._database, statements, self.reading, self._plan.prepared, is_indexed=is_indexed)

    @cached_property
    def writing(self) -> Writing:
        plan, refusals = self._plan, Refusals(self._database, self.table, self._dao.conflicts)
        return Writing(self._database, plan.statements, plan.prepared, refusals, plan.related)

    async def find(self, record: type[Record] | None, equal: Where) -> RecordT | None:
        """Return the one row in which fields have these values, as the DAO's own record or as another."""
        reading, statements = self.read_as(record)
        asked = self.folding.asked(equal)
        statement = self._plan.prepared(statements.one, shape_of(asked), self._database.is_writing)
        rows = await self._database.execute(statement, filter_parameters(asked))
        records = await reading.records(self._database, rows)
        return records[0] if records else None


_plan_of: Callable[[Any], Plan[Any]] = cache(Plan[Any])


def _remembering() -> Callable[..., Any]:
    """Return what calls a builder, and remembers what it returned.

    A statement is built once for each shape, and its values are parameters: building it, and looking up its compiled
    form, costs more than running it.
    """
    return lru_cache(_build)


def _build(builder: Callable[..., T], *shape: object, **options: object) -> T:
    return builder(*shape, **options)
